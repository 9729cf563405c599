package conn

import (
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// envelope does what a classic frame says. A frame that is malformed, or that the sender may not send, is dropped: the mode has no error
// replies, and its scripts do not expect to be closed.
func (c *Conn) envelope(data []byte) {
	e, err := codec.ParseEnvelope(data, c.env.Limits.Limits)
	if err != nil {
		c.env.BadFrames.Add(1)
		c.env.Warn("malformed envelope", "malformed envelope", "error", err.Error(), "remote", c.remote())
		return
	}
	if e.From != "" {
		if !c.env.Hub.OnlyClient(&c.member, e.From) {
			c.refused(wire.OpRegister, "", notYours)
			return
		}
	}
	if e.Type == wire.TypeRegister {
		return
	}
	to, err := c.env.Auth.Send(c.identity, e.Type)
	if err == nil {
		err = c.spend()
	}
	if err == nil {
		_, err = c.publish(to, e)
	}
	if err != nil {
		c.refused(wire.OpSend, e.Type, err)
	}
}
