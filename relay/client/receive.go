package client

import (
	"context"
	"encoding/json"
	"sync/atomic"
)

// Message is a message as it comes from the relay. Its JSON is one object with these members; those that are empty are left out.
type Message struct {
	Type   string          `json:"type"`
	Msg    json.RawMessage `json:"msg,omitempty"`    // any JSON, as it was sent
	From   string          `json:"from,omitempty"`   // the sender's client id
	To     []string        `json:"to,omitempty"`     // nobody: everybody
	User   string          `json:"user,omitempty"`   // the sender's user name, which its wiki has vouched for; "" for visitors without an account
	Wiki   bool            `json:"wiki,omitempty"`   // a wiki has sent it, and no visitor
	Epoch  string          `json:"epoch,omitempty"`  // with Offset its position, see [Since]
	Offset uint64          `json:"offset,omitempty"` // rises within a type
}

// Text returns the text that Msg is, or "" when it is something else.
func (m Message) Text() string {
	var text string
	json.Unmarshal(m.Msg, &text)
	return text
}

// MissedError is the error of [Client.Receive] for messages of a type that may be lost to this program, if there is no [Options].Missed.
type MissedError struct{ Type string }

func (e *MissedError) Error() string {
	return "client: messages of " + e.Type + " may have been missed"
}

// Receive waits for the next message of the types that were subscribed to without a function, of all together. Where some may be missing it
// returns a [*MissedError], or calls [Options].Missed if there is one; it may be called again after that. Other errors are the context's and [Client.Err].
func (c *Client) Receive(ctx context.Context) (Message, error) {
	both, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(c.ctx, stop)()
	for {
		e, err := c.pulled.next(both)
		switch {
		case err != nil && ctx.Err() != nil:
			return Message{}, ctx.Err()
		case err != nil:
			return Message{}, c.Err()
		case e.message == nil && c.o.Missed == nil:
			return Message{}, &MissedError{e.typ}
		case e.message == nil:
			c.o.Missed(e.typ)
		case !e.handler.gone.Load():
			return *e.message, nil
		}
	}
}

type onlyOnce struct{ done atomic.Bool }

// first reports whether it is called for the first time.
func (o *onlyOnce) first() bool { return o.done.CompareAndSwap(false, true) }
