package auth_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/relaytest"
)

// fuzzNow is when the fuzzed tokens are looked at.
const fuzzNow = 1_800_000_000

// spelled is what a token says, read by hand and by encoding/json, and whether a key of its wiki has signed it with HS256.
type spelled struct {
	Iss, Sub, SID, Type string
	Aud                 any
	Iat, Exp            *json.Number
	signed              bool
}

func spell(token string, keys map[string][][]byte) (s spelled, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return s, false
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(p); err != nil {
			return s, false
		}
	}
	var header map[string]any
	if json.Unmarshal(raw[0], &header) != nil || json.Unmarshal(raw[1], &s) != nil {
		return s, false
	}
	for _, key := range keys[s.Iss] {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(parts[0] + "." + parts[1]))
		s.signed = s.signed || header["alg"] == "HS256" && header["kid"] == s.Iss && hmac.Equal(mac.Sum(nil), raw[2])
	}
	return s, true
}

// good reports whether the token is one of its wiki for that audience, at fuzzNow.
func (s *spelled) good(audience string) bool {
	list, _ := s.Aud.([]any)
	if !s.signed || s.Exp == nil || s.Aud != audience && (len(list) != 1 || list[0] != audience) {
		return false
	}
	const now = float64(fuzzNow)
	exp, _ := s.Exp.Float64()
	if exp <= now-60 || audience == "publish" && exp > now+120 {
		return false
	}
	if s.Iat == nil {
		return audience == "publish"
	}
	iat, _ := s.Iat.Float64()
	return iat <= now+60 && (audience == "publish" && exp-iat <= 60 || audience != "publish" && exp-iat <= 48*3600)
}

// tokenAuth is two wikis, one of them with an old key that still counts, and who is connected.
func tokenAuth(f *testing.F) (a *auth.Auth, keys map[string][][]byte, ids []auth.Identity) {
	f.Helper()
	old := bytes.Repeat([]byte("o"), auth.KeyBytes)
	more := map[string]any{"keys": []string{base64.StdEncoding.EncodeToString(old)}}
	a = &auth.Auth{Wikis: registry(f, relaytest.Wiki("a:", "https://a.example", false, more), relaytest.Wiki("b:", "https://b.example", true)),
		Now: func() time.Time { return time.Unix(fuzzNow, 0) }}
	keys = map[string][][]byte{"a:": {relaytest.Key("a:"), old}, "b:": {relaytest.Key("b:")}}
	for _, who := range [][2]string{{"a:", "Ann"}, {"a:", ""}, {"b:", "Ann"}} {
		id, err := a.Verify(validToken(who[0], "connect", who[1], ""), "connect")
		if err != nil {
			f.Fatal(err)
		}
		ids = append(ids, id)
	}
	anonymous, err := a.Anonymous("https://a.example")
	if err != nil {
		f.Fatal(err)
	}
	return a, keys, append(ids, anonymous)
}

func validToken(wiki, audience, user, typ string) string {
	return relaytest.Token(wiki, audience, user, map[string]any{"iat": fuzzNow, "exp": fuzzNow + 60, "type": typ, "sid": "s"})
}

var audiences = []string{"connect", "subscribe", "publish"}

// passes holds what the relay makes of a token against what the token says.
func passes(t *testing.T, a *auth.Auth, keys map[string][][]byte, ids []auth.Identity, token string) {
	t.Helper()
	s, readable := spell(token, keys)
	check := func(message string) {
		if len(token) > 20 && strings.Contains(message, token) || !oneLine(message) {
			t.Errorf("%q: error %q", token, message)
		}
	}
	for _, audience := range audiences {
		id, err := a.Verify(token, audience)
		if err != nil {
			check(err.Message)
			continue
		}
		if !readable || !s.good(audience) || id.Wiki != s.Iss || id.User != s.Sub || id.Session != s.SID || !id.Token {
			t.Errorf("%q passes for %s as %+v, but says %+v", token, audience, id, s)
		}
	}
	for i := range ids {
		_, err := a.Grant(&ids[i], s.Type, token)
		if err != nil {
			check(err.Message)
		} else if !readable || !s.good("subscribe") || !ids[i].Token || ids[i].Wiki != s.Iss || ids[i].User != s.Sub {
			t.Errorf("%q grants %+v, but says %+v", token, ids[i], s)
		}
		if _, err := a.Grant(&ids[i], s.Type+"x", token); err == nil {
			t.Errorf("%q grants another type than %q", token, s.Type)
		}
	}
}

