package conn

import (
	"strconv"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// show says that others may see that the connection subscribes to one of its types. It comes before [Conn.appear].
func (c *Conn) show() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.present = true
}

// appear tells the engine of each key whether the connection is there for others to see. Whoever changes one of the facts that this depends on calls it
// afterwards, so that the last call sees them all.
func (c *Conn) appear(keys ...engine.Key) {
	c.mu.Lock()
	id, present := c.identity, c.present
	c.mu.Unlock()
	if !present {
		return
	}
	mu := &c.env.appearing[int(c.number)%len(c.env.appearing)]
	mu.Lock()
	defer mu.Unlock()
	p := engine.Person{User: id.User, Connection: uint64(c.number)}
	for _, k := range keys {
		if _, ok := hub.Followed(k); ok {
			continue
		}
		if access, err := c.env.Auth.Subscribe(id, k.Type); err == nil && access.Presence && access.Key == k && c.member.Subscribed(k) {
			c.env.Engine.Enter(k, p)
		} else {
			c.env.Engine.Exit(k, p)
		}
	}
}

// presence says who subscribes to a type, and begins or ends telling who comes and goes.
func (c *Conn) presence(cmd *codec.Command) *wire.Error {
	if cmd.Follow != nil && !*cmd.Follow {
		c.reader.yield() // leaving may have to wait for what is being sent
		for _, k := range c.member.Subscriptions() {
			if t, ok := hub.Followed(k); ok && t == cmd.Type {
				c.env.Hub.Leave(&c.member, k)
			}
		}
	}
	k, err := c.mayAsk(c.identity, cmd.Type)
	if err != nil {
		return err
	}
	if cmd.Follow != nil && *cmd.Follow {
		if err := c.follow(k); err != nil {
			return err
		}
	}
	// What has changed before has been told before the reply; what changes later, behind it.
	c.env.Hub.Still(&c.member, hub.Followers(k), c.reader.yield, func() {
		text := AppendPresent(nil, c.env.Engine.Present(k))
		if !c.sock.rates.replays.take(c.env.Limits.Replays, time.Now().UnixNano(), len(text)) {
			err = wire.NewError(wire.RateLimited, "this connection asks who is there more often than the relay can tell: wait a little")
			return
		}
		c.reply(cmd.ID, text)
	})
	return err
}

// mayAsk returns under which key it is to be found who subscribes to type t, or why the connection may not know.
func (c *Conn) mayAsk(id *auth.Identity, t string) (engine.Key, *wire.Error) {
	access, err := c.env.Auth.Presence(id, t)
	if err == nil && !c.holds(id, t, access) {
		err = wire.NewError(wire.Unauthorized, "this type needs a subscription token of the wiki: subscribe first")
	}
	return access.Key, err
}

func (c *Conn) follow(k engine.Key) *wire.Error {
	if _, followed := c.subscriptions(); followed >= c.env.Limits.Types && !c.member.Subscribed(hub.Followers(k)) {
		return wire.NewError(wire.Limit, "a connection follows who is there of at most "+strconv.Itoa(c.env.Limits.Types)+" types")
	}
	c.env.Hub.Join(&c.member, hub.Followers(k))
	again, err := c.mayAsk(c.identity, k.Type)
	if err == nil && again != k {
		err = wire.NewError(wire.Unavailable, "the wiki has just changed who may do what: ask again")
	}
	if err != nil {
		c.env.Hub.Part(&c.member, hub.Followers(k))
	}
	return err
}

// unfollow ends telling who comes to k and goes.
func (c *Conn) unfollow(k engine.Key) { c.env.Hub.Leave(&c.member, hub.Followers(k)) }

// AppendPresent appends the members of the answer to who is there: {"users":["A"],"anonymous":2,"count":3}
func AppendPresent(b []byte, p engine.Presence) []byte {
	b = append(b, `"users":[`...)
	for i, user := range p.Users {
		if i > 0 {
			b = append(b, ',')
		}
		b = codec.AppendString(b, user)
	}
	b = appendUint(append(b, `],"anonymous":`...), uint64(p.Anonymous))
	return appendUint(append(b, `,"count":`...), uint64(p.Count+p.Anonymous))
}

// Tell queues for those who follow who is there what has changed.
func Tell(d *hub.Delivery, change engine.Change) {
	op := wire.OpLeave
	if change.Joined {
		op = wire.OpJoin
	}
	b := append(hub.NewFrame(64+len(change.Key.Type)+len(change.User)), `{"op":"`...)
	b = codec.AppendString(append(append(b, op...), `","type":`...), change.Key.Type)
	if change.User != "" {
		b = codec.AppendString(append(b, `,"user":`...), change.User)
	} else {
		b = appendUint(append(b, `,"anonymous":`...), uint64(change.Anonymous))
	}
	if change.Crowd {
		b = appendUint(append(b, `,"count":`...), uint64(change.Count))
	}
	d.Tell(hub.Followers(change.Key), hub.Seal(append(b, '}')))
}
