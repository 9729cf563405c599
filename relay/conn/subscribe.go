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

// subscribe begins a subscription, or begins anew with one that is there, which is how a client asks for what only one of its pages has missed.
func (c *Conn) subscribe(cmd *codec.Command) *wire.Error {
	access, took, err := c.allowed(cmd.Type, cmd.Token)
	if err != nil {
		return err
	}
	k := access.Key
	if types, _ := c.subscriptions(); types >= c.env.Limits.Types && !c.member.Subscribed(k) {
		return wire.NewError(wire.Limit, "a connection subscribes to at most "+strconv.Itoa(c.env.Limits.Types)+" types")
	}
	c.setGrant(cmd.Type, took)
	if cmd.Since != nil {
		c.reader.delivery.Flush() // the room is for what was missed
	}
	c.env.Hub.Still(&c.member, k, c.reader.yield, func() {
		c.env.Engine.At(k, access.Keep, cmd.Since, func(missed engine.Missed) { err = c.join(cmd, k, took, &missed) })
	})
	if err != nil {
		c.setGrant(cmd.Type, nil)
		c.unfollow(k)
	}
	c.appear(k)
	return err
}

// join is the part of subscribe between two messages of k. Nothing of k is being sent to the connection.
func (c *Conn) join(cmd *codec.Command, k engine.Key, took *grant, missed *engine.Missed) *wire.Error {
	pending := c.env.Hub.Join(&c.member, k)
	again, _, err := c.allowed(cmd.Type, cmd.Token)
	if err == nil && (again.Key != k || !c.hasGrant(cmd.Type, took)) {
		err = wire.NewError(wire.Unavailable, "the wiki has just changed who may do what: subscribe again")
	}
	if err != nil {
		c.env.Hub.Part(&c.member, k)
		return err
	}
	if again.Presence {
		c.show()
	}
	frames, all := c.replay(missed)
	if cmd.Since != nil {
		c.env.tally(all, len(missed.Messages))
	}
	if cmd.ID != 0 {
		frames = append(hub.Seal(ok(cmd.ID, AppendPosition(nil, missed.Now, all))), frames...)
	}
	if cmd.Since == nil || !all || cmd.Since.Epoch == "" { // then nothing else makes up for it, for certain, and the reply's position covers it
		frames = append(pending, frames...)
	}
	if len(frames) > 0 {
		c.reader.delivery.Reply(&c.sock, frames) // in one piece: what others send comes before or behind
	}
	return nil
}

// replay returns the frames of the missed messages that are for the connection. all is false, and there are none, when some are gone, when one of
// them is for a client id of the connection and nobody knows whether it was meant for this user, when they would fill more than half of the outbox, or when
// the connection asks for more than it may: a page that fetches anew what it shows is better than one that is cut off.
func (c *Conn) replay(missed *engine.Missed) (frames []byte, all bool) {
	room := c.env.Limits.OutboxBytes/2 - c.sock.outstanding()
	wanted, size := missed.Messages[:0:0], 0
	for _, m := range missed.Messages {
		wants, meant := c.env.Hub.Wants(&c.member, m)
		if !wants {
			continue
		}
		if !meant {
			return nil, false
		}
		wanted = append(wanted, m)
		size += len(m.Msg) + len(m.Type)
	}
	if size > room || !c.sock.rates.replays.take(c.env.Limits.Replays, time.Now().UnixNano(), size) {
		return nil, false
	}
	for _, m := range wanted {
		if frames = hub.AppendMessage(frames, m); len(frames) > room {
			return nil, false
		}
	}
	return frames, missed.All
}

// tally counts a subscription since a position or a time.
func (e *Env) tally(all bool, messages int) {
	if !all {
		e.Lost.Add(1)
		return
	}
	e.Recovered.Add(1)
	e.Replayed.Add(uint64(messages))
}

// AppendPosition appends the members of the reply to a subscribe: "epoch":E,"offset":N,"recovered":true
func AppendPosition(b []byte, p codec.Position, all bool) []byte {
	b = codec.AppendString(append(b, `"epoch":`...), p.Epoch)
	b = appendUint(append(b, `,"offset":`...), p.Offset)
	return strconv.AppendBool(append(b, `,"recovered":`...), all)
}

func (c *Conn) unsubscribe(cmd *codec.Command) *wire.Error {
	c.reader.yield() // leaving may have to wait for what is being sent
	granted := c.setGrant(cmd.Type, nil)
	for _, k := range c.member.Subscriptions() {
		if k.Type != cmd.Type {
			continue
		}
		c.env.Hub.Leave(&c.member, k)
		if granted {
			c.unfollow(k)
		}
		c.appear(k)
	}
	c.reply(cmd.ID, nil)
	return nil
}

// subscriptions returns to how many types the connection has subscribed, and of how many it follows who is there.
func (c *Conn) subscriptions() (types, followed int) {
	for _, k := range c.member.Subscriptions() {
		if _, ok := hub.Followed(k); ok {
			followed++
		} else {
			types++
		}
	}
	return types, followed
}

// Subscriptions returns to how many types the connection has subscribed.
func (c *Conn) Subscriptions() int {
	types, _ := c.subscriptions()
	return types
}

// holds reports whether the connection has what it takes, besides the right, to get messages of type t: a token, if it takes one.
func (c *Conn) holds(id *auth.Identity, t string, access auth.Access) bool {
	if !access.Token {
		return true
	}
	c.mu.Lock()
	g := c.granted[t]
	c.mu.Unlock()
	return g != nil && c.env.Auth.Holds(id.Wiki, &g.Grant)
}
