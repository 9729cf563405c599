package client

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

const (
	openPatience = 10 * time.Second
	frameBytes   = 2 << 20 // of the longest frame that is read: a relay takes publishes of up to 1 MiB
	noStatus     = 1006    // stands for a close without a code (RFC 6455, section 7.4.1)
)

// Config returns a session's configuration for Go programs, for those who want the session itself. HTTP, which may be nil, makes the handshakes.
func Config(client *http.Client) session.Config {
	return session.Config{
		Dial: func(url string, link *session.Link) (session.Socket, error) {
			return dial(client, url, link, new(hooks), new(sync.WaitGroup)), nil
		},
		Rand: rand.Float64,
		After: func(ms int, f func()) func() {
			t := time.AfterFunc(time.Duration(ms)*time.Millisecond, f)
			return func() { t.Stop() }
		},
		Limits: wire.DefaultLimits(),
	}
}

// socket is an open WebSocket, or one that is being opened. What is to be sent waits in a queue, so that nobody waits for the relay.
type socket struct {
	link   *session.Link
	hooks  *hooks
	cancel context.CancelFunc
	epoch  string // of the offsets; the reader's own

	mu     sync.Mutex
	more   sync.Cond
	queue  [][]byte
	open   bool
	closed bool // nothing is sent after what is queued
	code   int  // to close with
	reason string
	asked  map[int]asked  // connect and subscribe, to which there is no answer yet
	last   map[string]int // the last subscribe to a type, unless that was given up since
}

// asked is a command and, of a subscribe, what it is for.
type asked struct {
	*session.Command
	question <-chan struct{}
}

// dial begins to open a socket, whose goroutines all counts.
func dial(client *http.Client, url string, link *session.Link, h *hooks, all *sync.WaitGroup) *socket {
	ctx, cancel := context.WithCancel(context.Background())
	s := &socket{link: link, hooks: h, cancel: cancel, asked: make(map[int]asked), last: make(map[string]int)}
	s.more.L = &s.mu
	all.Go(func() { s.run(ctx, client, url) })
	return s
}

// run opens the socket and reads from it until it is closed.
func (s *socket) run(ctx context.Context, client *http.Client, url string) {
	defer s.cancel()
	opening, done := context.WithTimeout(ctx, openPatience)
	c, err := handshake(opening, client, url, nil, wire.Subprotocol)
	done()
	if err != nil {
		s.ended(err)
		return
	}
	defer c.CloseNow()
	s.mu.Lock()
	s.open = true
	s.mu.Unlock()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.write(ctx, c)
	}()
	s.link.Opened()
	for {
		typ, data, err := c.Read(ctx)
		if err != nil {
			s.ended(err)
			break
		}
		if f := decode(data, &s.epoch); f != nil && typ == websocket.MessageText {
			s.heard(f)
			s.link.Received(f)
		}
	}
	s.hooks.admitted.CompareAndSwap(s, nil)
	s.stop(noStatus, "")
	<-stopped
}

// write sends what is queued, until the socket is closed; then it says goodbye, when this side has closed it.
func (s *socket) write(ctx context.Context, c *websocket.Conn) {
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.closed {
			s.more.Wait()
		}
		queue := s.queue
		s.queue = nil
		closed := s.closed
		s.mu.Unlock()
		for _, frame := range queue {
			if c.Write(ctx, websocket.MessageText, frame) != nil {
				return // the reader finds out
			}
		}
		if closed {
			break
		}
	}
	if s.code != noStatus {
		c.Close(websocket.StatusCode(s.code), s.reason)
	}
}

// heard tells the hooks of an answer.
func (s *socket) heard(f *session.Frame) {
	s.mu.Lock()
	c := s.asked[f.ID]
	delete(s.asked, f.ID)
	s.mu.Unlock()
	switch {
	case c.Command == nil:
	case c.Op == wire.OpConnect:
		s.hooks.refused.Store(f.Error)
		if f.Error == nil {
			s.hooks.admitted.Store(s)
		}
	case f.Error == nil && s.hooks.subscribed != nil:
		f.Handled = func() {
			if s.isLast(c.Command) { // and not what the program has given up, or asked for anew, meanwhile
				s.hooks.subscribed(c.Type, c.question)
			}
		}
	}
}

func (s *socket) isLast(c *session.Command) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[c.Type] == c.ID
}

// ended tells the session how the socket ended.
func (s *socket) ended(err error) {
	code, reason := noStatus, err.Error()
	var closed websocket.CloseError
	var refused *Error
	switch {
	case errors.As(err, &closed):
		code, reason = int(closed.Code), closed.Reason
	case errors.As(err, &refused):
		s.hooks.refused.Store(refused)
		code, reason = wire.CloseOrigin.Code, refused.Message
	}
	s.link.Closed(code, reason)
}

// stop makes the writer stop, and reports whether there is one.
func (s *socket) stop(code int, reason string) (open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed, s.code, s.reason = true, code, reason
	}
	s.more.Broadcast()
	return s.open
}

// Send implements [session.Socket].
func (s *socket) Send(c *session.Command) {
	a := asked{Command: c}
	if c.Op == wire.OpSubscribe && s.hooks.question != nil {
		a.question = s.hooks.question(c.Type)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c.Op {
	case wire.OpConnect:
		s.asked[c.ID] = a
	case wire.OpSubscribe:
		s.asked[c.ID], s.last[c.Type] = a, c.ID
	case wire.OpUnsubscribe:
		delete(s.last, c.Type)
	}
	s.queue = append(s.queue, encode(c))
	s.more.Broadcast()
}

// Close implements [session.Socket]. It does not wait for the relay's answer.
func (s *socket) Close(code int, reason string) {
	s.hooks.admitted.CompareAndSwap(s, nil)
	if s.stop(code, reason) {
		time.AfterFunc(time.Second, s.cancel)
	} else {
		s.cancel()
	}
}

// Body returns what [session.Message] needs of a message: the frame without its id. key lets the relay know a repetition, from is a client of the session.
func Body(typ, from, key string, msg json.RawMessage, to []string) []byte {
	b, err := marshal(struct {
		Op   string          `json:"op"`
		Type string          `json:"type"`
		From string          `json:"from,omitempty"`
		Key  string          `json:"key,omitempty"`
		To   []string        `json:"to,omitempty"`
		Msg  json.RawMessage `json:"msg"`
	}{wire.OpSend, typ, from, key, to, msg})
	if err != nil {
		panic(err) // msg is no JSON: the caller's mistake
	}
	return b
}
