// Package conn serves one WebSocket connection, in either mode of the protocol (package wire) or, raw, for a program that speaks a protocol of its own.
package conn

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

const (
	badFrames = 10 // a v1 connection ends with this one

	expireWarn   = 60 * time.Second // before a token's end, at the latest, the client is told to refresh it
	expireSpread = 10 * time.Minute // and at most so much earlier
	expireHold   = 60 * time.Second // after it the connection is still kept, for a client that is refreshing
)

// mode is what a connection speaks.
type mode uint8

const (
	v1 mode = iota
	classic
	raw // whatever its [Program] does
)

// Conn is one connection. Whoever serves it reads, and does what the frames say; the sweeper and the server look at it from outside. A relay has many that
// say nothing, so each field is as small as it can be; what fan-out touches comes first, side by side.
type Conn struct {
	member hub.Member
	sock   socket

	env    *Env
	reader *reader // while it is being served
	origin string
	home   string // the wiki that it counts for in Env.room; guarded by Env.mu
	place  int    // in Env.conns; guarded by Env.mu
	opened int64  // in Unix nanoseconds, as other times here
	number uint32 // tells it from others that have had the same descriptor

	resting  atomic.Bool // it has no goroutine; whoever makes it false sees to it that it is served
	watched  bool        // the poller knows its descriptor
	mode     mode
	admitted bool  // it counts in Env.room; guarded by Env.mu
	bad      uint8 // malformed frames

	connected bool // guarded by mu, as what follows; only the connection's own goroutine changes who it is
	warned    bool // the client was told that its token runs out
	present   bool // others may see that it subscribes to one of its types, or may have seen it
	mu        sync.Mutex
	identity  *auth.Identity    // which nobody changes
	granted   map[string]*grant // by types that it has subscribed to with a subscription token

	pinged int64 // the sweeper's own, as what follows
	warnAt int64 // when the client is told that its token runs out
	warnOf int64 // for the token that runs out then
}

// start begins to serve the connection, and reports whether it does: not when the relay is ending.
func (c *Conn) start() bool {
	var sees func(engine.Key) bool
	if c.mode == classic {
		c.connected = true
		sees = func(k engine.Key) bool { return c.env.Auth.Sees(c.identity, k) }
	}
	if c.mode != raw {
		c.member.Init(&c.sock, sees)
	}
	if c.sock.frames.deflate {
		c.member.TakeDeflated()
	}
	c.env.Hub.SetOwner(&c.member, hub.Owner{Wiki: c.identity.Wiki, User: c.identity.User})
	c.sock.seen.Store(c.opened)
	if !c.env.add(c) {
		c.sock.Close()
		c.dismiss()
		return false
	}
	if c.mode == classic && c.env.Auth.Revoked(c.identity) { // since the handshake was looked at
		c.sock.end(wire.CloseUnauthorized)
	}
	return true
}

// Close ends the connection with a close frame, after what is queued for it.
func (c *Conn) Close(why wire.Close) {
	c.sock.end(why)
	c.over()
}

// Abort ends the connection now, without a close frame.
func (c *Conn) Abort() {
	c.sock.abort()
	c.over()
}

// Wiki returns the wiki that the connection belongs to, "" when to none.
func (c *Conn) Wiki() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity.Wiki
}

// remote returns the peer's address, for the log.
func (c *Conn) remote() string { return c.sock.RemoteAddr().String() }

// Clients returns how many clients the connection carries.
func (c *Conn) Clients() int { return len(c.env.Hub.Clients(&c.member)) }

// Reconnect tells the client to come back after that time, when the mode has a word for it.
func (c *Conn) Reconnect(after time.Duration) {
	if c.mode == v1 {
		c.say(`{"op":"reconnect","after":`, uint64(after.Milliseconds()), "}")
	}
}

// warnTime chooses at random when the client of a token is told to refresh it: many pages may have one token, from a cache, and must not all ask the
// wiki at once.
func warnTime(now, issued, expires time.Time) time.Time {
	life := expires.Sub(issued)
	last := expires.Add(-min(expireWarn, life/4))
	if spread := min(life/10, expireSpread, last.Sub(now)); spread > 0 {
		last = last.Add(-mathrand.N(spread))
	}
	return last
}

func (c *Conn) say(before string, n uint64, after string) {
	b := append(hub.NewFrame(64), before...)
	c.sock.Send(hub.Seal(append(appendUint(b, n), after...)))
}

// publish hands e over to everybody who wants it, and returns its offset; for a repetition, which nobody gets, that is the first one's. e may alias the read
// buffer: delivering and keeping it copies it.
func (c *Conn) publish(to auth.Target, e codec.Envelope) (uint64, *wire.Error) {
	if !c.env.visitors.Allow(c.identity.Wiki, c.env.Limits.WikiMessages, 1) {
		return 0, wire.NewError(wire.RateLimited, "the visitors of this wiki send more than the relay takes")
	}
	m := engine.Message{Key: to.Key, Keep: to.Keep, Message: codec.Message{Envelope: e, User: c.identity.User}}
	if e.Key != "" { // no part but the user can have a NUL in it
		m.Dedup = "visitor\x00" + c.identity.Wiki + "\x00" + c.identity.User + "\x00" + e.From + "\x00" + e.Key
	}
	return c.env.Publish(&m, c.reader.deliver)
}

func newSession() string { return rand.Text() }
