package sockets_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/sockets"
)

func TestOnePanicEndsOneConnection(t *testing.T) {
	codes := make(chan int, 1)
	handler := sockets.Handler{
		Opened: func(c *sockets.Conn) { c.Subscribe("room") },
		Message: func(c *sockets.Conn, m sockets.Message) {
			if string(m.Data) == "boom" {
				panic("boom")
			}
			c.Send(m)
		},
		Closed: func(_ *sockets.Conn, code int) { codes <- code },
	}
	h := open(t, sockets.Options{}, handler)
	rude, other := h.dial(), h.dial()
	other.ask("here") // before, it may not have been let into the room
	rude.say("boom")
	rude.expectClose(1011, "fault of the relay")
	if code := <-codes; code != 1011 {
		t.Error(code)
	}
	await(t, "one left", func() bool { return h.Len() == 1 })
	if n := h.Multicast("room", sockets.Text("x")); n != 1 {
		t.Errorf("%d got it", n)
	}
	other.expect("x")
	other.ask("still here")
	other.CloseNow()
	<-codes
}

// Programs may wait for something: those of other connections go on.
func TestHandlersThatWaitHoldUpNobody(t *testing.T) {
	release := make(chan struct{})
	var waiting atomic.Int32
	h := open(t, sockets.Options{}, sockets.Handler{
		Opened: func(c *sockets.Conn) { c.Send(sockets.Text("hello")) },
		Message: func(c *sockets.Conn, m sockets.Message) {
			if string(m.Data) == "wait" {
				waiting.Add(1)
				<-release
			}
			c.Send(m)
		}})
	peers := make([]*peer, 50) // more than are read at once
	for i := range peers {
		peers[i] = h.dial()
		peers[i].expect("hello")
		peers[i].say("wait")
	}
	await(t, "all wait", func() bool { return waiting.Load() == 50 })
	p := h.dial()
	p.expect("hello")
	p.ask("quick")
	close(release)
	for _, p := range peers {
		p.expect("wait")
	}
}

func TestIdleConnectionsHoldNoGoroutines(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere every connection keeps one")
	}
	h := open(t, sockets.Options{}, echo())
	h.dial().ask("join room") // what is begun with the first is there
	before := runtime.NumGoroutine()
	peers := make([]*peer, 100)
	for i := range peers {
		peers[i] = h.dial()
		peers[i].ask("join room")
	}
	// The peers' own library keeps a goroutine for each of them.
	await(t, "rest", func() bool { return runtime.NumGoroutine() <= before+len(peers)+20 })
	if n := h.Multicast("room", sockets.Text("x")); n != 101 {
		t.Errorf("%d got it", n)
	}
	for _, p := range peers {
		p.expect("x")
	}
}

func TestConnectionEndsWithItsTime(t *testing.T) {
	h := open(t, sockets.Options{}, sockets.Handler{Until: time.Now().Add(50 * time.Millisecond)})
	h.dial().expectClose(4401, "token expired or revoked")
}

// noise sends to everybody, and ends some, until it is stopped.
func (h *house) noise() (stop func()) {
	end := make(chan struct{})
	var loop sync.WaitGroup
	loop.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			default:
			}
			h.All(sockets.Text("noise"))
			for _, c := range h.Members("room") {
				if c.Send(sockets.Text("you")); n%50 == 0 {
					c.Close(1000, "")
				}
			}
			runtime.Gosched()
		}
	})
	return func() { close(end); loop.Wait() }
}

// Whatever happens at the same time, what is counted is right in the end, and everything ends.
func TestEverythingAtOnce(t *testing.T) {
	var opened, closed atomic.Int32
	h := open(t, sockets.Options{}, sockets.Handler{
		Opened: func(c *sockets.Conn) {
			opened.Add(1)
			c.Subscribe("room")
		},
		Message: func(c *sockets.Conn, m sockets.Message) {
			c.Group().Multicast("room", m, c)
			switch string(m.Data) {
			case "1":
				c.Unsubscribe("room")
			case "2":
				c.Subscribe("other")
				go c.Subscribe("room") // ends by itself
			case "3":
				c.Close(4000, "")
			}
		},
		Closed: func(c *sockets.Conn, _ int) {
			closed.Add(1)
			c.Subscribe("room")
			if c.Send(sockets.Text("x")) == nil {
				t.Error("sent to one that has ended")
			}
		},
	})
	stop := h.noise()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 25 {
				c, _, err := websocket.Dial(h.ctx, h.url, nil)
				if err != nil {
					t.Error(err)
					return
				}
				for i := range 5 {
					c.Write(h.ctx, websocket.MessageText, []byte(fmt.Sprint((i+n)%5)))
				}
				c.CloseNow()
			}
		})
	}
	all.Wait()
	stop()
	h.Close()
	if opened.Load() != 200 || closed.Load() != 200 || h.Len() != 0 || len(h.Members("room"))+len(h.Conns()) != 0 {
		t.Errorf("%d opened, %d closed, %d left, %d in the room", opened.Load(), closed.Load(), h.Len(), len(h.Members("room")))
	}
}

func TestCloseEndsAll(t *testing.T) {
	h := open(t, sockets.Options{}, echo())
	p := h.dial()
	p.ask("join room")
	done := make(chan struct{})
	go func() { h.Close(); h.Close(); close(done) }()
	p.expectClose(1001, "relay going away")
	<-done
	_, a, err := websocket.Dial(h.ctx, h.url, nil)
	if err == nil || a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%v %v", a, err)
	}
	if h.Len() != 0 || h.All(sockets.Text("x")) != 0 {
		t.Error("somebody is left")
	}
}

// A function that waits for its connection's end does not keep the group from closing.
func TestHandlerThatWaitsForTheEnd(t *testing.T) {
	g := sockets.New(sockets.Options{})
	waits := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.Accept(w, r, sockets.Handler{Message: func(c *sockets.Conn, _ sockets.Message) {
			close(waits)
			<-c.Context().Done()
		}})
	}))
	defer s.Close()
	c, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("x")); err != nil {
		t.Fatal(err)
	}
	<-waits
	g.Close()
}
