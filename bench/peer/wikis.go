//go:build linux

package peer

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/relay/auth"
)

// wikis is the wikis that the relay serves, by turns one to a room.
type wikis struct {
	keys   [][]byte
	tokens []string // for publishing
	until  []time.Time
}

func newWikis(n int) *wikis {
	w := &wikis{keys: make([][]byte, n), tokens: make([]string, n), until: make([]time.Time, n)}
	for i := range w.keys {
		w.keys[i] = make([]byte, auth.KeyBytes)
		rand.Read(w.keys[i])
	}
	return w
}

func (w *wikis) of(room int) int { return room % len(w.keys) }

func wikiID(n int) string { return "bench" + strconv.Itoa(n) + ":" }

// room returns the type that is a room's.
func (w *wikis) room(room int) []byte {
	b := strconv.AppendInt([]byte("bench"), int64(w.of(room)), 10)
	return strconv.AppendInt(append(b, ":room/"...), int64(room), 10)
}

// registrations is the member "wikis" of the relay's configuration: types are closed but for the declared ones, in which users may send.
func (w *wikis) registrations() map[string]any {
	all := make(map[string]any)
	for i, key := range w.keys {
		id := wikiID(i)
		types := []auth.Policy{{Pattern: id + "room/*", Send: auth.Users}}
		for n := range 10 {
			types = append(types, auth.Policy{Pattern: fmt.Sprintf("%sother%d/*", id, n), Read: auth.Users})
		}
		all[id] = map[string]any{"key": base64.StdEncoding.EncodeToString(key), "origins": []string{origin}, "open": false, "types": types}
	}
	return all
}

// connectToken returns a token as the wiki's pages carry it, for a user of its own, who may send as often as it likes if it is a publisher.
func (w *wikis) connectToken(c *gen.Conn) string {
	sid := make([]byte, 16)
	rand.Read(sid)
	most := 1200
	if c.Kind == gen.Publisher || c.Kind == gen.ShortWS {
		most = 1 << 30
	}
	return w.sign(w.of(c.Room), auth.AudienceConnect, time.Hour, jwt.MapClaims{"sub": "User " + strconv.Itoa(c.ID), "sid": hex.EncodeToString(sid),
		"allow": map[string][]string{"subscribe": {"*"}, "send": {"*"}, "presence": {"*"}}, "rate": auth.Rate{Count: most, Seconds: 60}})
}

// publishToken returns a token for the room's wiki, which is replaced each second, as PHP's are.
func (w *wikis) publishToken(room int) string {
	i, now := w.of(room), time.Now()
	if now.After(w.until[i]) {
		w.tokens[i], w.until[i] = w.sign(i, auth.AudiencePublish, 30*time.Second, jwt.MapClaims{"sub": ""}), now.Add(time.Second)
	}
	return w.tokens[i]
}

func (w *wikis) sign(wiki int, audience string, life time.Duration, claims jwt.MapClaims) string {
	now := time.Now()
	claims["iss"], claims["aud"], claims["iat"], claims["exp"] = wikiID(wiki), audience, now.Unix(), now.Add(life).Unix()
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	t.Header["kid"] = wikiID(wiki)
	text, err := t.SignedString(w.keys[wiki])
	if err != nil {
		panic(err) // HS256 signs with any key
	}
	return text
}