// FuzzToken changes tokens that are valid.
func FuzzToken(f *testing.F) {
	for _, audience := range audiences {
		f.Add(validToken("a:", audience, "Ann", "a:T"))
	}
	f.Add("")
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIiwia2lkIjoiYToifQ.eyJpc3MiOiJhOiIsImF1ZCI6ImNvbm5lY3QifQ.")
	a, keys, ids := tokenAuth(f)
	f.Fuzz(func(t *testing.T, token string) { passes(t, a, keys, ids, token) })
}

// FuzzSignedToken signs whatever header and claims, so that what comes behind the signature is reached, too.
func FuzzSignedToken(f *testing.F) {
	const header, claims = `{"alg":"HS256","kid":"a:"}`, `{"iss":"a:","aud":"connect","sub":"Ann","iat":1800000000,"exp":1800000060}`
	for i, seed := range [][2]string{{header, claims},
		{header, `{"iss":"a:","aud":["subscribe"],"sub":"","type":"a:T","iat":1800000000,"exp":1800000060,"sid":"x"}`},
		{header, `{"iss":"a:","aud":"publish","exp":1800000060}`}, {`{"alg":"none","kid":"a:"}`, claims}, {`{"alg":"RS256","kid":"a:"}`, claims},
		{`{"alg":"HS512","kid":"a:"}`, claims}, {`{"alg":"HS256","kid":"b:"}`, claims}, {`{"alg":"HS256","kid":["a:"]}`, claims}, {`{"alg":"HS256"}`, claims},
		{header, `{"iss":"b:","aud":"connect","iat":1800000000,"exp":1800000060}`},
		{header, `{"iss":"a:","aud":["connect","publish"],"exp":1800000060}`},
		{header, `{"iss":"a:","aud":"connect","iat":1800000000,"exp":9e99}`},
		{header, `{"iss":"a:","aud":"connect","iat":-1e30,"exp":"1800000060"}`},
		{header, `{"iss":"a:","aud":"connect","iat":1799999941,"exp":1799999941}`},
		{header, `{"iss":"a:","aud":"connect","iat":1800000060,"exp":1800172860}`},
		{header, `{"iss":"a:","aud":"connect","iat":1800000000,"exp":1800000060,"allow":{"send":[]},"rights":["x"],"rate":{"count":-1}}`}} {
		f.Add(seed[0], seed[1], uint8(i))
		f.Add(seed[0], seed[1], uint8(0))
	}
	a, keys, ids := tokenAuth(f)
	signers := []func(text string) []byte{signer(sha256.New, keys["a:"][0]), signer(sha256.New, keys["a:"][1]), signer(sha256.New, keys["b:"][0]),
		signer(sha512.New, keys["a:"][0]), signer(sha256.New, nil), signer(sha256.New, []byte("a:")), func(string) []byte { return nil }}
	f.Fuzz(func(t *testing.T, header, claims string, how uint8) {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		passes(t, a, keys, ids, text+"."+base64.RawURLEncoding.EncodeToString(signers[int(how)%len(signers)](text)))
		// The other way round: with the same claims, written as wikis write them, a token passes whenever it may.
		var c struct {
			Sub, SID, Type string
			Iat, Exp       int64
		}
		json.Unmarshal([]byte(claims), &c) // what it holds of them
		for _, audience := range audiences {
			token := relaytest.Token("a:", audience, c.Sub, map[string]any{"sid": c.SID, "type": c.Type, "iat": c.Iat, "exp": c.Exp})
			s, _ := spell(token, keys)
			if _, err := a.Verify(token, audience); len(token) <= auth.TokenBytes && (err == nil) != s.good(audience) {
				t.Errorf("%s for %s: %v", claims, audience, err)
			}
		}
	})
}

