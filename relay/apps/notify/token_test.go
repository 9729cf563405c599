package notify_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/auth"
)

const (
	secretA = "a secret of the first server"
	secretB = "ein anderes Geheimnis: äöü"

	wwwroot = "https://tsugi.example/tsugi"
)

// tsugi makes tokens as PHP does, from the texts in its input.
const tsugi = `
$out = [];
foreach ( json_decode( stream_get_contents( STDIN ), true ) as [ $secret, $text ] ) {
	$key = hash( 'sha256', $secret, true );
	$iv = openssl_random_pseudo_bytes( 16 );
	$ciphertext = openssl_encrypt( $text, 'AES-256-CBC', $key, OPENSSL_RAW_DATA, $iv );
	$hmac = hash_hmac( 'sha256', $ciphertext . $iv, $key, true );
	$out[] = base64_encode( $iv . $hmac . $ciphertext );
}
echo json_encode( $out );`

// tokens returns Tsugi's own tokens of a server with that secret for these texts.
func tokens(t testing.TB, secret string, texts ...string) (made []string) {
	t.Helper()
	if _, err := exec.LookPath("php"); err != nil {
		t.Fatal("PHP makes the tokens, and is not there: make install")
	}
	var pairs [][2]string
	for _, text := range texts {
		pairs = append(pairs, [2]string{secret, text})
	}
	in, err := json.Marshal(pairs)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("php", "-r", tsugi)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil || len(made) != len(texts) {
		t.Fatalf("php: %v %s %s", err, out, stderr.String())
	}
	return made
}

