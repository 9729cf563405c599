package sockets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/sockets"
)

func TestMain(m *testing.M) { leak.Main(m) }

// house is a group behind an HTTP server.
type house struct {
	*sockets.Group
	t   *testing.T
	url string
	ctx context.Context
}

func open(t *testing.T, o sockets.Options, h sockets.Handler) *house {
	g := sockets.New(o)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.Accept(w, r, h) }))
	ctx, cancel := context.WithTimeout(context.Background(), leak.Patience)
	t.Cleanup(func() {
		g.Close()
		s.Close()
		cancel()
		http.DefaultClient.CloseIdleConnections()
	})
	return &house{g, t, s.URL, ctx}
}

// peer is a connection to a house from outside.
type peer struct {
	*websocket.Conn
	*house
}

func (h *house) dial(protocols ...string) *peer {
	h.t.Helper()
	c, _, err := websocket.Dial(h.ctx, h.url, &websocket.DialOptions{Subprotocols: protocols})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(-1)
	return &peer{c, h}
}

func (p *peer) say(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if err := p.Write(p.ctx, websocket.MessageText, []byte(text)); err != nil {
			p.t.Fatal(err)
		}
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

func (p *peer) expectClose(code int, reason string) {
	p.t.Helper()
	for {
		_, _, err := p.Read(p.ctx)
		if err == nil {
			continue
		}
		var end websocket.CloseError
		if !errors.As(err, &end) || int(end.Code) != code || end.Reason != reason {
			p.t.Errorf("ended with %v, want %d %q", err, code, reason)
		}
		return
	}
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(leak.Patience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it was waited for too long: %s", what)
		}
	}
}

// echo answers, and does what "join NAME" and "leave NAME" say.
func echo() sockets.Handler {
	return sockets.Handler{Message: func(c *sockets.Conn, m sockets.Message) {
		if word, name, ok := strings.Cut(string(m.Data), " "); ok && word == "join" {
			c.Subscribe(name)
		} else if ok && word == "leave" {
			c.Unsubscribe(name)
		}
		c.Send(m)
	}}
}

// ask sends and waits for the echo.
func (p *peer) ask(text string) {
	p.t.Helper()
	p.say(text)
	p.expect(text)
}

func TestMessagesArriveAsTheyWereSent(t *testing.T) {
	h := open(t, sockets.Options{}, echo())
	p := h.dial()
	long := strings.Repeat("ä", 20000)
	p.say("", "x", long)
	p.expect("", "x", long)
	for _, data := range [][]byte{nil, {0, 0xff, 0xfe, 0x80}, bytes.Repeat([]byte{0xc3}, 1<<16)} {
		if err := p.Write(h.ctx, websocket.MessageBinary, data); err != nil {
			t.Fatal(err)
		}
		if typ, got, err := p.Read(h.ctx); err != nil || typ != websocket.MessageBinary || !bytes.Equal(got, data) {
			t.Fatalf("got %v, %d bytes, %v", typ, len(got), err)
		}
	}
	w, err := p.Writer(h.ctx, websocket.MessageText) // in fragments
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.Write([]byte(strings.Repeat("a", 5000)))
	}
	w.Close()
	p.expect(strings.Repeat("a", 15000))
}

