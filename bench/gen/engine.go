//go:build linux

// Package gen is a load generator: one thread, one epoll, raw sockets and hand-made WebSocket frames. A delivery costs one recv, a look at the
// frame's head, the digits of its stamp and a step of a histogram, 0.3 to 0.8 µs, so that one core of it drives one core of any server.
//
// An [Engine] is for one goroutine, which is locked to its thread.
package gen

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// Protocol is what a peer speaks above WebSocket.
type Protocol interface {
	// Request returns the HTTP request with which c begins: the handshake, or the one request of a [ShortHTTP].
	Request(c *Conn) []byte
	// Opened is called after the handshake. Here, or later in Message, the protocol calls [Link.SetReady].
	Opened(l Link, c *Conn)
	// Message takes a message without a stamp, or one that comes before c is ready. It may not keep p.
	Message(l Link, c *Conn, p []byte)
	// AppendPublish appends the WebSocket message by which c publishes the payload to the room.
	AppendPublish(b []byte, c *Conn, room int, payload []byte) []byte
}

// Link is what a protocol may do to a connection.
type Link interface {
	// Write sends bytes, which may be used again when it returns.
	Write(c *Conn, b []byte)
	// SetReady says that all that comes before the first message is done.
	SetReady(c *Conn)
	// Complain counts something that the server refused, and shows the first of its kind.
	Complain(what string, p []byte)
}

var _ Link = (*Engine)(nil)

// Engine drives connections to one server.
type Engine struct {
	Delivered uint64 // stamped messages that subscribers got
	Reordered uint64 // and those whose number was not above the last
	Bytes     uint64 // read by connections that are ready
	Probes    int    // subscribers that have seen the probe
	ReadyNow  int    // subscribers that are ready
	Lost      uint64 // connections that the server ended after the handshake
	Failed    uint64 // and before
	Done      uint64 // short-lived publishers whose message was taken
	Refused   uint64 // messages and short-lived publishers that were refused
	Idle      int64  // nanoseconds in which nothing had arrived
	Latency   Hist
	From      int64 // messages that were sent before this are not in Latency

	OnReady func(*Conn)
	OnLost  func(*Conn) // the other side ended it
	OnShort func(*Conn) // a short-lived publisher is done, or was refused

	protocol Protocol
	to       syscall.SockaddrInet4
	epoll    int
	conns    []*Conn
	events   [1024]syscall.EpollEvent
	buffer   []byte
	polled   int64
	source   int
	inflate  inflater
}

// Never is a time after all others, for [Engine.From].
const Never = 1 << 62

var began = time.Now()

// Now returns the time in nanoseconds since the program began; all engines share it.
func Now() int64 { return int64(time.Since(began)) }

// NewEngine returns an engine for a server on a port of 127.0.0.1. [Engine.Close] ends it.
func NewEngine(port int, p Protocol) (*Engine, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &Engine{protocol: p, to: syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}, epoll: epoll,
		buffer: make([]byte, 2*readBytes), polled: Now(), From: Never}, nil
}

// Close ends all connections and the engine.
func (e *Engine) Close() {
	for _, c := range e.conns {
		e.Hangup(c)
	}
	syscall.Close(e.epoll)
}

// Add makes c one of the engine's connections; [Engine.Dial] connects it.
func (e *Engine) Add(c *Conn) *Conn {
	c.slot = int32(len(e.conns))
	e.conns = append(e.conns, c)
	return c
}

// Step handles what has arrived, after waiting for at most ms milliseconds, and returns how many connections that were.
func (e *Engine) Step(ms int) int { return e.step(ms, len(e.events)) }

// StepSome is Step without waiting, for at most so many connections: for engines that take turns.
func (e *Engine) StepSome(most int) int { return e.step(0, min(most, len(e.events))) }

func (e *Engine) step(ms, most int) int {
	n := epollWait(e.epoll, e.events[:most], ms)
	now := Now()
	if n == 0 {
		e.Idle += now - e.polled
	}
	e.polled = now
	for i := range e.events[:n] {
		ev := &e.events[i]
		if c := e.conns[ev.Fd]; c.turn == ev.Pad && c.state != Closed {
			e.handle(c, ev.Events)
		}
	}
	return n
}

// Worked says that the time since the last Step was no idle time, even if the next one finds nothing to do.
func (e *Engine) Worked() { e.polled = Now() }

// Rest does nothing until the time t, and counts that as idle.
func (e *Engine) Rest(t int64) {
	begin := Now()
	now := begin
	for ; now < t; now = Now() {
	}
	e.Idle += now - begin
	e.polled = now
}

func (e *Engine) handle(c *Conn, events uint32) {
	if c.state == Connecting {
		switch {
		case events&(syscall.EPOLLERR|syscall.EPOLLHUP) != 0:
			e.lost(c)
		case events&syscall.EPOLLOUT != 0:
			c.state = Handshaking
			e.Write(c, e.protocol.Request(c))
		}
		return
	}
	if events&syscall.EPOLLOUT != 0 && len(c.unsent) > 0 {
		b := c.unsent
		c.unsent = nil
		e.Write(c, b)
	}
	if events&(syscall.EPOLLIN|syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 && !c.Mute {
		e.Read(c)
	}
}

// SetReady implements [Link].
func (e *Engine) SetReady(c *Conn) {
	if c.state == Ready {
		return
	}
	c.state = Ready
	if c.Kind.Subscribes() {
		e.ReadyNow++
	}
	if c.Kind == Drainer {
		e.unwatch(c)
	}
	if c.Kind == ShortWS {
		b := AppendText(nil, e.protocol.AppendPublish(nil, c, c.Room, ShortPayload(c)))
		e.Write(c, AppendClose(b))
	}
	if e.OnReady != nil {
		e.OnReady(c)
	}
}

const (
	shortBytes = 128
	probeAge   = 1 // the time in a stamp that is counted but not timed
)

// ShortPayload returns the payload of a short-lived publisher. For protocols.
func ShortPayload(c *Conn) []byte { return AppendPayload(nil, probeAge, c.Short, shortBytes) }

// Forget makes all subscribers wait for the next probe.
func (e *Engine) Forget() {
	e.Probes = 0
	for _, c := range e.conns {
		c.answered = false
	}
}

// lost handles an end that the other side brought about.
func (e *Engine) lost(c *Conn) {
	was := c.state
	e.Hangup(c)
	switch {
	case c.Kind == ShortWS || c.Kind == ShortHTTP:
		e.shortEnd(c, c.answered || c.Kind == ShortWS && was == Ready)
		return
	case was < Open:
		e.Failed++
	default:
		e.Lost++
	}
	if e.OnLost != nil {
		e.OnLost(c)
	}
}

func (e *Engine) shortEnd(c *Conn, taken bool) {
	e.Hangup(c)
	if taken {
		e.Done++
	} else {
		e.Refused++
	}
	if e.OnShort != nil {
		e.OnShort(c)
	}
}

// Complain implements [Link].
func (e *Engine) Complain(what string, p []byte) {
	if e.Refused++; e.Refused == 1 {
		fmt.Fprintf(os.Stderr, "# %s: %.300q\n", what, p)
	}
}
