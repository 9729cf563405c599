package conn

import (
	"bytes"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
)

// Who sees to it that what is queued gets written.
const (
	idle    = iota // nothing is queued
	dirty          // whoever queued the first frame will call Flush
	writing        // a Flush, or the drainer that it started, is writing and will go on until nothing is queued
)

const (
	joinBytes  = 64 << 10 // several small frames leave in one write of up to so many bytes
	chunkBytes = 16 << 10 // a write that may wait gets its deadline for so many bytes
	frameBytes = 64       // what a queued frame may cost beside its bytes: a queue of pongs is not free
	fewFrames  = 16       // so many may wait whatever the limit
)

var joinPool = sync.Pool{New: func() any { b := make([]byte, 0, joinBytes); return &b }}

// socket is the hijacked connection. The library reads from it and writes control frames to it; the relay queues data frames, which are whole
// and shared. Both go through one queue, so that they never mix. It is the connection's [hub.Outbox].
//
// A descriptor is closed only by whoever may write, or while nobody may: no frame can go to a descriptor that already belongs to another.
type socket struct {
	net.Conn
	fd      int // for [sendNow]; -1: all writes are the drainer's
	limit   int // bytes of the queue; one frame is always accepted
	timeout time.Duration
	prefix  []byte // read by net/http before the hijack
	spawn   func(func())
	wake    func() // makes the connection be served, if it rests; nil: it does not rest
	seen    atomic.Int64 // time of the last Read that got something, in Unix nanoseconds
	begun   atomic.Int64 // time when what the peer has not completed yet began, a message or a frame; 0: nothing
	readErr error        // of the last Read; the reader's own, as what follows
	quick   uint8        // how often in a row it had more to say soon after it rested
	guard

	mu      sync.Mutex
	state   int
	queue   [][]byte
	first   [1][]byte // where queue begins, so that one waiting frame costs no memory
	bytes   int       // queued or being written
	joined  *[]byte   // from joinPool, while it is being written
	sealed  bool      // a close frame is queued; nothing may follow it
	verdict wire.Close
	since   time.Time // when it was sealed
	ending  bool      // Close was called: the descriptor is closed once all is written
	endBy   time.Time
	closed  bool
	staying bool // the reader waits between messages
	kicked  bool // and has been told to stop
}

var _ hub.Outbox = (*socket)(nil)

// Write queues a copy of p, which is one control frame of the library, and flushes. It does not wait. After a close frame it does nothing: the
// library's own answer to the peer's close comes too late.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	if s.closed || s.ending {
		s.mu.Unlock()
		return 0, net.ErrClosed
	}
	wake := s.push(bytes.Clone(p))
	if p[0]&0x0f == 8 && !s.sealed {
		s.sealed, s.since = true, time.Now()
		if len(p) >= 4 {
			s.verdict.Code = int(p[2])<<8 | int(p[3])
		}
	}
	s.mu.Unlock()
	if wake {
		s.Flush()
	}
	return len(p), nil
}

// Queue implements [hub.Outbox].
func (s *socket) Queue(frame []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.push(frame)
}

// Send implements [hub.Outbox]. The usual case, in which nothing waits and the kernel takes everything, touches neither queue nor scheduler. The lock is
// held meanwhile, because the kernel does not wait either.
func (s *socket) Send(frames []byte) {
	s.mu.Lock()
	if s.state == idle && s.fd >= 0 && !s.sealed && !s.ending && !s.closed {
		n, err := sendNow(s.fd, frames)
		if n == len(frames) {
			s.mu.Unlock()
			return
		}
		if err != nil {
			s.rest(true)
			return
		}
		rest := frames[n:]
		s.state = writing
		s.bytes += len(rest)
		s.mu.Unlock()
		s.spawn(func() { s.drain(rest) })
		return
	}
	wake := s.push(frames)
	s.mu.Unlock()
	if wake {
		s.Flush()
	}
}

// push queues a frame and reports whether the caller must flush. A frame past the limit ends the connection.
func (s *socket) push(frame []byte) bool {
	if s.sealed || s.ending || s.closed {
		return false
	}
	if s.bytes > 0 && (s.bytes+len(frame) > s.limit || len(s.queue) >= max(fewFrames, s.limit/frameBytes)) {
		for _, waiting := range s.queue {
			s.bytes -= len(waiting)
		}
		s.queue = s.first[:0]
		return s.seal(wire.CloseSlow)
	}
	return s.add(frame)
}

func (s *socket) add(frame []byte) bool {
	if len(s.queue) == 0 {
		s.queue = s.first[:0]
	}
	s.queue = append(s.queue, frame)
	s.bytes += len(frame)
	if s.state == idle {
		s.state = dirty
		return true
	}
	// Whoever is to flush may have been held up for long. A second Flush does no harm; a reader cut off as slow because nobody wrote does.
	return s.state == dirty && s.bytes > s.limit/2
}

func (s *socket) seal(c wire.Close) bool {
	wake := s.add(hub.CloseFrame(c))
	s.sealed, s.verdict, s.since = true, c, time.Now()
	return wake
}

// end queues a close frame behind what waits, unless there is one, and flushes.
func (s *socket) end(c wire.Close) {
	s.mu.Lock()
	wake := !s.sealed && !s.ending && !s.closed && s.seal(c)
	s.mu.Unlock()
	if wake {
		s.Flush()
	}
}

