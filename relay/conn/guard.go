package conn

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"mediawiki-websocket/relay/wire"
)

const (
	lingerFor   = time.Second // how long a peer that broke the protocol may take to read why it was closed
	lingerBytes = 1 << 20     // and how much it may send meanwhile

	paceWork   = 64                    // frames or KiB after which a peer that has sent more already has to pause
	paceWithin = 20 * time.Millisecond // unless they took so long
	paceFor    = time.Millisecond
)

// errFault is what the library gets to read in place of what is not in order.
var errFault = errors.New("the peer has broken the protocol or a limit")

// guard looks at all that a peer sends before anybody else does: whether its frames are in order, and whether they are too many.
type guard struct {
	frames inspector
	rates  rates
	fault  *wire.Close // what the connection ends with, as soon as what came before has been done
	rude   atomic.Bool // something came behind the peer's close frame
	work   int         // since paced
	paced  int64       // Unix nanoseconds
}

// vet returns how many of the bytes are in order.
func (g *guard) vet(p []byte) int {
	now := time.Now()
	n, fault := g.frames.look(p)
	l := g.frames.limits
	switch {
	case fault != nil:
		g.fault = fault
	case !g.rates.bytes.take(l.Bytes, now, len(p)), g.frames.pings > 0 && !g.rates.pings.take(l.Pings, now, int(g.frames.pings)):
		g.fault = &wire.CloseRateLimited
	}
	if g.frames.closed && n < len(p) {
		g.rude.Store(true)
	}
	g.frames.pings = 0
	return n
}

// pace counts what a peer has sent, in frames and KiB, and makes one that always has more to say wait a moment now and then: a few of them would
// otherwise keep every processor busy, and the runtime looks at the network only when one has nothing else to do.
func (g *guard) pace(work int, more bool) {
	if g.work += work; !more {
		g.work = 0
	}
	if g.work < paceWork {
		return
	}
	if time.Since(time.Unix(0, g.paced)) < paceWithin {
		time.Sleep(paceFor)
	}
	g.work, g.paced = 0, time.Now().UnixNano()
}

// Read gives the library what the peer sends, as far as it is in order. Once all of that has been done the connection ends for what is not.
func (s *socket) Read(p []byte) (int, error) {
	s.onRead()
	if at, _ := s.sealedSince(); !at.IsZero() {
		return 0, s.awaitClose()
	}
	if s.fault == nil {
		n, err := s.receive(p)
		switch {
		case n > 0:
			s.pace(int(s.frames.ended)+n>>10, n == len(p))
			s.frames.ended = 0
			return n, nil
		case s.fault == nil:
			return 0, err
		}
	}
	s.end(*s.fault)
	return 0, errFault
}

// receive reads, and returns how much is in order of what has come: nothing only with an error, a fault or behind the peer's close frame.
func (s *socket) receive(p []byte) (n int, err error) {
	if len(s.prefix) > 0 {
		n = copy(p, s.prefix)
		s.prefix = s.prefix[n:]
	} else if n, err = s.Conn.Read(p); n == 0 {
		s.readErr = err
		return 0, err
	}
	now := time.Now().UnixNano()
	s.seen.Store(now)
	n = s.vet(p[:n])
	switch {
	case s.frames.resting():
		s.begun.Store(0)
	case s.frames.began:
		s.begun.Store(now)
	}
	s.frames.began = false
	if s.frames.closed && n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// awaitClose reads on until the peer has answered the relay's close frame. Nothing else that it sends matters any more.
func (s *socket) awaitClose() error {
	buf := readPool.Get().(*[]byte)
	defer readPool.Put(buf)
	for !s.frames.closed && s.fault == nil {
		n, err := s.receive((*buf)[:cap(*buf)])
		if err != nil {
			return err
		}
		s.pace(n>>10, n == cap(*buf))
	}
	return errFault
}

// guarded is the socket as the library has it, which closes it as soon as it has answered the peer's close frame.
type guarded struct{ *socket }

func (g guarded) Close() error {
	if g.rude.Load() {
		g.linger()
	}
	return g.socket.Close()
}

// linger gives a peer that still sends, although the connection ends, the time to read why: to close a socket with unread input makes the kernel
// throw away what the peer has not read yet.
func (s *socket) linger() {
	s.shutWrite()
	if s.SetReadDeadline(time.Now().Add(lingerFor)) == nil {
		io.CopyN(io.Discard, s.Conn, lingerBytes)
	}
}

// shutWrite lets the peer see the end, when all is written.
func (s *socket) shutWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tcp := plainTCP(s.Conn); tcp != nil && s.sealed && s.state == idle && !s.closed {
		tcp.CloseWrite()
	}
}

// plainTCP returns the TCP connection of a peer that does not speak TLS, and otherwise nil.
func plainTCP(c net.Conn) *net.TCPConn {
	if p, ok := c.(interface{ Plain() *net.TCPConn }); ok {
		return p.Plain()
	}
	tcp, _ := c.(*net.TCPConn)
	return tcp
}
