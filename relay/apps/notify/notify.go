// Package notify is the notification server that pages of Tsugi (https://www.tsugi.org) connect to: GET URL?token=TOKEN&room=ROOM.
//
// Messages have no envelope: what a connection sends, text or binary, goes to the others of the same space and room as it is, and never back. The space comes
// from the token: it is one activity (link) of one Tsugi server (wwwroot). The room is any name that the pages agree on, of at most 1024 bytes; those without
// one are together, too. Servers with other secrets have other spaces, whatever their tokens say.
//
// The token decides who may connect, from whatever origin: it is in the URL because pages cannot send headers along, and comes from the server with the page.
// What is wrong with a token is not said: the answer is 403. There are two kinds:
//
//   - Tsugi's own: the text wwwroot::link_id::context_id::user_id, with key = SHA-256(secret) as base64(iv[16] ‖ HMAC-SHA-256(key, ciphertext ‖ iv) ‖ ciphertext),
//     where the ciphertext is AES-256-CBC with PKCS#7 padding. It never expires: who has it can come back until the secret is another.
//   - A JWT (RFC 7519), signed with the secret by HS256: "aud" is "notify", "wwwroot" and "link_id" are the space, "exp" is needed; others, such as "context_id" and
//     "sub", are not looked at. The connection ends with 4401 when the token does. It opens the same space as Tsugi's own.
package notify

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/sockets"
	"mediawiki-websocket/relay/wire"
)

const (
	audience  = "notify"
	roomBytes = 1024
	parts     = 4 // of the text in a token of Tsugi's own
	secretMin = 8 // characters; $CFG->websocket_secret of Tsugi's example has ten

	example = "opensource" // and everybody knows it
)

// Config is what the app is told.
type Config struct {
	Secrets []string              // $CFG->websocket_secret of the Tsugi servers; those that share one are one server
	Group   func() *sockets.Group // makes a group, one for each secret; it must let in all origins ("*")
	Log     *slog.Logger
}

// server is the Tsugi servers that have one secret.
type server struct {
	group  *sockets.Group
	secret []byte
	key    [sha256.Size]byte
}

// App is the app, at whatever URL.
type App struct {
	servers []server
	parser  *jwt.Parser
	leeway  time.Duration
}

// New returns the app, or an error for the operator, which shows no secret.
func New(c Config) (*App, error) {
	if len(c.Secrets) == 0 {
		return nil, errors.New("notify needs the secret of a Tsugi server: --notify-secrets FILE")
	}
	a := &App{leeway: auth.Leeway, parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(auth.Leeway))}
	for i, secret := range c.Secrets {
		if len(secret) < secretMin {
			return nil, fmt.Errorf("secret %d of the Tsugi servers is shorter than %d characters: anybody could find it out; make one with openssl rand -hex 32",
				i+1, secretMin)
		}
		if secret == example {
			c.Log.Warn("a Tsugi server has the secret of Tsugi's example, which everybody knows: set another $CFG->websocket_secret")
		}
		a.servers = append(a.servers, server{c.Group(), []byte(secret), sha256.Sum256([]byte(secret))})
	}
	return a, nil
}

// ServeHTTP answers the handshake.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, room, ok := parameters(r.URL.RawQuery)
	if !ok || len(room) > roomBytes {
		conn.WriteError(w, http.StatusBadRequest, wire.NewError(wire.BadRequest,
			fmt.Sprintf("one token, and at most one room of at most %d bytes: ?token=…&room=…", roomBytes)))
		return
	}
	space, ok := a.open(token)
	if !ok {
		a.servers[0].group.Warn("notify token", "bad token: compare $CFG->websocket_secret with --notify-secrets, and the clocks", "remote", r.RemoteAddr)
		conn.WriteError(w, http.StatusForbidden, wire.NewError(wire.Forbidden, "the token is missing or not valid"))
		return
	}
	name := subscription(space, room)
	space.server.group.Accept(w, r, sockets.Handler{
		Until:   space.until,
		Opened:  func(c *sockets.Conn) { c.Value = name; c.Subscribe(name) },
		Message: pass,
	})
}

