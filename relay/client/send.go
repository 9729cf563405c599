package client

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync/atomic"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// keys makes the keys of messages, by which the relay knows a repetition.
type keys struct {
	prefix string
	last   *atomic.Uint64
}

func newKeys() keys { return keys{rand.Text(), new(atomic.Uint64)} }

func (k keys) next() string { return k.prefix + "-" + strconv.FormatUint(k.last.Add(1), 36) }

// Send sends a message, which can be anything that is or becomes JSON, to everybody who subscribes to the type, or to the clients named. It returns when the
// relay has taken it; when the connection is lost before, it is sent again on the next one and delivered once. In classic mode it returns when the
// message has left.
//
// The error is a [*wire.Error] when the relay refuses it, the context's, in which case it may still arrive, or [Client.Err].
func (c *Client) Send(ctx context.Context, typ string, msg any, to ...string) error {
	text, err := marshal(msg)
	if err != nil {
		return wire.NewError(wire.BadRequest, "the message is no JSON: "+err.Error())
	}
	if err := wire.CheckType(typ, wire.DefaultLimits().TypeBytes); err != nil {
		return err
	}
	if err := c.Err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.mode.send(ctx, typ, text, to)
}

// answer is what has become of a message.
type answer struct {
	offset uint64
	err    *Error
}

func (t *tab) send(ctx context.Context, typ string, msg []byte, to []string) error {
	body := Body(typ, t.id, t.keys.next(), msg, to)
	answered := make(chan answer, 1)
	t.session.Send(t.id, session.Message{Type: typ, Body: body, Bytes: len(body), Answered: func(offset uint64, err *Error) { answered <- answer{offset, err} }})
	select {
	case a := <-answered:
		if a.err != nil {
			return a.err
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.ctx.Done():
	}
	select {
	case a := <-answered: // just before
		if a.err == nil {
			return nil
		}
	default:
	}
	return t.Err()
}