func signer(h func() hash.Hash, key []byte) func(string) []byte {
	return func(text string) []byte {
		mac := hmac.New(h, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
}

// withKey puts a key into a registration wherever one may stand. No error may show it from there.
func withKey(pattern []byte) (body []byte, key string) {
	key = base64.StdEncoding.EncodeToString(relaytest.Key("a:"))
	for _, before := range []string{`"key":"`, `"key":["`, `"keys":"`, `"keys":["x","`} {
		pattern = bytes.ReplaceAll(pattern, []byte(before+"KEY"), []byte(before+key))
	}
	return pattern, key
}

// oneLine reports whether text is one line of the log or a terminal, whatever shows it.
func oneLine(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// FuzzRegistration: what is refused shows no key and says so in one line; what is taken is taken again, and is the same then.
func FuzzRegistration(f *testing.F) {
	for _, body := range []string{`{"key":"KEY"}`,
		`{"key":"KEY","origins":["https://a.example"],"private":true,"open":false,"anonymousSend":false}`,
		`{"key":"KEY","keys":["KEY"]}`, `{"key":"KEY","keys":["x","KEY"]}`,
		`{"key":"KEYKEY"}`, `{"key":["KEY"]}`, `{"key":"KEY","keys":"KEY"}`, `{"key":"KEY`, `{"key":"KEY\u0000"}`,
		`{"key":"KEY","types":[{"pattern":"a:*x","send":"right:edit","read":"user","token":true,"presence":true,"history":{"count":1,"seconds":2}}]}`,
		`{"key":"KEY","types":[{"pattern":"a**"}]}`, `{"key":"KEY","types":[{"pattern":"a","send":"a\n"}]}`,
		`{"key":"KEY","origins":["https://A.example:443/x"]}`,
		`{"key":"KEY","origins":["https://a\u202eB.example"]}`, `{"x":"KEY","kEy":"KEY"}`, `{"key":"KEY"}{}`, `{"key":"KEY","private":"KEY"}`} {
		f.Add("a:", []byte(body))
	}
	f.Add("a\u2028:", []byte(`{"key":"KEY"}`))
	f.Fuzz(func(t *testing.T, id string, pattern []byte) {
		body, key := withKey(pattern)
		wiki, err := auth.ParseWiki(id, body)
		if err != nil {
			if text := err.Error(); strings.Contains(text, key) || !oneLine(text) {
				t.Errorf("%q %q: error %q", id, body, text)
			}
			return
		}
		var members map[string]any
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("%q is taken, but encoding/json says %v", body, err)
		}
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		again, err := auth.ParseWiki(id, text)
		if err != nil {
			t.Fatalf("%q is taken, but written anew as %q: %v", body, text, err)
		}
		if !reflect.DeepEqual(exported(wiki), exported(again)) {
			t.Errorf("%q is %+v, but written anew as %q %+v", body, exported(wiki), text, exported(again))
		}
	})
}

// exported returns the wiki without what differs between two registrations that say the same.
func exported(w *auth.Wiki) auth.Wiki {
	return auth.Wiki{ID: w.ID, Keys: w.Keys, Origins: append([]string(nil), w.Origins...), Private: w.Private, Open: w.Open, Mute: w.Mute,
		Types: append([]auth.Policy(nil), w.Types...)}
}

// FuzzPolicy holds the pattern that counts for a type against the rule, spelled out: the type itself, or else of the patterns that match the one
// with the most bytes around the "*", of these the one with the most before it, and of these the first in the alphabet.
func FuzzPolicy(f *testing.F) {
	for _, seed := range [][2]string{{"a:Foo\na:*\na:Foo*", "a:Foo"}, {"a:*\na:F*\n*o", "a:Foo"}, {"*", ""}, {"a*b\nab\n*ab", "ab"}, {"x*\n*x", "xx"},
		{"ab*cd\na*bcd", "abbcd"}, {"é*\n*é", "éé"}, {"a*\na*", "ab"}, {"**", "x"}, {"*a\n*b", "xb"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, lines, typ string) {
		patterns := strings.Split(lines, "\n")
		got, err := auth.Find(patterns, typ)
		if err != nil {
			if !oneLine(err.Error()) {
				t.Errorf("%q: %q", patterns, err)
			}
			return
		}
		if want := naive(patterns, typ); got != want {
			t.Errorf("%q: %q counts for %q, want %q", patterns, got, typ, want)
		}
	})
}

func naive(patterns []string, typ string) string {
	if slices.Contains(patterns, typ) && !strings.Contains(typ, "*") {
		return typ
	}
	best := ""
	for _, p := range patterns {
		star := strings.Index(p, "*")
		matches := false
		for end := star + 1; star >= 0 && end <= len(typ); end++ { // the "*" stands for typ[star:end]
			matches = matches || typ[:end] == p[:star]+typ[star:end] && typ[end:] == p[star+1:]
		}
		before := strings.Index(best, "*")
		if matches && (best == "" || len(p) > len(best) || len(p) == len(best) && (star > before || star == before && p < best)) {
			best = p
		}
	}
	return best
}
