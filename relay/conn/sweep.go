package conn

import (
	"math"
	"time"

	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
)

// sweep does what is due at now. Most connections have nothing due for a long time: of them it looks at no more than that, so that thousands cost nearly
// nothing. Whatever makes something due earlier calls [socket.stir].
func (c *Conn) sweep(now time.Time) {
	at := now.UnixNano()
	if at < c.sock.calm.Load() {
		return
	}
	next := c.look(now)
	c.sock.calm.Store(next)
	if c.sock.stirring() { // meanwhile, or still
		c.sock.stir()
	}
}

// look does what is due at now, and returns when it has to be called again, if nothing happens until then, in Unix nanoseconds.
func (c *Conn) look(now time.Time) (next int64) {
	l, at := &c.env.Limits, now.UnixNano()
	since := func(then int64) time.Duration { return time.Duration(at - then) }
	seen := c.sock.seen.Load()
	silent := since(seen)
	if sealed := c.sock.tend(silent); sealed != 0 {
		if since(sealed) >= l.WriteTimeout {
			c.sock.abort()
		}
		c.over()
		return 0
	}
	connected, expires, warn, warnAt := c.due(now)
	begun := c.sock.begun.Load()
	switch {
	case begun != 0 && since(begun) >= l.MessageTimeout:
		c.sock.end(wire.CloseIncomplete)
	case !connected && since(c.opened) >= l.ConnectTimeout:
		c.sock.end(wire.CloseNoConnect)
	case silent >= l.PingTimeout:
		c.sock.end(wire.ClosePingTimeout)
	case !expires.IsZero() && !now.Before(expires.Add(expireHold)):
		c.sock.end(wire.CloseUnauthorized)
	case silent >= l.PingInterval && since(c.pinged) >= l.PingInterval:
		c.pinged = at
		c.sock.Send(hub.Ping)
	}
	next = c.sweepGrants(now)
	if warn {
		left := max(0, expires.Sub(now)+time.Second-1)
		c.say(`{"op":"expire","seconds":`, uint64(left/time.Second), "}")
	}
	if !connected {
		next = min(next, c.opened+int64(l.ConnectTimeout))
	}
	if !expires.IsZero() {
		next = min(next, warnAt, expires.Add(expireHold).UnixNano())
	}
	return min(next, max(seen, c.pinged)+int64(l.PingInterval), seen+int64(l.PingTimeout))
}

// due returns whether the connection is connected, when its token runs out, whether now is the moment to say so, and otherwise when it will be.
func (c *Conn) due(now time.Time) (connected bool, expires time.Time, warn bool, warnAt int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	expires = c.identity.Expires
	if expires.IsZero() || c.mode != v1 {
		return c.connected, expires, false, math.MaxInt64
	}
	if of := expires.UnixNano(); of != c.warnOf {
		c.warnOf, c.warnAt = of, warnTime(now, c.identity.Issued, expires).Add(-c.env.SweepEvery()).UnixNano()
	}
	if c.warned {
		return c.connected, expires, false, math.MaxInt64
	}
	c.warned = now.UnixNano() >= c.warnAt
	return c.connected, expires, c.warned, c.warnAt
}

// stir makes the sweeper look at the connection.
func (s *socket) stir() { s.calm.Store(0) }

// stirring reports whether something is under way that the sweeper must look at every time. Who begins that calls stir afterwards.
func (s *socket) stirring() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.staying || s.last != nil || s.begun.Load() != 0
}
