package conn

import (
	"errors"
	"os"
	"time"

	"mediawiki-websocket/relay/wire"
)

const chunkBytes = 16 << 10 // a write that may wait gets its deadline for so many bytes

// startDrain leaves b, and what is queued, to a goroutine that waits for the peer. It is one of the connection's, and ends when nothing is queued, or when
// the peer has taken nothing for the write timeout.
func (s *socket) startDrain(b []byte) {
	s.state = writing
	s.env.spawn(func() { s.drain(b) })
}

func (s *socket) drain(b []byte) {
	for b != nil {
		err := s.writeAll(b)
		s.mu.Lock()
		if err != nil {
			if s.verdict().Code == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				s.farewell().verdict = wire.CloseSlow
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
		by, last := time.Now().Add(s.env.Limits.WriteTimeout), s.last != nil && s.last.by != 0
		if last {
			by = time.Unix(0, s.last.by)
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
