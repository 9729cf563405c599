package conn

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/wire"
)

// serve reads what the peer sends and does what it says, for as long as it says something. It reports whether the connection rests then; otherwise it has
// ended and is out of everything. held is the turn that it got for that.
func (c *Conn) serve(held claim) (rests bool) {
	readers := &c.env.readers
	r := readers.get(&c.sock)
	c.reader, r.held = r, held
	defer func() {
		defer readers.put(r)
		if !rests {
			c.leave(r)
		}
	}()
	defer func() {
		if fault := recover(); fault != nil {
			r.spoiled = true
			c.sock.end(wire.CloseInternal)
			panic(fault) // for Env.catch
		}
	}()
	err := r.lend(&c.sock, &c.member)
	if c.mode == raw {
		c.welcome()
	}
	for err == nil {
		if err = c.next(r); errors.Is(err, errAtRest) {
			c.reader, err = nil, nil
			if c.rest() { // from here on c is another goroutine's
				return true
			}
			c.reader, r.stays = r, true
		}
	}
	r.delivery.Flush()
	c.linger(r)
	return false
}

// leave takes the connection, which has ended, out of everything.
func (c *Conn) leave(r *reader) {
	left := c.env.Hub.Drop(&c.member)
	c.appear(left...)
	r.delivery.Flush()
	c.sock.Close()
	c.dismiss()
	c.env.remove(c, c.closeCode())
	if c.mode == raw {
		c.goodbye()
	}
}

// next does what the next message says.
func (c *Conn) next(r *reader) error {
	if _, err := r.in.Peek(1); err != nil { // cheaper than to have the library find out that nothing is there
		return err
	}
	r.spoiled = true
	typ, message, err := r.ws.Reader(context.Background())
	if err == nil {
		err = c.read(typ, message)
	}
	// Without an error the library has seen a whole message; and it has seen nothing of one when nothing was there, unless that was dropped unseen.
	r.spoiled = err != nil && (!errors.Is(err, errAtRest) || c.sock.isSealed())
	return err
}

// rest lets the connection go without a goroutine until there is more to read.
func (c *Conn) rest() bool {
	return c.sock.tryRest(func() bool {
		c.resting.Store(true)
		if err := c.env.poller.Load().watch(c); err != nil {
			c.resting.Store(false)
			return false
		}
		return true
	})
}

// wake makes c be served if it rests. Whoever closes its descriptor, or makes its reads fail, does that first.
func (c *Conn) wake() {
	if c.resting.CompareAndSwap(true, false) {
		c.env.run(c, noTurn)
	}
}

// readPool holds buffers for whole messages; what a message leaves behind is copied out of them.
var readPool = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// read reads one message and does what it says.
func (c *Conn) read(typ websocket.MessageType, r io.Reader) error {
	buf := readPool.Get().(*[]byte)
	defer readPool.Put(buf)
	b := (*buf)[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		*buf = b
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if c.sock.isSealed() {
		return nil // closing: only the peer's close frame still counts
	}
	deflated := typ == websocket.MessageBinary && c.sock.frames.deflate
	switch {
	case c.mode == raw:
		c.hear(b, typ == websocket.MessageBinary)
	case typ != websocket.MessageText && !deflated:
		c.finish(wire.CloseBadProtocol)
	case !c.sock.rates.commands.take(c.env.Limits.Commands, c.sock.seen.Load(), 1):
		c.finish(wire.CloseRateLimited)
	case deflated:
		c.inflated(b)
	default:
		c.obeyText(b)
	}
	c.reader.delivery.Pace()
	return nil
}

func (c *Conn) obeyText(text []byte) {
	if c.mode == classic {
		c.envelope(text)
	} else {
		c.command(text)
	}
}

// linger waits for a peer to read why it was closed, or the answer to its own close frame: behind that it may have sent more, and then the kernel would
// throw the answer away.
func (c *Conn) linger(r *reader) {
	if c.sock.isSealed() && !c.sock.broken && (!c.sock.frames.closed || c.sock.rude.Load() || plainTCP(c.sock.Conn) != nil) {
		r.yield()
		c.sock.linger()
	}
}

// closeCode returns the code that the connection ended with, as the relay sees it.
func (c *Conn) closeCode() int {
	c.sock.mu.Lock()
	defer c.sock.mu.Unlock()
	return c.sock.verdict().Code
}
