// Package conn serves one WebSocket connection in either mode of the protocol (package wire).
package conn

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

const (
	badFrames  = 10               // a v1 connection ends with this one
	expireWarn = 60 * time.Second // before a token's end the client is told to refresh it
	expireHold = 60 * time.Second // after it the connection is still kept, for a client that is refreshing
	lingerFor  = time.Second      // how long a peer that broke the protocol may take to read why it was closed
)

// Conn is one connection. Its own goroutine reads, and does what the frames say; the sweeper and the server look at it from outside.
type Conn struct {
	env      *Env
	ws       *websocket.Conn
	sock     socket
	member   *hub.Member
	delivery *hub.Delivery
	deliver  func(*engine.Message)
	classic  bool
	origin   string
	remote   string
	opened   time.Time
	session  string // set by connect
	bad      int    // malformed frames
	place    int    // in Env.conns; guarded by Env.mu

	mu        sync.Mutex // guards what follows; only the connection's own goroutine changes it
	identity  auth.Identity
	connected bool
	warned    bool // the client was told that its token runs out

	pinged time.Time // the sweeper's own
}

func (c *Conn) start() {
	var sees func(engine.Key) bool
	if c.classic {
		c.connected = true
		sees = func(k engine.Key) bool { return c.env.Auth.Sees(&c.identity, k) }
	}
	c.member = hub.NewMember(&c.sock, sees)
	c.delivery = c.env.Hub.NewDelivery(c.member)
	c.deliver = c.delivery.Deliver
	c.sock.onRead = c.delivery.Flush
	c.sock.seen.Store(c.opened.UnixNano())
	if !c.env.add(c) {
		c.ws.CloseNow()
	}
}

// serve reads until the connection ends, and then takes it out of everything.
func (c *Conn) serve() {
	defer func() {
		c.env.Hub.Drop(c.member)
		c.delivery.Flush()
		c.ws.CloseNow()
		c.env.remove(c, c.closeCode())
	}()
	defer func() {
		if fault := recover(); fault != nil {
			c.sock.end(wire.CloseInternal)
			panic(fault) // for Env.catch
		}
	}()
	for {
		typ, r, err := c.ws.Reader(context.Background())
		if err == nil {
			err = c.read(typ, r)
		}
		if err != nil {
			c.linger(err)
			return
		}
	}
}

// readPool holds buffers for whole messages; what a message leaves behind is copied out of them.
var readPool = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// read reads one message and does what it says.
func (c *Conn) read(typ websocket.MessageType, r io.Reader) error {
	buf := readPool.Get().(*[]byte)
	defer readPool.Put(buf)
	b, limit := (*buf)[:0], c.env.Limits.FrameBytes
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if *buf = b; len(b) > limit {
			c.sock.end(wire.CloseTooLarge)
			_, err = io.Copy(io.Discard, r) // until the peer has seen it
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if at, _ := c.sock.sealedSince(); !at.IsZero() {
		return nil // closing: only the peer's close frame still counts
	}
	switch {
	case typ != websocket.MessageText:
		c.sock.end(wire.CloseBadProtocol)
	case !utf8.Valid(b):
		c.sock.end(wire.CloseNotUTF8)
	case c.classic:
		c.envelope(b)
	default:
		c.command(b)
	}
	c.delivery.Pace()
	return nil
}

// linger gives a peer whose frames the library could not go on with the time to read the close frame: to close a socket with unread input
// makes the kernel throw away what the peer has not read yet.
func (c *Conn) linger(err error) {
	if at, _ := c.sock.sealedSince(); at.IsZero() || c.sock.readErr != nil || websocket.CloseStatus(err) >= 0 {
		return
	}
	if c.sock.Conn.SetReadDeadline(time.Now().Add(lingerFor)) == nil {
		io.CopyN(io.Discard, c.sock.Conn, 1<<20)
	}
}

// closeCode returns the code that the connection ended with, as the relay sees it.
func (c *Conn) closeCode() int {
	_, verdict := c.sock.sealedSince()
	return verdict.Code
}

// Close ends the connection with a close frame, after what is queued for it.
func (c *Conn) Close(why wire.Close) { c.sock.end(why) }

// Abort ends the connection now, without a close frame.
func (c *Conn) Abort() { c.sock.abort() }

// Wiki returns the wiki that the connection belongs to, "" when to none.
func (c *Conn) Wiki() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity.Wiki
}

// Clients returns how many clients the connection carries.
func (c *Conn) Clients() int { return len(c.env.Hub.Clients(c.member)) }

// Reconnect tells the client to come back after that time, when the mode has a word for it.
func (c *Conn) Reconnect(after time.Duration) {
	if !c.classic {
		c.say(`{"op":"reconnect","after":`, uint64(after.Milliseconds()), "}")
	}
}

// Recheck ends the connection when a subscription of its is not what it would be given now, because the registered wikis have changed.
func (c *Conn) Recheck() {
	c.mu.Lock()
	id := c.identity
	c.mu.Unlock()
	for _, k := range c.member.Subscriptions() {
		if now, err := c.env.Auth.Subscribe(&id, k.Type); err != nil || now != k {
			c.sock.end(wire.CloseUnauthorized)
			return
		}
	}
}

// sweep does what is due at now.
func (c *Conn) sweep(now time.Time) {
	l := &c.env.Limits
	if at, _ := c.sock.sealedSince(); !at.IsZero() {
		if now.Sub(at) >= l.WriteTimeout {
			c.sock.abort()
		}
		return
	}
	seen := time.Unix(0, c.sock.seen.Load())
	silent := now.Sub(seen)
	c.mu.Lock()
	connected, expires, warned := c.connected, c.identity.Expires, c.warned
	c.warned = warned || !expires.IsZero() && !now.Add(expireWarn+c.env.SweepEvery()).Before(expires)
	warn := c.warned && !warned && !c.classic
	c.mu.Unlock()
	switch {
	case !connected && now.Sub(c.opened) >= l.ConnectTimeout:
		c.sock.end(wire.CloseNoConnect)
	case silent >= l.PingTimeout:
		c.sock.end(wire.ClosePingTimeout)
	case !expires.IsZero() && !now.Before(expires.Add(expireHold)):
		c.sock.end(wire.CloseUnauthorized)
	case silent >= l.PingInterval && now.Sub(c.pinged) >= l.PingInterval:
		c.pinged = now
		c.send(hub.Ping)
	}
	if warn {
		left := min(expireWarn, max(0, expires.Sub(now)+time.Second-1))
		c.say(`{"op":"expire","seconds":`, uint64(left/time.Second), "}")
	}
}

// send queues a frame and writes it, from outside of the connection's goroutine.
func (c *Conn) send(frame []byte) {
	if c.sock.Queue(frame) {
		c.sock.Flush()
	}
}

func (c *Conn) say(before string, n uint64, after string) {
	b := append(hub.NewFrame(64), before...)
	c.send(hub.Seal(append(appendUint(b, n), after...)))
}

// publish hands e over to everybody who wants it, and returns its offset. e may alias the read buffer: delivering it copies it.
func (c *Conn) publish(k engine.Key, e codec.Envelope) (uint64, *wire.Error) {
	m := engine.Message{Key: k, Message: codec.Message{Envelope: e, User: c.identity.User}}
	if err := c.env.Engine.Publish(&m, c.deliver); err != nil {
		c.env.Log.Error("publish", "error", err)
		return 0, wire.NewError(wire.Unavailable, "the relay cannot take messages now")
	}
	c.env.Published.Add(1)
	return m.Offset, nil
}

func newSession() string { return rand.Text() }
