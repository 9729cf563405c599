package conn

import (
	"errors"
	"net"
	"os"
	"time"

	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
)

var past = time.Unix(1, 0)

func (s *socket) farewell() *farewell {
	if s.last == nil {
		s.last = new(farewell)
	}
	return s.last
}

// verdict returns how the connection ends, as far as the relay has decided.
func (s *socket) verdict() wire.Close {
	if s.last == nil {
		return wire.Close{}
	}
	return s.last.verdict
}

func (s *socket) seal(c wire.Close) bool {
	wake := s.add(hub.CloseFrame(c))
	s.sealAs(c)
	return wake
}

func (s *socket) sealAs(c wire.Close) {
	s.sealed = true
	s.farewell().verdict, s.last.sealed = c, time.Now().UnixNano()
	s.stir()
}

// isSealed reports whether a close frame is queued or has been written.
func (s *socket) isSealed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last != nil && s.last.sealed != 0
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

// Close ends the connection once what is queued is written or, if the peer takes too long, without. A Read that waits returns.
func (s *socket) Close() error {
	s.mu.Lock()
	if s.ending || s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.ending = true
	s.farewell().by = time.Now().Add(s.env.Limits.WriteTimeout).UnixNano()
	unused := s.state == idle
	s.closed = unused
	s.mu.Unlock()
	var err error
	if unused {
		err = s.Conn.Close()
	} else {
		s.Flush()
		err = s.Conn.SetReadDeadline(past)
	}
	s.rouse()
	return err
}

// abort ends the connection now. It does not wait.
func (s *socket) abort() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.ending, s.farewell().by = true, past.UnixNano()
	s.Conn.SetDeadline(past)
	if s.state != writing { // otherwise whoever writes returns now, and closes
		s.closed, s.queue, s.bytes = true, nil, 0
		s.env.spawn(func() { s.Conn.Close() })
	}
	s.mu.Unlock()
	s.rouse()
}

// rouse makes the goroutine that serves the connection, which may rest, see that it has ended.
func (s *socket) rouse() {
	s.mu.Lock()
	owner := s.owner
	s.mu.Unlock()
	if owner != nil {
		owner.wake()
	}
}

// rests reports whether the connection needs no goroutine while it has nothing to say.
func (s *socket) rests() bool { return s.owner != nil }

// tryRest runs watch while the descriptor is certainly open, unless the connection is ending.
func (s *socket) tryRest(watch func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ending && !s.closed && watch()
}

// stay waits for the peer between messages, until the sweeper ends that.
func (s *socket) stay(p []byte) (int, error) {
	s.mu.Lock()
	s.staying = true
	s.stir()
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

// tend makes a reader that has waited between messages for long let go. It returns when a close frame was queued, 0 when none was.
func (s *socket) tend(silent time.Duration) (sealed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.staying && silent >= stayFor && !s.ending && !s.closed {
		s.kicked = true
		s.Conn.SetReadDeadline(past)
	}
	if s.last == nil {
		return 0
	}
	return s.last.sealed
}