// pass hands a message on to the others.
func pass(c *sockets.Conn, m sockets.Message) { c.Group().Multicast(c.Value.(string), m, c) }

// parameters returns what the query says, as PHP reads it: a semicolon separates nothing, and what is not encoded as it should be is left as it is. ok is
// false when something is there twice: then it would depend on the reader what it says.
func parameters(query string) (token, room string, ok bool) {
	seen := make(map[string]bool)
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "token" && name != "room" {
			continue
		}
		if seen[name] {
			return "", "", false
		}
		seen[name] = true
		if text, err := url.QueryUnescape(value); err == nil {
			value = text
		}
		if name == "token" {
			token = value
		} else {
			room = value
		}
	}
	return token, room, true
}

// space is what a token opens.
type space struct {
	server        *server
	wwwroot, link string
	until         time.Time // zero: for ever
}

// open looks at a token with all secrets, so that the time it takes says nothing about any.
func (a *App) open(token string) (found space, ok bool) {
	isJWT := strings.Count(token, ".") == 2
	sealed := unpack(token)
	for i := range a.servers {
		s := &a.servers[i]
		if isJWT {
			if sp, good := a.openJWT(s, token); good {
				found, ok = sp, true
			}
		} else if sp, good := s.open(sealed); good {
			found, ok = sp, true
		}
	}
	return found, ok
}

// sealed is a token of Tsugi's own, in its parts.
type sealed struct{ iv, mac, text []byte }

// unpack takes a token of Tsugi's own apart; what it cannot take apart has no text. A plus sign that was not encoded for the URL has become a blank.
func unpack(token string) sealed {
	b, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(strings.ReplaceAll(token, " ", "+"), "="))
	if head := aes.BlockSize + sha256.Size; err == nil && len(b) > head && (len(b)-head)%aes.BlockSize == 0 {
		return sealed{b[:aes.BlockSize], b[aes.BlockSize:head], b[head:]}
	}
	return sealed{iv: make([]byte, aes.BlockSize)}
}

// open decrypts only what the server has signed: nobody learns anything from how the rest of it goes wrong.
func (s *server) open(t sealed) (sp space, ok bool) {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write(t.text)
	mac.Write(t.iv)
	if !hmac.Equal(mac.Sum(nil), t.mac) || len(t.text) == 0 {
		return sp, false
	}
	block, err := aes.NewCipher(s.key[:])
	if err != nil {
		panic(err) // the key has its size
	}
	text := make([]byte, len(t.text))
	cipher.NewCBCDecrypter(block, t.iv).CryptBlocks(text, t.text)
	text, ok = unpad(text)
	words := strings.Split(string(text), "::")
	if !ok || len(words) != parts || words[0] == "" || words[1] == "" {
		return sp, false
	}
	return space{server: s, wwwroot: words[0], link: words[1]}, true
}

// unpad takes the padding off (PKCS#7: RFC 5652, section 6.3).
func unpad(b []byte) ([]byte, bool) {
	n := int(b[len(b)-1])
	if n < 1 || n > aes.BlockSize {
		return nil, false
	}
	for _, p := range b[len(b)-n:] {
		if int(p) != n {
			return nil, false
		}
	}
	return b[:len(b)-n], true
}

// claims is what counts of a JWT. link_id is a string, as the parts of Tsugi's own are.
type claims struct {
	Wwwroot string `json:"wwwroot"`
	Link    string `json:"link_id"`
	jwt.RegisteredClaims
}

func (a *App) openJWT(s *server, token string) (sp space, ok bool) {
	var c claims
	_, err := a.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.secret, nil })
	if err != nil || c.Wwwroot == "" || c.Link == "" {
		return sp, false
	}
	return space{s, c.Wwwroot, c.Link, c.ExpiresAt.Add(a.leeway)}, true
}

// subscription returns the name of a room of a space. It is short, however long theirs are, and no others have it.
func subscription(s space, room string) string {
	h := sha256.New()
	for _, part := range []string{s.wwwroot, s.link, room} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return string(h.Sum(nil))
}
