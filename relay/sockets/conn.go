package sockets

import (
	"context"
	"sync"
	"time"

	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire"
)

// Handler is what a server does with a connection. Each function may be nil. For one connection they are called one after the other, each from a goroutine
// that may wait, though not for Limits.PingTimeout (a minute): nothing of the peer is read meanwhile, not even that it is still there, and the connection ends
// with 4002. What takes longer belongs into a goroutine. A panic ends the connection with 1011, and no other.
type Handler struct {
	// Opened comes first, right after the handshake: it is the place to subscribe, and to send a first message. The peer may know a moment earlier that it is
	// connected; one that must know that it has subscribed is told here.
	Opened func(c *Conn)
	// Message is called for each message of the peer. Its Data are the function's to keep.
	Message func(c *Conn, m Message)
	// Closed comes last, when the connection is in no subscription any more. code is that of the close frame, the server's own or else the peer's; 0 without.
	Closed func(c *Conn, code int)
	// Until is when the connection ends with 4401, such as the end of a token; zero: never.
	Until time.Time
}

// Conn is a connection of a group.
type Conn struct {
	// Value is for the program alone. It can be set in Opened; who changes it later has to guard it.
	Value any

	group   *Group
	conn    *conn.Conn // from Opened on, and nobody has the connection before
	handler Handler

	mu    sync.Mutex
	ended bool
	life  *life // nil: nobody has asked for a context
}

type life struct {
	context.Context
	end context.CancelFunc
}

// ErrEnded is the error of [Conn.Send] when the connection has ended or is about to.
var ErrEnded = conn.ErrEnded

// Send sends m, and does not wait until the peer takes it: what it does not take is queued, up to Limits.OutboxBytes; beyond that the connection is
// closed with 4000. After an error, which is [ErrEnded], it is in no subscription any more.
func (c *Conn) Send(m Message) error { return c.conn.Push(m.frame()) }

// Subscribe makes the connection get what is sent to that name by [Group.Multicast]. Names are made up by whoever uses them; one without subscribers takes no
// memory. Once more does nothing.
func (c *Conn) Subscribe(name string) { c.conn.Join(c.group.key(name)) }

// Unsubscribe ends that. When it returns nothing more is sent; the peer may not have all of what was.
func (c *Conn) Unsubscribe(name string) { c.conn.Leave(c.group.key(name)) }

// Subscribed reports whether the connection has subscribed to that name.
func (c *Conn) Subscribed(name string) bool { return c.conn.Member().Subscribed(c.group.key(name)) }

// Subscriptions returns the names that the connection has subscribed to, in no particular order.
func (c *Conn) Subscriptions() (names []string) {
	for _, k := range c.conn.Member().Subscriptions() {
		if k.Wiki == c.group.names {
			names = append(names, k.Type)
		}
	}
	return names
}

// Close ends the connection behind what has been sent. A code that no server may send (RFC 6455, section 7.4) becomes 1000; of reason at most 123 bytes count.
// Handler.Closed comes later.
func (c *Conn) Close(code int, reason string) { c.conn.End(code, reason) }

// RemoteAddr returns the address of the peer, host and port. Behind a proxy that is the proxy.
func (c *Conn) RemoteAddr() string { return c.conn.RemoteAddr() }

// Group returns the group that the connection is in.
func (c *Conn) Group() *Group { return c.group }

// Context returns a context that ends when the connection takes nothing any more, before Handler.Closed. While a function of the handler waits nothing is
// read, so that a peer that goes away is found out as late as one that is silent; an end from this side is known at once.
func (c *Conn) Context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life == nil {
		ctx, end := context.WithCancel(context.Background())
		c.life = &life{ctx, end}
		if c.ended {
			end()
		}
	}
	return c.life.Context
}

// served is a connection as package conn sees it.
type served struct{ *Conn }

var _ conn.Program = served{}

func (s served) Opened(under *conn.Conn) {
	c := s.Conn
	c.conn = under
	under.Join(engine.Key{Wiki: c.group.every})
	if c.group.isShut() { // before it could be found
		under.Close(wire.CloseGoingAway)
	}
	if c.handler.Opened != nil {
		c.handler.Opened(c)
	}
}

func (s served) Message(_ *conn.Conn, data []byte, binary bool) {
	c := s.Conn
	if g := c.group; !g.quota.Allow("", g.env.Limits.WikiMessages, 1) {
		g.env.Warn("messages of "+g.name, "more messages than this program takes are dropped: raise wikiMessagesPerSecond", "program", g.name)
		return
	}
	if c.handler.Message != nil {
		c.handler.Message(c, Message{data, binary})
	}
}

func (s served) Gone(*conn.Conn) {
	c := s.Conn
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.life != nil {
		c.life.end()
	}
}

func (s served) Closed(_ *conn.Conn, code int) {
	c := s.Conn
	defer c.group.leave()
	if c.handler.Closed != nil {
		c.handler.Closed(c, code)
	}
}

func (g *Group) key(name string) engine.Key { return engine.Key{Wiki: g.names, Type: name} }