// signed returns a JWT; claims that are nil are left out.
func signed(t testing.TB, method jwt.SigningMethod, key any, changed map[string]any) string {
	t.Helper()
	claims := jwt.MapClaims{"aud": "notify", "wwwroot": wwwroot, "link_id": "7", "sub": "42", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range changed {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Tokens as PHP makes them open the space of their link, whoever's they are, and no other.
func TestTokensOfTsugi(t *testing.T) {
	h := open(t, secretA, secretB)
	made := tokens(t, secretA, wwwroot+"::7::3::1", wwwroot+"::7::4::2", wwwroot+"::8::3::1", "https://other.example::7::3::1",
		wwwroot+"::7::::", strings.Repeat("x", 3000)+"::1::2::3")
	other := tokens(t, secretB, wwwroot+"::7::3::1")[0]
	a, b := h.dial(made[0], ""), h.dial(made[1], "")
	var strangers [][2]*peer
	for _, token := range []string{made[2], made[3], other, made[5]} {
		strangers = append(strangers, [2]*peer{h.dial(token, ""), h.dial(token, "")})
	}
	empty := h.dial(made[4], "")
	a.say("to the others")
	b.expect("to the others")
	empty.expect("to the others")
	b.say("back")
	a.expect("back") // and not what it has said itself
	empty.expect("back")
	if err := b.Write(h.ctx, websocket.MessageBinary, []byte{0, 0xff}); err != nil {
		t.Fatal(err)
	}
	if typ, data, err := a.Read(h.ctx); typ != websocket.MessageBinary || !bytes.Equal(data, []byte{0, 0xff}) {
		t.Error(typ, data, err)
	}
	for _, pair := range strangers {
		pair[1].expectNothing(pair[0])
	}
}

// The token as it stands in the page's script is not encoded for a URL, and a plus sign in it comes as a blank.
func TestTokenThatIsNotEncodedForAURL(t *testing.T) {
	h := open(t, secretA)
	texts := slices.Repeat([]string{wwwroot + "::7::3::1"}, 20)
	plus := false
	for _, token := range tokens(t, secretA, texts...) {
		plus = plus || strings.Contains(token, "+")
		h.request("token="+token, 101)
		h.request("token="+url.QueryEscape(token), 101)
		h.request("token="+url.QueryEscape(strings.TrimRight(token, "=")), 101)
	}
	if !plus {
		t.Error("no token had a plus sign in it")
	}
}

func TestBadTokens(t *testing.T) {
	h := open(t, secretA)
	made := tokens(t, secretA, wwwroot+"::7::3::1", wwwroot+"::7::3", wwwroot+"::7::3::1::5", "", "::7::3::1",
		wwwroot+"::::3::1", "::::::", strings.Repeat("\x00", 16))
	good := made[0]
	raw, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	h.request("token="+url.QueryEscape(good), 101)
	bad := map[string]string{
		"none": "", "three parts": made[1], "five parts": made[2], "empty": made[3], "no host": made[4], "no link": made[5], "empty parts": made[6], "NULs": made[7],
		"of another server": tokens(t, secretB, wwwroot+"::7::3::1")[0], "garbage": "!!!!", "plain text": wwwroot + "::7::3::1", "dots": "..", "a dot too many": "a.b.c.d",
		"NUL behind": good + "\x00", "more behind": good + "AAAA", "base64 of nothing": "AAAA", "two": good + "&token=" + good,
		"in another alphabet": base64.URLEncoding.EncodeToString(append([]byte{0xff, 0xff, 0xff}, raw...)), "long": strings.Repeat("A", 10000),
	}
	for at := range raw { // one bit wrong, wherever: iv, HMAC, text
		changed := slices.Clone(raw)
		changed[at] ^= 1 << (at % 8)
		bad[fmt.Sprint("a bit of byte ", at)] = base64.StdEncoding.EncodeToString(changed)
	}
	for n := range raw {
		bad[fmt.Sprint("cut to ", n)] = base64.StdEncoding.EncodeToString(raw[:n])
	}
	for name, token := range bad {
		if name == "two" {
			h.request("token="+token, 400)
			continue
		}
		if body := h.request("token="+url.QueryEscape(token), 403); !strings.Contains(body, `"code":"forbidden"`) || strings.Contains(body, "adding") {
			t.Errorf("%s: %s", name, body)
		}
	}
	h.request("", 403)
	h.request("room=x", 403)
	if h.app.connections() != 0 {
		t.Error("somebody is there")
	}
}

func TestJWTs(t *testing.T) {
	h := open(t, secretA, secretB)
	hs := func(changed map[string]any) string {
		return signed(t, jwt.SigningMethodHS256, []byte(secretA), changed)
	}
	jwtPeer, own := h.dial(hs(nil), "r"), h.dial(tokens(t, secretA, wwwroot+"::7::3::1")[0], "r")
	foreign := signed(t, jwt.SigningMethodHS256, []byte(secretB), nil)
	other, friend := h.dial(foreign, "r"), h.dial(foreign, "r")
	jwtPeer.say("hello")
	own.expect("hello")
	other.expectNothing(friend)
	long := time.Now().Add(-auth.Leeway - time.Second).Unix()
	head, body, _ := strings.Cut(hs(nil), ".")
	for name, token := range map[string]string{
		"expired":          hs(map[string]any{"exp": long}),
		"no end":           hs(map[string]any{"exp": nil}),
		"of later":         hs(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
		"for others":       hs(map[string]any{"aud": "connect"}),
		"for nobody":       hs(map[string]any{"aud": nil}),
		"no host":          hs(map[string]any{"wwwroot": ""}),
		"no link":          hs(map[string]any{"link_id": nil}),
		"a number":         hs(map[string]any{"link_id": 7}),
		"HS512":            signed(t, jwt.SigningMethodHS512, []byte(secretA), nil),
		"none":             signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"another secret":   signed(t, jwt.SigningMethodHS256, []byte("another secret"), nil),
		"empty secret":     signed(t, jwt.SigningMethodHS256, []byte{}, nil),
		"no signature":     head + "." + strings.Split(body, ".")[0] + ".",
		"another's body":   head + "." + strings.Split(hs(map[string]any{"link_id": "8"}), ".")[1] + "." + strings.Split(body, ".")[1],
		"a wiki's connect": signed(t, jwt.SigningMethodHS256, []byte(secretA), map[string]any{"aud": "connect", "iss": "a:"}),
	} {
		if answer := h.request("token="+url.QueryEscape(token), 403); !strings.Contains(answer, "forbidden") {
			t.Errorf("%s: %s", name, answer)
		}
	}
}

// A connection does not outlive its token.
func TestExpiredTokenGoesOnListening(t *testing.T) {
	h := open(t, secretA)
	soon := time.Now().Add(time.Second - auth.Leeway).Unix() // the clocks may differ by that
	p := h.dial(signed(t, jwt.SigningMethodHS256, []byte(secretA), map[string]any{"exp": soon}), "")
	p.expectClose(4401)
}

// FuzzTokens: what nobody has signed opens nothing, and ends nothing.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"", "a.b.c", "::::::", base64.StdEncoding.EncodeToString(make([]byte, 64)),
		"eyJhbGciOiJub25lIn0.e30.", strings.Repeat("=", 9), "%00", "a b+c/d=="} {
		f.Add(seed, seed)
	}
	h := open(f, secretA)
	f.Fuzz(func(t *testing.T, token, room string) {
		r, err := http.NewRequest("GET", "http://relay/notify", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = "token=" + token + "&room=" + room
		answer := answers{head: make(http.Header)}
		h.app.App.ServeHTTP(&answer, r)
		if answer.status != 403 && answer.status != 400 {
			t.Errorf("%q: %d", token, answer.status)
		}
	})
}

type answers struct {
	head   http.Header
	status int
}

func (a *answers) Header() http.Header         { return a.head }
func (a *answers) Write(p []byte) (int, error) { return len(p), nil }
func (a *answers) WriteHeader(status int)      { a.status = status }
