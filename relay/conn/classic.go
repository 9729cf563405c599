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
		c.drop("malformed envelope", err)
		return
	}
	if e.From != "" {
		c.env.Hub.OnlyClient(c.member, e.From)
	}
	if e.Type == wire.TypeRegister {
		return
	}
	k, err := c.env.Auth.Send(&c.identity, e.Type)
	if err == nil {
		_, err = c.publish(k, e)
	}
	if err != nil {
		c.drop("envelope not forwarded", err)
	}
}

func (c *Conn) drop(what string, err *wire.Error) {
	c.env.Warn(what, what, "error", err.Error(), "remote", c.remote)
}
