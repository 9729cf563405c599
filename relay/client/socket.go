// Package client gives Go programs the sockets that a session (package session, the one that browsers run) needs.
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

// Config returns a session's configuration for Go programs. HTTP, which may be nil, makes the handshakes.
func Config(client *http.Client) session.Config {
	return session.Config{
		Dial: func(url string, link *session.Link) (session.Socket, error) { return dial(client, url, link), nil },
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
	cancel context.CancelFunc

	mu     sync.Mutex
	more   sync.Cond
	queue  [][]byte
	closed bool // nothing is sent after what is queued
	code   int  // to close with
	reason string
}

func dial(client *http.Client, url string, link *session.Link) *socket {
	ctx, cancel := context.WithCancel(context.Background())
	s := &socket{link: link, cancel: cancel}
	s.more.L = &s.mu
	go s.run(ctx, client, url)
	return s
}

// run opens the socket and reads from it until it is closed.
func (s *socket) run(ctx context.Context, client *http.Client, url string) {
	defer s.cancel()
	opening, done := context.WithTimeout(ctx, openPatience)
	c, _, err := websocket.Dial(opening, url, &websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}, HTTPClient: client})
	done()
	if err != nil {
		s.ended(err)
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(frameBytes)
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
		if f := decode(data); f != nil && typ == websocket.MessageText {
			s.link.Received(f)
		}
	}
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

// ended tells the session how the socket ended.
func (s *socket) ended(err error) {
	code, reason := noStatus, err.Error()
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		code, reason = int(closed.Code), closed.Reason
	}
	s.link.Closed(code, reason)
}

// stop makes the writer stop.
func (s *socket) stop(code int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed, s.code, s.reason = true, code, reason
	}
	s.more.Broadcast()
}

// Send implements [session.Socket].
func (s *socket) Send(c *session.Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, encode(c))
	s.more.Broadcast()
}

// Close implements [session.Socket]. It does not wait for the relay's answer.
func (s *socket) Close(code int, reason string) {
	s.stop(code, reason)
	time.AfterFunc(time.Second, s.cancel) // also when it was never open
}

// Body returns what [session.Message] needs of a message: the frame without its id. key lets the relay know a repetition, from is a client of the session.
func Body(typ, from, key string, msg json.RawMessage, to []string) []byte {
	b, err := json.Marshal(struct {
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