// take returns the next bytes to write, or nil when nothing is queued.
func (s *socket) take() []byte {
	if s.joined != nil {
		*s.joined = (*s.joined)[:0]
		joinPool.Put(s.joined)
		s.joined = nil
	}
	if len(s.queue) == 0 {
		s.queue, s.first[0] = nil, nil
		return nil
	}
	n, size := 0, 0
	for n < len(s.queue) && (n == 0 || size+len(s.queue[n]) <= joinBytes) {
		size += len(s.queue[n])
		n++
	}
	b := s.queue[0]
	if n > 1 {
		s.joined = joinPool.Get().(*[]byte)
		for _, frame := range s.queue[:n] {
			*s.joined = append(*s.joined, frame...)
		}
		b = *s.joined
	}
	clear(s.queue[:n])
	s.queue = s.queue[n:]
	return b
}

// Flush implements [hub.Outbox]. What the kernel does not take at once is left to a drainer.
func (s *socket) Flush() {
	s.mu.Lock()
	if s.state != dirty || s.closed {
		s.mu.Unlock()
		return
	}
	s.state = writing
	for b := s.take(); b != nil; b = s.take() {
		if s.fd < 0 {
			s.mu.Unlock()
			s.spawn(func() { s.drain(b) })
			return
		}
		s.mu.Unlock()
		n, err := sendNow(s.fd, b)
		s.mu.Lock()
		s.bytes -= n
		if err != nil {
			s.rest(true)
			return
		}
		if n < len(b) {
			s.mu.Unlock()
			s.spawn(func() { s.drain(b[n:]) })
			return
		}
	}
	s.rest(false)
}

// rest ends writing, when nothing is queued or the connection is broken. It unlocks before it closes: closing TLS may take a while.
func (s *socket) rest(broken bool) {
	if broken {
		s.queue, s.bytes, s.sealed = nil, 0, true
		s.take()
	}
	s.state = idle
	shut := (s.ending || broken) && !s.closed
	s.closed = s.closed || shut
	s.mu.Unlock()
	if shut {
		s.Conn.Close()
		s.rouse()
	}
}

// rouse makes the goroutine that serves the connection, which may rest, see that it has ended.
func (s *socket) rouse() {
	if s.wake != nil {
		s.wake()
	}
}

// rests reports whether the connection needs no goroutine while it has nothing to say.
func (s *socket) rests() bool { return s.wake != nil && s.fd >= 0 }

// drain writes b and then what is queued, waiting for the peer for as long as it takes anything. It is the goroutine of the connection that owns
// this socket and ends when nothing is queued, or when the peer has taken nothing for the write timeout.
func (s *socket) drain(b []byte) {
	for b != nil {
		err := s.writeAll(b)
		s.mu.Lock()
		if err != nil {
			if s.verdict.Code == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				s.verdict = wire.CloseSlow
			}
			s.rest(true)
			return
		}
		if b = s.take(); b == nil {
			s.rest(false)
			return
		}
		s.mu.Unlock()
	}
}

func (s *socket) writeAll(b []byte) error {
	for len(b) > 0 {
		s.mu.Lock()
		by, last := s.endBy, !s.endBy.IsZero()
		if !last {
			by = time.Now().Add(s.timeout)
		}
		err := s.Conn.SetWriteDeadline(by)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		n, err := s.Conn.Write(b[:min(len(b), chunkBytes)])
		s.mu.Lock()
		s.bytes -= n
		s.mu.Unlock()
		b = b[n:]
		if err != nil && (last || n == 0 || s.fd < 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err // TLS cannot go on after a write that was cut short
		}
	}
	return nil
}

// Close ends the connection once what is queued is written or, if the peer takes too long, without. A Read that waits returns.
func (s *socket) Close() error {
	s.mu.Lock()
	if s.ending || s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.ending, s.endBy = true, time.Now().Add(s.timeout)
	if s.state == idle {
		s.closed = true
		s.mu.Unlock()
		err := s.Conn.Close()
		s.rouse()
		return err
	}
	s.mu.Unlock()
	s.Flush()
	err := s.Conn.SetReadDeadline(time.Unix(1, 0))
	s.rouse()
	return err
}

// abort ends the connection now. It does not wait.
func (s *socket) abort() {
	past := time.Unix(1, 0)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.ending, s.endBy = true, past
	s.Conn.SetDeadline(past)
	if s.state != writing { // otherwise whoever writes returns now, and closes
		s.closed, s.queue, s.bytes = true, nil, 0
		s.spawn(func() { s.Conn.Close() })
	}
	s.mu.Unlock()
	s.rouse()
}

// stay waits for the peer between messages, until the sweeper ends that with kick.
func (s *socket) stay(p []byte) (int, error) {
	s.mu.Lock()
	s.staying = true
	s.mu.Unlock()
	n, err := s.Conn.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.staying = false
	if !s.kicked {
		return n, err
	}
	s.kicked = false
	if !s.ending && !s.closed {
		s.Conn.SetReadDeadline(time.Time{})
	}
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = errAtRest
	}
	return n, err
}

func (s *socket) kick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.staying && !s.ending && !s.closed {
		s.kicked = true
		s.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// rest runs watch, while the descriptor is certainly open, unless the connection is ending.
func (s *socket) tryRest(watch func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ending && !s.closed && watch()
}

// sealedSince returns when a close frame was queued, and which.
func (s *socket) sealedSince() (time.Time, wire.Close) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since, s.verdict
}
