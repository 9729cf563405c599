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
	classicPing     = 25 * time.Second // the session's, as a relay names it
	classicPatience = 10 * time.Second // for the answer, and for a write
	classicLasting  = 10 * time.Second // a connection that held so long was good
	floodPause      = 5 * time.Second  // after it was closed for sending too fast
)

// classic is a client in classic mode: a loop that keeps a connection, with the session's waiting times.
type classic struct {
	*Client
	ended chan struct{} // the loop has

	mu   sync.Mutex
	conn *websocket.Conn // nil: there is none
	open chan struct{}   // closed when there is one
}

func openClassic(c *Client) *classic {
	m := &classic{Client: c, ended: make(chan struct{}), open: make(chan struct{})}
	go func() {
		defer close(m.ended)
		m.run()
	}()
	return m
}

// run connects, again and again, until the client ends.
func (m *classic) run() {
	failed, was, refused := 0, false, false
	for first := true; m.ctx.Err() == nil; first = false {
		c, err := m.connect()
		if err == nil {
			began := time.Now()
			err = m.serve(c, m.wasUp())
			if was = true; time.Since(began) >= classicLasting {
				failed = 0
			}
		}
		if m.ctx.Err() != nil {
			return
		}
		pause, lost := loss(err)
		if again := m.another(lost); again != nil && !refused {
			lost, refused = again, true
		} else {
			refused = false
		}
		if was || first || errors.As(lost, new(*Error)) {
			m.down(lost) // once, not for each further attempt
		} else {
			m.Client.mu.Lock()
			m.failed = lost
			m.Client.mu.Unlock()
		}
		was = false
		pause += time.Duration(session.Wait(failed, rand.Float64())) * time.Millisecond
		failed++
		select {
		case <-m.ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (m *classic) wasUp() bool {
	select {
	case <-m.first:
		return true
	default:
		return false
	}
}

// loss returns how long to wait at least when a connection has ended, and what its end means.
func loss(err error) (pause time.Duration, lost error) {
	var closed websocket.CloseError
	switch {
	case !errors.As(err, &closed):
		if refused := new(Error); errors.As(err, &refused) {
			return 0, refused
		}
		return 0, &Lost{Code: noStatus, Reason: err.Error()}
	case !wire.MayReconnect(int(closed.Code)):
		return 0, final(session.Ended{Code: int(closed.Code), Reason: closed.Reason}, nil)
	case int(closed.Code) == wire.CloseRateLimited.Code:
		return floodPause, &Lost{Code: int(closed.Code), Reason: closed.Reason}
	}
	return 0, &Lost{Code: int(closed.Code), Reason: closed.Reason}
}

// connect opens a connection and registers the client's id.
func (m *classic) connect() (*websocket.Conn, error) {
	ctx, done := context.WithTimeout(m.ctx, openPatience)
	defer done()
	token := m.o.Token
	if m.o.TokenFunc != nil {
		var err error
		if token, err = m.fetch(ctx); err != nil {
			return nil, err
		}
	}
	var header http.Header
	if token != "" {
		header = http.Header{"Authorization": {"Bearer " + token}}
	}
	c, err := handshake(ctx, m.o.HTTP, m.o.URL, header)
	if err == nil {
		err = c.Write(ctx, websocket.MessageText, jsonOf(map[string]string{"type": wire.TypeRegister, "from": m.id}))
		if err != nil {
			c.CloseNow()
		}
	}
	return c, err
}

// another returns a refused token as a loss, for which there may be a better one; nil: it is something else, or there is none.
func (m *classic) another(lost error) *Lost {
	refused := new(Error)
	if m.o.TokenFunc == nil || !errors.As(lost, &refused) || refused.Code != wire.Expired && refused.Code != wire.Unauthorized {
		return nil
	}
	return &Lost{Code: wire.CloseUnauthorized.Code, Reason: refused.Message, Refused: refused}
}

// fetch calls TokenFunc, and waits for it no longer than ctx: it may call Close.
func (m *classic) fetch(ctx context.Context) (token string, err error) {
	fetched := make(chan struct{})
	var text string
	var fault error
	go func() { // ends when the program's function does, whose context ends with the client
		defer close(fetched)
		text, fault = m.o.TokenFunc(ctx)
	}()
	select {
	case <-fetched:
		return text, fault
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// serve reads from a connection until that ends. again: messages may have been missed before.
func (m *classic) serve(c *websocket.Conn, again bool) error {
	defer c.CloseNow()
	m.mu.Lock()
	m.conn = c
	close(m.open)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.conn, m.open = nil, make(chan struct{})
		m.mu.Unlock()
	}()
	if again {
		for _, typ := range m.types() {
			m.missed(typ)
		}
	}
	m.up(Welcome{})
	ctx, stop := context.WithCancel(m.ctx)
	var pings sync.WaitGroup
	pings.Go(func() { m.probe(ctx, c) })
	defer pings.Wait()
	defer stop()
	for {
		typ, data, err := c.Read(context.Background()) // close ends it
		if err != nil {
			return err
		}
		if message := envelope(data); typ == websocket.MessageText && message != nil {
			m.deliver(message)
		}
	}
}

// probe ends the connection when the relay is silent, or the client has ended.
func (m *classic) probe(ctx context.Context, c *websocket.Conn) {
	tick := time.NewTicker(classicPing)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if m.ctx.Err() != nil {
				closeSoon(c)
			}
			return
		case <-tick.C:
			patience, done := context.WithTimeout(ctx, classicPatience)
			err := c.Ping(patience)
			done()
			if err != nil && ctx.Err() == nil {
				c.CloseNow()
			}
		}
	}
}

// closeSoon says goodbye, and waits a second for the answer at most.
func closeSoon(c *websocket.Conn) {
	stop := time.AfterFunc(time.Second, func() { c.CloseNow() })
	defer stop.Stop()
	c.Close(websocket.StatusNormalClosure, "")
}

func (m *classic) subscribe(typ string, _ Since) { m.subscribed(typ, m.question(typ)) }

func (m *classic) unsubscribe(string) {}

func (m *classic) ask(int, string) {}

func (m *classic) close() { <-m.ended }

// send waits for a connection and writes.
func (m *classic) send(ctx context.Context, typ string, msg []byte, to []string) error {
	frame := jsonOf(struct {
		Type string          `json:"type"`
		Msg  json.RawMessage `json:"msg"`
		From string          `json:"from"`
		To   []string        `json:"to,omitempty"`
	}{typ, msg, m.id, to})
	if len(frame) > wire.DefaultLimits().FrameBytes {
		return wire.NewError(wire.TooLarge, "the message is larger than the relay takes")
	}
	for {
		m.mu.Lock()
		c, open := m.conn, m.open
		m.mu.Unlock()
		if c != nil {
			writing, done := context.WithTimeout(ctx, classicPatience) // a write that is given up breaks the connection, which comes back
			err := c.Write(writing, websocket.MessageText, frame)
			done()
			if m.Err() != nil {
				return m.Err()
			}
			return err
		}
		select {
		case <-open:
		case <-ctx.Done():
			return ctx.Err()
		case <-m.ctx.Done():
			return m.Err()
		}
	}
}
