package conn

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"

	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
)

// Who sees to it that what is queued gets written.
const (
	idle    = iota // nothing is queued
	dirty          // whoever queued the first frame will call Flush
	writing        // a drainer is writing and will go on until nothing is queued
)

const (
	joinBytes  = 64 << 10 // several small frames leave in one write of up to so many bytes
	frameBytes = 64       // what a queued frame may cost beside its bytes: a queue of pongs is not free
	fewFrames  = 16       // so many may wait whatever the limit
)

var joinPool = sync.Pool{New: func() any { b := make([]byte, 0, joinBytes); return &b }}

// socket is the hijacked connection. A reader reads from it, and the library writes control frames to it; the relay queues data frames, which are whole
// and shared. Both go through one queue, so that they never mix. It is the connection's [hub.Outbox].
//
// A descriptor is closed only by whoever may write, or while nobody may: no frame can go to a descriptor that already belongs to another.
type socket struct {
	mu      sync.Mutex
	fd      int32 // for [sendNow]; -1: all writes are the drainer's
	state   uint8
	sealed  bool // a close frame is queued; nothing may follow it
	ending  bool // Close was called: the descriptor is closed once all is written
	closed  bool
	staying bool  // the reader waits between messages
	kicked  bool  // and has been told to stop
	broken  bool  // the last Read failed; the reader's own, as quick and prefix
	quick   uint8 // how often in a row the peer had more to say soon after it rested
	bytes   int   // queued or being written; one frame is always accepted
	queue   [][]byte
	joined  *[]byte   // from joinPool, while it is being written
	last    *farewell // once the end has begun

	net.Conn
	env   *Env
	owner *Conn // to be woken when its descriptor is closed; nil: it keeps a goroutine

	seen   atomic.Int64 // time of the last Read that got something, in Unix nanoseconds
	calm   atomic.Int64 // until when the sweeper has nothing to do, in Unix nanoseconds
	begun  atomic.Int64 // time when what the peer has not completed yet began, a message or a frame; 0: nothing
	prefix []byte       // read by net/http before the hijack
	guard
}

// farewell is how a connection ends.
type farewell struct {
	verdict wire.Close
	sealed  int64 // when the close frame was queued, in Unix nanoseconds; 0: none is
	by      int64 // when the descriptor is closed at the latest; 0: nobody has asked for that
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
	if p[0]&bitsOp == opClose && !s.sealed {
		var why wire.Close
		if len(p) >= 4 {
			why.Code = int(p[2])<<8 | int(p[3])
		}
		s.sealAs(why)
	}
	s.mu.Unlock()
	if wake {
		s.Flush()
	}
	return len(p), nil
}

// Queue implements [hub.Outbox].
func (s *socket) Queue(frames []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.push(frames)
}

// Send implements [hub.Outbox]. Usually nothing waits and the kernel takes everything: then neither queue nor scheduler is needed, and what is touched lies
// side by side. The lock is held meanwhile, because the kernel does not wait either.
func (s *socket) Send(frames []byte) {
	s.mu.Lock()
	if s.state != idle || s.fd < 0 || s.sealed || s.ending || s.closed {
		s.push(frames)
		wake := s.state == dirty // whoever has queued the rest may come to it much later
		s.mu.Unlock()
		if wake {
			s.Flush()
		}
		return
	}
	n, err := sendNow(int(s.fd), frames)
	switch {
	case err != nil:
		s.rest(true)
		return
	case n < len(frames):
		s.bytes += len(frames) - n
		s.startDrain(frames[n:])
	}
	s.mu.Unlock()
}

// push queues frames and reports whether the caller must flush. What goes past the limit ends the connection.
func (s *socket) push(frames []byte) bool {
	if s.sealed || s.ending || s.closed {
		return false
	}
	limit := s.env.Limits.OutboxBytes
	if s.bytes > 0 && (s.bytes+len(frames) > limit || len(s.queue) >= max(fewFrames, limit/frameBytes)) {
		for _, waiting := range s.queue {
			s.bytes -= len(waiting)
		}
		s.queue = nil
		return s.seal(wire.CloseSlow)
	}
	return s.add(frames)
}

func (s *socket) add(frames []byte) bool {
	s.queue = append(s.queue, frames)
	s.bytes += len(frames)
	if s.state == idle {
		s.state = dirty
		return true
	}
	// Whoever is to flush may have been held up for long. A second Flush does no harm; a reader cut off as slow because nobody wrote does.
	return s.state == dirty && s.bytes > s.env.Limits.OutboxBytes/2
}

// outstanding returns how many bytes are queued or being written.
func (s *socket) outstanding() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// take returns the next bytes to write, or nil when nothing is queued.
func (s *socket) take() []byte {
	if s.joined != nil {
		*s.joined = (*s.joined)[:0]
		joinPool.Put(s.joined)
		s.joined = nil
	}
	if len(s.queue) == 0 {
		s.queue = nil
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
		for _, frames := range s.queue[:n] {
			*s.joined = append(*s.joined, frames...)
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
	for b := s.take(); b != nil; b = s.take() {
		n := 0
		if s.fd >= 0 {
			var err error
			if n, err = sendNow(int(s.fd), b); err != nil {
				s.rest(true)
				return
			}
		}
		s.bytes -= n
		if n < len(b) {
			s.startDrain(b[n:])
			s.mu.Unlock()
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