func TestMulticast(t *testing.T) {
	h := open(t, sockets.Options{}, echo())
	a, b, c := h.dial(), h.dial(), h.dial()
	for _, p := range []*peer{a, b} {
		p.ask("join room")
		p.ask("join room") // once is enough
	}
	c.ask("join other")
	if n := h.Multicast("room", sockets.Text("to the room")); n != 2 {
		t.Errorf("%d got it", n)
	}
	if n := h.Multicast("nobody", sockets.Text("x")) + h.Multicast("", sockets.Text("x")); n != 0 {
		t.Errorf("%d got it who have not subscribed", n)
	}
	members := h.Members("room")
	if len(members) != 2 || len(h.Members("nobody")) != 0 || len(h.Conns()) != 3 || h.Len() != 3 {
		t.Fatalf("%d members, %d connections", len(members), h.Len())
	}
	a.expect("to the room")
	b.expect("to the room")
	one := members[0]
	if n := h.Multicast("room", sockets.Text("but one"), one, one, nil); n != 1 {
		t.Errorf("%d got it", n)
	}
	if n := h.All(sockets.Text("to all"), members...); n != 1 {
		t.Errorf("%d got it", n)
	}
	c.expect("to all")
	if err := one.Send(sockets.Text("only you")); err != nil {
		t.Error(err)
	}
	got := make(map[string]int)
	for _, p := range []*peer{a, b} {
		_, data, err := p.Read(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		got[string(data)]++
	}
	if got["but one"] != 1 || got["only you"] != 1 {
		t.Error(got)
	}
	b.ask("leave room")
	if n := h.Multicast("room", sockets.Text("last")); n != 1 {
		t.Errorf("%d got it", n)
	}
	a.expect("last")
	b.ask("nothing before this")
	a.Close(4321, "")
	await(t, "end", func() bool { return h.Len() == 2 })
	if len(h.Members("room")) != 0 || h.Multicast("room", sockets.Text("x")) != 0 {
		t.Error("who has gone is still there")
	}
}

func TestOneGroupHearsNothingOfAnother(t *testing.T) {
	a, b := open(t, sockets.Options{}, echo()), open(t, sockets.Options{}, echo())
	p, q := a.dial(), b.dial()
	p.ask("join room")
	q.ask("join room")
	if a.Multicast("room", sockets.Text("a")) != 1 || b.Multicast("room", sockets.Text("b"), a.Members("room")...) != 1 || a.All(sockets.Text("A")) != 1 {
		t.Error("not one each")
	}
	p.expect("a", "A")
	q.expect("b")
	q.ask("nothing before this")
}

// A peer that does not read is ended, and is in no subscription any more; nobody else waits or misses anything.
func TestFailedSendUnsubscribes(t *testing.T) {
	var ended atomic.Int32
	handler := echo()
	handler.Closed = func(c *sockets.Conn, code int) { ended.Store(int32(code)) }
	limits := conn.DefaultLimits()
	limits.OutboxBytes, limits.WriteTimeout = 64<<10, 200*time.Millisecond
	h := open(t, sockets.Options{Limits: limits}, handler)
	stuck, quick := h.dial(), h.dial()
	stuck.ask("join room")
	them := h.Members("room")[0]
	quick.ask("join room")
	text, sent := strings.Repeat("x", 10000), 0
	for ; h.Multicast("room", sockets.Text(text)) == 2; sent++ {
		quick.expect(text)
	}
	quick.expect(text)
	if len(h.Members("room")) != 1 || sent == 0 {
		t.Errorf("%d members after %d messages", len(h.Members("room")), sent)
	}
	if err := them.Send(sockets.Text("x")); err != sockets.ErrEnded {
		t.Errorf("send: %v", err)
	}
	them.Subscribe("room")
	if h.Multicast("room", sockets.Text("after")) != 1 {
		t.Error("who has ended has subscribed again")
	}
	quick.expect("after")
	<-them.Context().Done()
	await(t, "end", func() bool { return ended.Load() == 4000 })
}

func TestCloseSaysWhy(t *testing.T) {
	codes := make(chan int, 10)
	h := open(t, sockets.Options{}, sockets.Handler{
		Opened: func(c *sockets.Conn) { c.Value = c.RemoteAddr() },
		Message: func(c *sockets.Conn, m sockets.Message) {
			code := 0
			fmt.Sscan(string(m.Data), &code)
			c.Send(sockets.Text(c.Value.(string)))
			c.Close(code, strings.Repeat("ü", 100))
			c.Close(1000, "too late")
			if c.Send(m) != sockets.ErrEnded {
				t.Error("sent after the end")
			}
		},
		Closed: func(c *sockets.Conn, code int) {
			if c.Context().Err() == nil || len(c.Group().Members("x")) != 0 {
				t.Error("closed before the end")
			}
			codes <- code
		},
	})
	for said, want := range map[string]int{"3000": 3000, "4999": 4999, "1000": 1000, "1006": 1000, "5000": 1000, "-1": 1000, "66536": 1000} {
		p := h.dial()
		p.say(said)
		if _, data, err := p.Read(h.ctx); err != nil || !strings.HasPrefix(string(data), "127.0.0.1:") {
			t.Errorf("%q %v", data, err)
		}
		p.expectClose(want, strings.Repeat("ü", 61))
		if got := <-codes; got != want {
			t.Errorf("%s: closed with %d", said, got)
		}
	}
	h.dial().Close(4321, "bye")
	if got := <-codes; got != 4321 {
		t.Errorf("the peer's code: %d", got)
	}
	h.dial().CloseNow()
	if got := <-codes; got != 0 {
		t.Errorf("without a code: %d", got)
	}
}

func TestLimitsAreThoseOfTheRelay(t *testing.T) {
	limits := conn.DefaultLimits()
	limits.FrameBytes, limits.Messages, limits.Fragments = 1000, conn.Rate{PerSecond: 0.001, Burst: 5}, 2
	h := open(t, sockets.Options{Limits: limits}, echo())
	p := h.dial()
	p.ask(strings.Repeat("x", 1000))
	p.say(strings.Repeat("x", 1001))
	p.expectClose(1009, "frame too large")
	p = h.dial()
	p.Write(h.ctx, websocket.MessageText, []byte("a\xff"))
	p.expectClose(1007, "not UTF-8")
	p = h.dial()
	w, _ := p.Writer(h.ctx, websocket.MessageBinary)
	for range 3 {
		w.Write(bytes.Repeat([]byte{1}, 300)) // each is a frame
	}
	w.Close()
	p.expectClose(1008, "too many fragments")
	p = h.dial()
	for i := range 10 { // five pass, five are dropped
		p.say(fmt.Sprint(i))
	}
	p.expect("0", "1", "2", "3", "4")
	p.say("one too many")
	p.expectClose(4003, "rate limited")
}

func TestGroupHasABucketOfItsOwn(t *testing.T) {
	limits := conn.DefaultLimits()
	limits.WikiMessages = conn.Rate{PerSecond: 0.001, Burst: 3}
	h := open(t, sockets.Options{Limits: limits}, echo())
	a, b := h.dial(), h.dial()
	a.ask("1")
	b.ask("2")
	a.ask("3")
	b.say("dropped")
	h.All(sockets.Text("end"))
	b.expect("end")
}

// What a program says that is no UTF-8 would make browsers close the connection.
func TestTextIsMadeUTF8(t *testing.T) {
	h := open(t, sockets.Options{}, sockets.Handler{Opened: func(c *sockets.Conn) {
		c.Send(sockets.Text("a\xff\xfeb"))
		c.Send(sockets.Message{Data: []byte("a\xff"), Binary: true})
	}})
	p := h.dial()
	p.expect("a\ufffdb")
	if typ, data, err := p.Read(h.ctx); typ != websocket.MessageBinary || string(data) != "a\xff" {
		t.Error(typ, data, err)
	}
}
