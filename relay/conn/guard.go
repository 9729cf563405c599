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
	lingerFor  = time.Second // how long a peer that broke the protocol may take to read why it was closed
	lingerRate = 64 << 10    // bytes that it may send in each millisecond meanwhile

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
	work   int32       // since paced
	paced  int64       // Unix nanoseconds
}

// vet returns how many of the bytes are in order.
func (g *guard) vet(p []byte, now int64) int {
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
func (r *reader) pace(work int, more bool) {
	if r.work += int32(work); !more {
		r.work = 0
	}
	if r.work < paceWork {
		return
	}
	if time.Since(time.Unix(0, r.paced)) < paceWithin {
		r.yield()
		time.Sleep(paceFor)
	}
	r.work, r.paced = 0, time.Now().UnixNano()
}

// Read gives the library what the peer sends, as far as it is in order. Once all of that has been done the connection ends for what is not. An empty pong,
// which is all that most connections say for most of the time, has done its work when it has come: to the library it would say nothing.
func (r *reader) Read(p []byte) (n int, err error) {
	for again := true; again; again = n > 0 && r.pong {
		n, err = r.take(p)
	}
	return n, err
}

// take is Read with all pongs.
func (r *reader) take(p []byte) (int, error) {
	if r.isSealed() {
		r.delivery.Flush()
		return 0, r.awaitClose()
	}
	if r.fault == nil {
		n, err := r.receive(p)
		switch {
		case n > 0:
			r.pace(int(r.frames.ended)+n>>10, n == len(p))
			r.frames.ended = 0
			return n, nil
		case r.fault == nil:
			return 0, err
		}
	}
	r.delivery.Flush()
	r.end(*r.fault)
	return 0, errFault
}

// receive reads, and returns how much is in order of what has come: nothing only with an error, a fault or behind the peer's close frame.
func (r *reader) receive(p []byte) (n int, err error) {
	if len(r.prefix) > 0 {
		n = copy(p, r.prefix)
		r.prefix = r.prefix[n:]
	} else if n, err = r.fetch(p); n == 0 {
		if err != errAtRest {
			r.broken = true
		}
		return 0, err
	}
	now := time.Now().UnixNano()
	r.noteHurry(now, r.seen.Swap(now))
	n = r.vet(p[:n], now)
	switch {
	case r.frames.resting():
		r.begun.Store(0)
	case r.frames.began:
		r.begun.Store(now)
		r.stir()
	}
	r.pong = r.frames.began && r.frames.resting() && n == shortHead && r.frames.op == opPong
	r.frames.began = false
	if r.frames.closed && n == 0 {
		return 0, errGone
	}
	return n, nil
}

// awaitClose reads on until the peer has answered the relay's close frame. Nothing else that it sends matters any more.
func (r *reader) awaitClose() error {
	buf := readPool.Get().(*[]byte)
	defer readPool.Put(buf)
	for !r.frames.closed && r.fault == nil {
		n, err := r.receive((*buf)[:cap(*buf)])
		if err != nil {
			return err
		}
		r.pace(n>>10, n == cap(*buf))
	}
	return errFault
}

// linger gives a peer that still sends, although the connection ends, the time to read why: to close a socket with unread input makes the kernel
// throw away what the peer has not read yet.
func (s *socket) linger() {
	s.shutWrite()
	if s.SetReadDeadline(time.Now().Add(lingerFor)) != nil {
		return
	}
	for {
		if _, err := io.CopyN(io.Discard, s.Conn, lingerRate); err != nil {
			return
		}
		time.Sleep(time.Millisecond)
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
