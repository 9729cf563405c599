package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/apps/notify"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/sockets"
)

func TestMain(m *testing.M) { leak.Main(m) }

// app is the app with its groups.
type app struct {
	*notify.App
	groups []*sockets.Group
}

func (a *app) connections() (n int) {
	for _, g := range a.groups {
		n += g.Len()
	}
	return n
}

func (a *app) inRooms() (n int) {
	for _, g := range a.groups {
		for _, c := range g.Conns() {
			n += len(c.Subscriptions())
		}
	}
	return n
}

// house is the app behind an HTTP server.
type house struct {
	t   testing.TB
	app *app
	url string
	ctx context.Context
}

func open(t testing.TB, secrets ...string) *house {
	return openWith(t, conn.DefaultLimits(), secrets...)
}

func openWith(t testing.TB, limits conn.Limits, secrets ...string) *house {
	t.Helper()
	a := new(app)
	group := func() *sockets.Group {
		g := sockets.New(sockets.Options{Limits: limits, Origins: []string{"*"}})
		a.groups = append(a.groups, g)
		return g
	}
	var err error
	if a.App, err = notify.New(notify.Config{Secrets: secrets, Group: group, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a)
	ctx, cancel := context.WithTimeout(context.Background(), leak.Patience)
	t.Cleanup(func() {
		for _, g := range a.groups {
			g.Close()
		}
		s.Close()
		cancel()
	})
	return &house{t, a, s.URL, ctx}
}

type peer struct {
	*websocket.Conn
	*house
}

// dial connects from a page of another origin. Without a room there is none in the URL.
func (h *house) dial(token, room string) *peer {
	h.t.Helper()
	query := "token=" + url.QueryEscape(token)
	if room != "" {
		query += "&room=" + url.QueryEscape(room)
	}
	return h.plain(query)
}

// plain connects with a query as it stands.
func (h *house) plain(query string) *peer {
	h.t.Helper()
	c, _, err := websocket.Dial(h.ctx, h.url+"?"+query, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://tsugi.example"}}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(-1)
	h.settle()
	return &peer{c, h}
}

// settle waits until everybody is in a room: a peer knows a moment earlier that it is connected.
func (h *house) settle() {
	h.t.Helper()
	for end := time.Now().Add(leak.Patience); h.app.inRooms() < h.app.connections(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("%d of %d connections are in a room", h.app.inRooms(), h.app.connections())
		}
	}
}

// request makes a handshake with a query as it stands, expects a status, and returns what the answer says.
func (h *house) request(query string, status int) string {
	h.t.Helper()
	q, err := http.NewRequestWithContext(h.ctx, "GET", h.url, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	q.URL.RawQuery = query
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
		q.Header.Set(name, value)
	}
	a, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		h.t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != status {
		h.t.Errorf("%.200q: %s, want %d", query, a.Status, status)
	}
	if a.StatusCode == http.StatusSwitchingProtocols {
		a.Body.Close()
		h.await("end", 0)
		return ""
	}
	text, err := io.ReadAll(a.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

func (h *house) await(what string, n int) {
	h.t.Helper()
	for end := time.Now().Add(leak.Patience); h.app.connections() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("%s: %d connections, want %d", what, h.app.connections(), n)
		}
	}
}

func (p *peer) say(text string) {
	p.t.Helper()
	if err := p.Write(p.ctx, websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) expect(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if typ, data, err := p.Read(p.ctx); err != nil || typ != websocket.MessageText || string(data) != text {
			p.t.Fatalf("got %v %.100q %v, want %.100q", typ, data, err, text)
		}
	}
}

// expectNothing fails the test when something has been sent to the connection before what a friend, one of the same room, says now.
func (p *peer) expectNothing(friend *peer) {
	p.t.Helper()
	friend.say("end")
	p.expect("end")
}

func (p *peer) expectClose(code int) {
	p.t.Helper()
	for {
		_, _, err := p.Read(p.ctx)
		if err == nil {
			continue
		}
		var end websocket.CloseError
		if !errors.As(err, &end) || int(end.Code) != code {
			p.t.Errorf("ended with %v, want %d", err, code)
		}
		return
	}
}

func token(t testing.TB, link string) string {
	return signed(t, jwt.SigningMethodHS256, []byte(secretA), map[string]any{"link_id": link})
}

func TestRooms(t *testing.T) {
	h := open(t, secretA)
	names := []string{"", "place_42", "place_43", "place_42 ", "ä ö/ü?&=#%+;::", "a\x00b", "a", strings.Repeat("r", 1024), "\xff", "<script>"}
	pairs := make([][2]*peer, len(names))
	for i, name := range names {
		pairs[i] = [2]*peer{h.dial(token(t, "7"), name), h.dial(token(t, "7"), name)}
	}
	for i, pair := range pairs {
		pair[0].say(fmt.Sprint("in room ", i))
	}
	for i, pair := range pairs {
		pair[1].expect(fmt.Sprint("in room ", i))
	}
	stranger, friend := h.dial(token(t, "77"), "place_42"), h.dial(token(t, "77"), "place_42") // 7 and "7place_42" must not be 77 and "place_42"
	pairs[1][0].say("secret")
	pairs[1][1].expect("secret")
	for _, pair := range pairs {
		pair[1].expectNothing(pair[0])
	}
	stranger.expectNothing(friend)
	h.request("token="+token(t, "7")+"&room="+strings.Repeat("r", 1025), 400)
	h.request("token="+token(t, "7")+"&room=a&room=b", 400)
}

// A room that a page has put into the URL as it stands is the same as the one that was encoded, as far as a URL can say.
func TestRoomThatIsNotEncodedForAURL(t *testing.T) {
	h := open(t, secretA)
	encoded := h.dial(token(t, "7"), "a;b=c")
	h.plain("token=" + token(t, "7") + "&room=a;b=c").say("x")
	encoded.expect("x")
	noName := h.plain("token=" + token(t, "7") + "&room=")
	h.dial(token(t, "7"), "").say("to those without a room")
	noName.expect("to those without a room")
}

// Who sends too much is not heard any more, and then closed; the others go on.
func TestFloodEndsTheFlooder(t *testing.T) {
	limits := conn.DefaultLimits()
	limits.Messages = conn.Rate{PerSecond: 0.001, Burst: 10}
	h := openWith(t, limits, secretA)
	rude, a, b := h.dial(token(t, "7"), "r"), h.dial(token(t, "7"), "r"), h.dial(token(t, "7"), "r")
	for i := range 21 {
		rude.say(fmt.Sprint(i))
	}
	rude.expectClose(4003)
	a.say("polite")
	for i := range 10 {
		b.expect(fmt.Sprint(i))
	}
	b.expect("polite")
}

// Who does not read holds up nobody, and is cut off.
func TestStuckReader(t *testing.T) {
	limits := conn.DefaultLimits()
	limits.OutboxBytes, limits.WriteTimeout = 64<<10, 200*time.Millisecond
	limits.Messages, limits.Bytes = conn.Rate{PerSecond: 1e6, Burst: 1e6}, conn.Rate{PerSecond: 1e9, Burst: 1e9}
	limits.Commands = limits.Messages
	h := openWith(t, limits, secretA)
	stuck, a, b := h.dial(token(t, "7"), "r"), h.dial(token(t, "7"), "r"), h.dial(token(t, "7"), "r")
	_ = stuck
	text := strings.Repeat("x", 10000)
	for i := 0; h.app.connections() == 3; i++ {
		a.say(text)
		b.expect(text)
	}
	a.say("still here")
	b.expect("still here")
}

// Whatever stage a connection breaks off at, nothing is left of it.
func TestConnectionsThatBreakOffLeaveNothing(t *testing.T) {
	h := open(t, secretA)
	for i := range 60 {
		p := h.dial(token(t, fmt.Sprint(i)), "r")
		switch i % 4 {
		case 0:
			p.CloseNow()
		case 1:
			p.say("x")
			p.CloseNow()
		case 2:
			p.Close(websocket.StatusNormalClosure, "")
		default:
			w, err := p.Writer(h.ctx, websocket.MessageText)
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte("half a message"))
			p.CloseNow()
		}
	}
	h.await("all have gone", 0)
}

func TestSettings(t *testing.T) {
	for _, row := range []struct {
		secrets []string
		want    string
	}{{nil, "--notify-secrets"}, {[]string{secretA, "short"}, "secret 2 of the Tsugi servers is shorter"}} {
		_, err := notify.New(notify.Config{Secrets: row.secrets, Group: func() *sockets.Group { return nil }, Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "short:") {
			t.Errorf("%v: %v", row.secrets, err)
		}
	}
	var log strings.Builder
	group := func() *sockets.Group { return nil }
	if _, err := notify.New(notify.Config{Secrets: []string{"opensource"}, Group: group, Log: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "everybody knows") {
		t.Errorf("the log says %q", log.String())
	}
}
