package conn

import (
	"math"
	"slices"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// What a connection may do can change while it is open: a wiki registers anew, a token is replaced or revoked. Whoever changes that first makes
// the change visible and then looks at all connections; a connection that gains something first takes it and then looks at what counts now.
// So one of the two sees the other.

// grant is a subscription token that a connection has shown.
type grant struct {
	auth.Grant
	warnAt time.Time
	warned bool // the client was told to show another
}

// allowed returns how the connection gets messages of type t. token is a subscription token, "" for none; the grant is nil when it takes none.
func (c *Conn) allowed(t, token string) (auth.Access, *grant, *wire.Error) {
	access, err := c.env.Auth.Subscribe(c.identity, t)
	switch {
	case err != nil:
		return auth.Access{}, nil, err
	case !access.Token:
		return access, nil, nil
	case token == "":
		return auth.Access{}, nil, wire.NewError(wire.Unauthorized, "this type needs a subscription token of the wiki")
	}
	g, err := c.env.Auth.Grant(c.identity, t, token)
	if err != nil {
		return auth.Access{}, nil, err
	}
	return access, &grant{Grant: g, warnAt: warnTime(time.Now(), g.Issued, g.Expires)}, nil
}

// setGrant remembers which token the subscription to t took, nil for none. It reports whether it had taken one before.
func (c *Conn) setGrant(t string, g *grant) (had bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, had = c.granted[t]
	if g == nil {
		delete(c.granted, t)
		return had
	}
	if c.granted == nil {
		c.granted = make(map[string]*grant)
	}
	c.granted[t] = g
	c.sock.stir()
	return had
}

// sweepGrants asks for new subscription tokens in time, and ends the subscriptions whose token has run out. It returns when the next one is due, in Unix
// nanoseconds.
func (c *Conn) sweepGrants(now time.Time) (next int64) {
	var warn, end []string
	next = math.MaxInt64
	c.mu.Lock()
	for t, g := range c.granted {
		switch {
		case !now.Before(g.Expires.Add(expireHold)):
			end = append(end, t)
		case !g.warned && !now.Before(g.warnAt):
			g.warned = true
			warn = append(warn, t)
		}
		if next = min(next, g.Expires.Add(expireHold).UnixNano()); !g.warned {
			next = min(next, g.warnAt.UnixNano())
		}
	}
	c.mu.Unlock()
	if warn == nil && end == nil {
		return next
	}
	for _, t := range warn {
		c.tell(wire.OpExpire, t)
	}
	for _, k := range c.member.Subscriptions() {
		if slices.Contains(end, k.Type) {
			c.endGrant(k, func(g *grant) bool { return !now.Before(g.Expires.Add(expireHold)) })
		}
	}
	return next
}

// tell sends a frame that is about a type.
func (c *Conn) tell(op, t string) {
	b := codec.AppendString(append(hub.NewFrame(32+len(t)), `{"op":`...), op)
	b = codec.AppendString(append(b, `,"type":`...), t)
	c.sock.Send(hub.Seal(append(b, '}')))
}

// hasGrant reports whether it is still this token that the subscription to t took.
func (c *Conn) hasGrant(t string, g *grant) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.granted[t] == g
}

// Recheck ends the connection, if it is one of pages or scripts of a wiki, when it would not be let in now, or a subscription of its is not what it would be
// given now, because the registered wikis have changed. Of types about which it may not ask who is there any more it is not told.
func (c *Conn) Recheck() {
	if c.mode == raw { // it is no wiki's
		return
	}
	c.mu.Lock()
	id, connected := c.identity, c.connected
	c.mu.Unlock()
	if connected && !c.env.Auth.Welcome(id, c.origin) {
		c.sock.end(wire.CloseUnauthorized)
		return
	}
	for _, k := range c.member.Subscriptions() {
		if t, ok := hub.Followed(k); ok {
			if now, err := c.mayAsk(id, t); err != nil || hub.Followers(now) != k {
				c.env.Hub.Leave(&c.member, k)
			}
			continue
		}
		now, err := c.env.Auth.Subscribe(id, k.Type)
		if err != nil || now.Key != k || !c.holds(id, k.Type, now) {
			c.sock.end(wire.CloseUnauthorized)
			return
		}
		if now.Presence {
			c.show()
		}
		c.appear(k)
	}
}

// Identity returns who the connection is.
func (c *Conn) Identity() auth.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.identity
}

// Carries reports whether the connection has that client.
func (c *Conn) Carries(client string) bool { return c.env.Hub.Carries(&c.member, client) }

// RevokeGrants ends the subscriptions that took a subscription token which was issued at before or earlier: that to the type, or all with "". It returns
// how many.
func (c *Conn) RevokeGrants(t string, before time.Time) (n int) {
	for _, k := range c.member.Subscriptions() {
		if (t == "" || t == k.Type) && c.endGrant(k, func(g *grant) bool { return g.Issued.Unix() <= before.Unix() }) {
			n++
		}
	}
	return n
}

// endGrant ends a subscription that took a subscription token, if the token is one of those, and tells the client.
func (c *Conn) endGrant(k engine.Key, those func(*grant) bool) bool {
	c.mu.Lock()
	g := c.granted[k.Type]
	ends := g != nil && those(g)
	if ends {
		delete(c.granted, k.Type)
	}
	c.mu.Unlock()
	if ends {
		c.env.Hub.Leave(&c.member, k)
		c.unfollow(k)
		c.appear(k)
		c.tell(wire.OpRevoked, k.Type)
	}
	return ends
}
