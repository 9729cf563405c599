package client

import (
	"context"
	"errors"
	"slices"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
	"mediawiki-websocket/wasmclient/session"
)

// Since is what a program has had of a type: everything up to a position, which Epoch and Offset of a [Message] are, or everything before a Time in Unix
// seconds. The zero value is a program that wants nothing from before.
type Since = session.Since

// ParseSince reads EPOCH:OFFSET or Unix seconds; "" is the zero value.
func ParseSince(text string) (since Since, err error) {
	had, fault := codec.ParseSince(text)
	switch {
	case fault != nil:
		return since, fault
	case had == nil:
		return since, nil
	}
	return Since{Epoch: had.Epoch, Offset: had.Offset, Time: had.Time}, nil
}

// topic is a type that the program wants.
type topic struct {
	handlers []*handler
	verdict  *verdict
}

// verdict is what the relay says to one question for a type.
type verdict struct {
	said chan struct{} // closed then
	err  *Error        // it has refused
}

func newVerdict() *verdict { return &verdict{said: make(chan struct{})} }

func (a *verdict) refused() bool {
	select {
	case <-a.said:
		return a.err != nil
	default:
		return false
	}
}

var errLate = errors.New("client: since is for the first subscription to a type; this one is there already")

// Subscribe gets the messages of a type, also those since, as far as the relay keeps them; [Options].Missed is told when that is not far enough. It returns
// when the relay has answered: from then on no message is left out silently. f is called for each message, in their order; with nil they are for
// [Client.Receive]. A type can be subscribed to many times. When the subscription has failed since, see [Options].Failed, the relay is asked again, for all
// of them.
//
// The error is a [*wire.Error] when the relay refuses, or the context's; then it is as if nothing had been asked for. unsubscribe ends it: f is not called
// any more then, though it may be running. Calling it twice does nothing.
func (c *Client) Subscribe(ctx context.Context, typ string, since Since, f func(Message)) (unsubscribe func(), err error) {
	if err := wire.CheckType(typ, wire.DefaultLimits().TypeBytes); err != nil {
		return nil, err
	}
	if c.o.Classic && since != (Since{}) {
		return nil, wire.NewError(wire.BadRequest, "the classic mode has no history: since must be zero")
	}
	h := &handler{f: f}
	t, a, err := c.want(typ, since, h)
	if err != nil {
		return nil, err
	}
	var once onlyOnce
	unsubscribe = func() {
		if once.first() {
			c.forgo(typ, t, h)
		}
	}
	select {
	case <-a.said:
		if a.err != nil {
			err = a.err
		}
	case <-c.ctx.Done():
		err = c.Err()
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		unsubscribe()
		return nil, err
	}
	return unsubscribe, nil
}

// want adds a handler, and with the first the subscription.
func (c *Client) want(typ string, since Since, h *handler) (*topic, *verdict, error) {
	c.order.Lock()
	defer c.order.Unlock()
	if err := c.Err(); err != nil {
		return nil, nil, err
	}
	t, a, again, err := c.enter(typ, since, h)
	if again {
		c.mode.unsubscribe(typ)
	}
	if err == nil && (again || len(t.handlers) == 1) {
		c.mode.subscribe(typ, since)
	}
	return t, a, err
}

// enter adds a handler to its topic, and reports whether the relay, which has refused it, has to be asked again. The caller has order.
func (c *Client) enter(typ string, since Since, h *handler) (t *topic, a *verdict, again bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t = c.topics[typ]
	if t == nil {
		t = &topic{verdict: newVerdict()}
		c.topics[typ] = t
	} else if again = t.verdict.refused(); again {
		t.verdict = newVerdict()
	} else if since != (Since{}) {
		return nil, nil, false, errLate
	}
	t.handlers = append(slices.Clone(t.handlers), h)
	return t, t.verdict, again, nil
}

// forgo takes a handler, and with the last the subscription.
func (c *Client) forgo(typ string, t *topic, h *handler) {
	h.gone.Store(true)
	c.order.Lock()
	defer c.order.Unlock()
	c.mu.Lock()
	t.handlers = slices.DeleteFunc(slices.Clone(t.handlers), func(other *handler) bool { return other == h })
	last := len(t.handlers) == 0
	if last {
		delete(c.topics, typ)
	}
	c.mu.Unlock()
	if last && c.Err() == nil {
		c.mode.unsubscribe(typ)
	}
}

// question names what is wanted of a type just now: one that was given up and is wanted again is another. nil: nothing is.
func (c *Client) question(typ string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.topics[typ]; t != nil {
		return t.verdict.said
	}
	return nil
}

// subscribed: the relay has the subscription that was asked for.
func (c *Client) subscribed(typ string, question <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.topics[typ]; t != nil && t.verdict.said == question {
		t.settle(nil)
	}
}

// settle lets those go on that wait for the relay's answer. It reports whether it is the first; what comes later is an answer of its own.
func (t *topic) settle(err *Error) bool {
	select {
	case <-t.verdict.said:
		t.verdict = &verdict{t.verdict.said, err}
		return false
	default:
		t.verdict.err = err
		close(t.verdict.said)
		return true
	}
}

// refused: it has not, or not any more.
func (c *Client) refused(typ string, err Error) {
	c.mu.Lock()
	t := c.topics[typ]
	if t == nil || err.Code == wire.Unavailable { // the session goes on trying
		c.mu.Unlock()
		return
	}
	first := t.settle(&err)
	c.mu.Unlock()
	if f := c.o.Failed; f != nil && !first {
		c.calls.say(func() { f(typ, &err) })
	}
}

// deliver hands a message to those who want it.
func (c *Client) deliver(m *Message) {
	for _, h := range c.handlers(m.Type) {
		if h.f == nil {
			c.pulled.put(h, m)
		} else {
			c.calls.put(h, m)
		}
	}
}

// missed tells those who want a type that there may be a gap.
func (c *Client) missed(typ string) {
	var calls, pulled bool
	for _, h := range c.handlers(typ) {
		calls = calls || h.f != nil
		pulled = pulled || h.f == nil
	}
	if calls {
		c.calls.miss(typ)
	}
	if pulled {
		c.pulled.miss(typ)
	}
}

func (c *Client) handlers(typ string) []*handler {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.topics[typ]; t != nil {
		return t.handlers
	}
	return nil
}

// types returns what the program wants.
func (c *Client) types() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for typ := range c.topics {
		list = append(list, typ)
	}
	return list
}
