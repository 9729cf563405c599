package client

import (
	"context"

	"mediawiki-websocket/relay/wire"
)

// Presence is who subscribes to a type.
type Presence struct {
	Users     []string // by name, sorted, 1000 at most
	Anonymous int      // visitors without an account
	Count     int      // of all
}

// question is one to which the relay has not answered.
type question struct {
	typ    string
	answer chan presenceAnswer
}

type presenceAnswer struct {
	Presence
	err *Error
}

// Presence asks who subscribes to a type. Without a connection it waits for one. The error is a [*wire.Error] when the relay does not tell, the context's,
// or [Client.Err].
func (c *Client) Presence(ctx context.Context, typ string) (Presence, error) {
	if c.o.Classic {
		return Presence{}, wire.NewError(wire.BadRequest, "the classic mode has no presence")
	}
	if err := wire.CheckType(typ, wire.DefaultLimits().TypeBytes); err != nil {
		return Presence{}, err
	}
	if err := c.Err(); err != nil {
		return Presence{}, err
	}
	q := &question{typ, make(chan presenceAnswer, 1)}
	c.mu.Lock()
	c.asked++
	number := c.asked
	c.questions[number] = q
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.questions, number)
		c.mu.Unlock()
	}()
	c.mode.ask(number, typ)
	select {
	case a := <-q.answer:
		if a.err != nil {
			return Presence{}, a.err
		}
		return a.Presence, nil
	case <-ctx.Done():
		return Presence{}, ctx.Err()
	case <-c.ctx.Done():
		return Presence{}, c.Err()
	}
}

// present: the relay has answered.
func (c *Client) present(number int, p Presence, err *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q := c.questions[number]; q != nil {
		select {
		case q.answer <- presenceAnswer{p, err}:
		default: // asked twice, answered twice
		}
	}
}
