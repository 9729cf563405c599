package conn_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire"
)

// house is a relay with little room.
type house struct {
	*conn.Env
	t   *testing.T
	url string
	ctx context.Context
}

func newHouse(t *testing.T, capacity int, wikis ...string) *house {
	var list []*auth.Wiki
	for _, id := range wikis {
		list = append(list, relaytest.Wiki(id, "https://wiki.example", false))
	}
	registered, _, err := auth.OpenWikis("", list)
	if err != nil {
		t.Fatal(err)
	}
	env := &conn.Env{Limits: conn.DefaultLimits(), Auth: &auth.Auth{Wikis: registered}, Hub: hub.New(), Engine: faulty{engine.NewMemory()},
		Log: slog.New(slog.DiscardHandler), Warn: func(string, string, ...any) {}, Capacity: capacity}
	env.Sweep(time.Now())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := conn.Accept(w, r, env, auth.Identity{Wiki: r.URL.Query().Get("wiki")}); err != nil {
			conn.WriteError(w, http.StatusServiceUnavailable, err)
		}
	}))
	ctx, cancel := context.WithTimeout(context.Background(), leak.Patience)
	t.Cleanup(func() {
		env.Shut() // a peer may have the answer to its handshake before its connection is one of all
		for _, c := range env.All() {
			c.Abort()
		}
		env.Wait()
		s.Close()
		cancel()
	})
	return &house{env, t, s.URL, ctx}
}

// come connects to a wiki, "" for none, and returns nil when there was no room.
func (h *house) come(wiki string) *websocket.Conn {
	h.t.Helper()
	c, _, err := websocket.Dial(h.ctx, h.url, &websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		h.t.Fatal(err)
	}
	token := ""
	if wiki != "" {
		token = relaytest.Token(wiki, "connect", "", nil)
	}
	c.Write(h.ctx, websocket.MessageText, []byte(`{"id":1,"op":"connect","token":"`+token+`"}`))
	_, reply, err := c.Read(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	if strings.HasPrefix(string(reply), `{"id":1,"ok":`) {
		return c
	}
	if _, _, err := c.Read(h.ctx); !strings.Contains(string(reply), `"unavailable"`) || websocket.CloseStatus(err) != 1013 {
		h.t.Errorf("refused with %s and %v", reply, err)
	}
	return nil
}

// script connects a classic connection and reports whether there was room.
func (h *house) script(wiki string) bool {
	_, answer, err := websocket.Dial(h.ctx, h.url+"?wiki="+wiki, nil)
	if err != nil && (answer == nil || answer.StatusCode != http.StatusServiceUnavailable) {
		h.t.Error(err)
	}
	return err == nil
}

// fill connects to a wiki until it is refused, and returns the connections.
func (h *house) fill(wiki string) (all []*websocket.Conn) {
	for c := h.come(wiki); c != nil; c = h.come(wiki) {
		all = append(all, c)
	}
	return all
}

// leave closes a connection and waits until it does not count any more.
func (h *house) leave(c *websocket.Conn) {
	h.t.Helper()
	before, _ := h.Counted()
	c.CloseNow()
	h.await(before - 1)
}

func (h *house) await(known int) {
	h.t.Helper()
	for end := time.Now().Add(leak.Patience); ; time.Sleep(time.Millisecond) {
		n, wikis := h.Counted()
		if n == known {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("%d connections count, want %d: %v", n, known, wikis)
		}
	}
}

func TestOneWikiKeepsTheOthersOut(t *testing.T) {
	h := newHouse(t, 16, "a:", "b:", "c:", "d:")
	a := h.fill("a:")
	if len(a) != 12 {
		t.Errorf("one wiki has %d of 16 places, want three quarters", len(a))
	}
	b := h.fill("b:")
	if len(b) != 4 {
		t.Errorf("the second has %d, want the last quarter", len(b))
	}
	h.leave(a[0])
	if h.come("a:") != nil || h.come("b:") != nil {
		t.Error("a wiki with its share took the last place")
	}
	if h.come("c:") == nil {
		t.Error("a wiki with less than its share was refused while there was room")
	}
	for _, c := range a[1:5] {
		h.leave(c)
	}
	if n := len(h.fill("a:")); n != 0 {
		t.Errorf("a crowd got %d more places when it had still more than its share, and the relay was nearly full", n)
	}
	if n := len(h.fill("d:")); n != 4 {
		t.Errorf("the fourth wiki got %d of its 4 places", n)
	}
}

// Wikis that come first and take what there is give it up for those that come later.
func TestWikisThatComeLaterGetNothing(t *testing.T) {
	h := newHouse(t, 20, "a:", "b:", "c:", "d:", "e:")
	for _, wiki := range []string{"a:", "b:", "c:", "d:", "e:"} {
		if n := len(h.fill(wiki)); n < 4 {
			t.Errorf("%s has %d of its 4 places", wiki, n)
		}
	}
	if known, wikis := h.Counted(); known != 20 || wikis["a:"] != 4 {
		t.Errorf("%d connections count: %v", known, wikis)
	}
	if !h.Full() || h.come("a:") != nil {
		t.Error("a place too many")
	}
}

func TestWikiAloneMayHaveAllTheRoom(t *testing.T) {
	h := newHouse(t, 16, "a:")
	if a := h.fill("a:"); len(a) != 16 {
		t.Errorf("%d of 16", len(a))
	}
	if !h.Full() {
		t.Error("not full")
	}
}

func TestScriptsOfNoWikiKeepTheWikisOut(t *testing.T) {
	h := newHouse(t, 16, "a:")
	n := 0
	for h.script("") {
		n++
	}
	if n != 12 {
		t.Errorf("scripts without a wiki have %d of 16 places", n)
	}
	if h.come("") != nil {
		t.Error("pages without a wiki count as another wiki")
	}
	for range 4 { // 4 places are free, and 4 the scripts have to give back
		if !h.script("a:") || h.come("a:") == nil {
			t.Error("the wiki was kept out")
		}
	}
	if h.script("a:") {
		t.Error("a place too many")
	}
}

// A count that is off by one with every broken connection closes the relay in the end.
func TestBrokenConnectionsUseUpTheRoom(t *testing.T) {
	h := newHouse(t, 1000, "a:", "b:")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 40 {
				wiki := []string{"a:", "b:", ""}[n%3]
				c := h.come(wiki)
				if c == nil {
					t.Error("no room")
					return
				}
				switch rand.N(5) {
				case 0:
					c.Close(websocket.StatusNormalClosure, "")
				case 1:
					c.Write(h.ctx, websocket.MessageText, []byte(`{"op":"connect"}`)) // twice
					c.CloseNow()
				case 2:
					c.Write(h.ctx, websocket.MessageText, []byte(`{"type":"boom"}`)) // a fault in the relay
					c.Read(h.ctx)
				case 3:
					c.Write(h.ctx, websocket.MessageBinary, nil) // a fault of the peer
					c.CloseNow()
				default:
					c.CloseNow()
				}
				bad, _ := http.NewRequestWithContext(h.ctx, "GET", fmt.Sprintf("%s?wiki=%s", h.url, wiki), nil)
				answer, err := http.DefaultClient.Do(bad) // a classic handshake that is none
				if err != nil || answer.Body.Close() != nil || answer.StatusCode != 426 {
					t.Error(answer, err)
				}
			}
		})
	}
	all.Wait()
	h.await(0)
	if _, wikis := h.Counted(); len(wikis) != 0 {
		t.Errorf("counted still: %v", wikis)
	}
	http.DefaultClient.CloseIdleConnections()
}
