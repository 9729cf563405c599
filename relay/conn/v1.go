package conn

import (
	"slices"
	"strconv"
	"strings"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// command does what a v1 frame says and replies to it.
func (c *Conn) command(data []byte) {
	cmd, err := codec.ParseCommand(data, c.env.Limits.Limits)
	switch {
	case err != nil && err.Code != wire.UnknownOp:
		c.env.BadFrames.Add(1)
		c.refuse(cmd.ID, err)
		// A command that has an id is answered, and its sender learns what was wrong with it: it ends nothing for the other clients of the connection.
		if cmd.ID == 0 {
			c.bad++
		}
		if c.bad == badFrames {
			c.finish(wire.CloseBadProtocol)
		}
		return
	case err != nil:
	case cmd.Op == wire.OpConnect:
		err = c.connect(&cmd)
	case !c.connected:
		err = wire.NewError(wire.NotConnected, `"connect" comes first`)
	default:
		err = c.obey(&cmd)
	}
	if err != nil {
		c.refused(cmd.Op, cmd.Type, err)
		c.refuse(cmd.ID, err)
	}
}

func (c *Conn) obey(cmd *codec.Command) *wire.Error {
	switch cmd.Op {
	case wire.OpRegister:
		return c.register(cmd)
	case wire.OpRelease:
		c.env.Hub.RemoveClient(&c.member, cmd.Client)
		c.reply(cmd.ID, nil)
	case wire.OpSubscribe:
		return c.subscribe(cmd)
	case wire.OpUnsubscribe:
		return c.unsubscribe(cmd)
	case wire.OpSend:
		return c.sendMessage(cmd)
	case wire.OpPresence:
		return c.presence(cmd)
	case wire.OpRefresh:
		return c.refresh(cmd)
	case wire.OpPing:
		if !c.allowPing() {
			return nil
		}
		if cmd.ID != 0 {
			c.reply(cmd.ID, nil)
		} else {
			c.queue(append(hub.NewFrame(16), `{"op":"pong"}`...))
		}
	}
	return nil
}

// connect makes the connection somebody's. After a token that does not do, the connection is closed behind the error.
func (c *Conn) connect(cmd *codec.Command) *wire.Error {
	if c.connected {
		return wire.NewError(wire.BadRequest, "already connected")
	}
	id, err := c.identify(cmd.Token)
	why := wire.CloseUnauthorized
	switch {
	case err == auth.UnknownWiki:
		why = wire.CloseUnknownWiki
	case err == nil && id.Token && !c.env.Auth.FromOrigin(&id, c.origin):
		err, why = wire.NewError(wire.Forbidden, "this page's origin is not one of the token's wiki"), wire.CloseOrigin
		c.env.Warn("origin "+c.origin, "forbidden origin: add it to $wgWebSocketOrigins of the wiki", "origin", Cut(c.origin), "wiki", id.Wiki)
	case err == nil:
		err, why = c.admit(id.Wiki), wire.CloseFull
	}
	if err != nil {
		c.refused(cmd.Op, "", err)
		c.refuse(cmd.ID, err)
		c.finish(why)
		return nil
	}
	c.mu.Lock()
	c.identity, c.connected = &id, true
	c.mu.Unlock()
	c.sock.stir()
	if c.env.Auth.Revoked(&id) { // meanwhile
		c.finish(wire.CloseUnauthorized)
		return nil
	}
	c.env.Hub.SetOwner(&c.member, hub.Owner{Wiki: id.Wiki, User: id.User})
	for _, client := range cmd.Clients {
		c.env.Hub.AddClient(&c.member, client) // one that belongs to somebody else is left out: sending from it will be refused
	}
	ok := codec.AppendString([]byte(`"session":`), newSession())
	ok = codec.AppendString(append(ok, `,"wiki":`...), id.Wiki)
	ok = codec.AppendString(append(ok, `,"user":`...), id.User)
	ok = appendUint(append(ok, `,"ping":`...), uint64(c.env.Limits.PingInterval.Seconds()))
	if id.Token {
		ok = appendUint(append(ok, `,"expires":`...), uint64(id.Expires.Unix()))
	}
	c.reply(cmd.ID, ok)
	return nil
}

func (c *Conn) identify(token string) (auth.Identity, *wire.Error) {
	if token == "" {
		return c.env.Auth.Anonymous(c.origin)
	}
	return c.env.Auth.Verify(token, auth.AudienceConnect)
}

func (c *Conn) register(cmd *codec.Command) *wire.Error {
	if clients := c.env.Hub.Clients(&c.member); len(clients) >= c.env.Limits.Clients && !slices.Contains(clients, cmd.Client) {
		return wire.NewError(wire.Limit, "a connection carries at most "+strconv.Itoa(c.env.Limits.Clients)+" clients")
	}
	if !c.env.Hub.AddClient(&c.member, cmd.Client) {
		return notYours
	}
	c.reply(cmd.ID, nil)
	return nil
}

var notYours = wire.NewError(wire.Forbidden, "the client id belongs to a connection of another user")

func (c *Conn) sendMessage(cmd *codec.Command) *wire.Error {
	e := cmd.Envelope
	switch clients := c.env.Hub.Clients(&c.member); {
	case e.From != "" && !slices.Contains(clients, e.From):
		return wire.NewError(wire.Forbidden, `"from" is not a client of this connection`)
	case e.From == "" && len(clients) > 1:
		return wire.NewError(wire.BadRequest, `"from" is missing, and the connection has several clients`)
	case e.From == "" && len(clients) == 1:
		e.From = clients[0]
	}
	to, err := c.env.Auth.Send(c.identity, e.Type)
	if err == nil {
		err = c.spend()
	}
	if err != nil {
		return err
	}
	offset, err := c.publish(to, e)
	if err == nil {
		c.reply(cmd.ID, appendUint([]byte(`"offset":`), offset))
	}
	return err
}

// refresh takes a new token for the same wiki and user. When it does not allow what the connection has subscribed to, the connection ends.
func (c *Conn) refresh(cmd *codec.Command) *wire.Error {
	id, err := c.env.Auth.Verify(cmd.Token, auth.AudienceConnect)
	if err == nil && (!c.identity.Token || id.Wiki != c.identity.Wiki || id.User != c.identity.User) {
		err = wire.NewError(wire.Unauthorized, "the token is for another wiki or user than the connection")
	}
	if err != nil {
		c.refuse(cmd.ID, err)
		c.finish(wire.CloseUnauthorized)
		return nil
	}
	c.mu.Lock()
	c.identity, c.warned = &id, false
	c.mu.Unlock()
	c.sock.stir()
	if c.env.Auth.Revoked(&id) { // meanwhile
		c.finish(wire.CloseUnauthorized)
		return nil
	}
	c.reply(cmd.ID, appendUint([]byte(`"expires":`), uint64(id.Expires.Unix())))
	c.Recheck()
	return nil
}

// reply answers a command that has an id; members is what stands between the braces of "ok".
func (c *Conn) reply(id uint64, members []byte) {
	if id != 0 {
		c.queue(ok(id, members))
	}
}

// ok returns the reply that [Conn.reply] sends, to be sealed.
func ok(id uint64, members []byte) []byte {
	return codec.AppendOK(hub.NewFrame(40+len(members)), id, append(append([]byte{'{'}, members...), '}'))
}

func (c *Conn) refuse(id uint64, err *wire.Error) {
	c.queue(codec.AppendError(hub.NewFrame(80+len(err.Message)), id, err))
}

// queue queues a frame that is written with what else this connection has caused, before it reads on.
func (c *Conn) queue(frame []byte) { c.reader.delivery.Reply(&c.sock, hub.Seal(frame)) }

func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

// finish ends the connection behind what is queued.
func (c *Conn) finish(why wire.Close) {
	c.reader.delivery.Flush()
	c.sock.end(why)
}

// Cut returns a peer's text for the log: shortened, and without the one control character that slog does not escape.
func Cut(s string) string {
	const most = 256
	s = strings.ReplaceAll(s, "\x7f", `\x7f`)
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
