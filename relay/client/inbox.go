package client

import (
	"context"
	"sync"
	"sync/atomic"
)

// What waits for the program is bounded: a program that is too slow misses messages, and is told.
const (
	inboxMessages = 10_000
	inboxBytes    = 32 << 20
)

// handler is what one call of [Client.Subscribe] asked for.
type handler struct {
	f    func(Message) // nil: for Receive
	gone atomic.Bool
}

// entry is something for the program: a function to call, a message or, without one, that some of a type may be missing.
type entry struct {
	call    func()
	typ     string
	message *Message
	handler *handler
}

// inbox is what waits for the program, in its order.
type inbox struct {
	mu     sync.Mutex
	queue  []entry
	bytes  int
	gaps   map[string]bool // types of which the last entry says that some are missing
	closed bool
	some   chan struct{} // has something when the inbox has, or is closed
}

func newInbox() *inbox {
	return &inbox{gaps: make(map[string]bool), some: make(chan struct{}, 1)}
}

// put adds a message, or its absence when there is no room.
func (b *inbox) put(h *handler, m *Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) >= inboxMessages || b.bytes+len(m.Msg) > inboxBytes && b.bytes > 0 {
		b.gap(m.Type)
		return
	}
	delete(b.gaps, m.Type)
	b.bytes += len(m.Msg)
	b.add(entry{typ: m.Type, message: m, handler: h})
}

// miss adds that messages of a type may be missing.
func (b *inbox) miss(typ string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gap(typ)
}

// gap says it once in a row. The caller holds the lock.
func (b *inbox) gap(typ string) {
	if !b.gaps[typ] && !b.closed {
		b.gaps[typ] = true
		b.add(entry{typ: typ})
	}
}

// say adds a call.
func (b *inbox) say(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(entry{call: f})
}

func (b *inbox) add(e entry) {
	if !b.closed {
		b.queue = append(b.queue, e)
		b.signal()
	}
}

func (b *inbox) signal() {
	select {
	case b.some <- struct{}{}:
	default:
	}
}

// next waits for an entry and takes it. The error is the context's, or [ErrClosed].
func (b *inbox) next(ctx context.Context) (entry, error) {
	for {
		if e, ok, err := b.take(); ok || err != nil {
			return e, err
		}
		select {
		case <-b.some:
		case <-ctx.Done():
			return entry{}, ctx.Err()
		}
	}
}

func (b *inbox) take() (e entry, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		b.signal() // for the next who waits
		return e, false, ErrClosed
	}
	if len(b.queue) == 0 {
		return e, false, nil
	}
	e = b.queue[0]
	b.queue[0] = entry{}
	if b.queue = b.queue[1:]; len(b.queue) == 0 {
		b.queue = nil
	} else {
		b.signal()
	}
	switch {
	case e.message != nil:
		b.bytes -= len(e.message.Msg)
	case e.call == nil:
		delete(b.gaps, e.typ)
	}
	return e, true, nil
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.queue = true, nil
	b.signal()
}
