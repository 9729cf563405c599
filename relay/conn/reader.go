package conn

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
)

const (
	readBytes   = 16 << 10 // the library reads through a buffer of this size, and longer payloads past it
	keptBytes   = 256      // and of this size where every connection keeps a reader
	writeBytes  = 128      // it writes only control frames, which have at most 127 bytes
	readersKept = 64       // readers that are lent to nobody

	stayWithin = 5 * time.Millisecond // a connection that has more to say so soon,
	stayTimes  = 3                    // so many times in a row,
	stayFor    = time.Second          // keeps its goroutine until it has said nothing for so long
)

// errAtRest is what the library reads when nothing has come, not even the beginning of a message or a frame.
var errAtRest = errors.New("nothing to read")

// errGone is what it reads when the peer has ended the connection. To io.EOF it would listen for ever: whoever else the reader is lent to would be gone too.
var errGone = errors.New("the peer has gone")

// reader is what it takes to read a connection besides a goroutine: a connection of the library, which keeps nothing from one message to the next, and a
// delivery. So a few readers serve all connections, and one that has nothing to say needs none. It is the net.Conn that the library reads from.
type reader struct {
	*socket  // which it is lent to
	ws       *websocket.Conn
	in       *bufio.Reader // of ws
	delivery *hub.Delivery
	deliver  func(*engine.Message)
	held     claim
	woken    bool // something has come since it was lent
	spoiled  bool // the library has not seen all that was read: it may be anywhere in a frame
	dry      bool // the kernel had no more than what was read last
	stays    bool // it waits for the peer between messages too
	pong     bool // what was read last is an empty pong and nothing else
	fetcher
}

// newReader makes a reader by a handshake with itself: the library has no other way to make a connection.
func newReader(e *Env, size int) *reader {
	r := &reader{delivery: e.Hub.NewDelivery(nil)}
	r.deliver, r.delivery.Wait, r.delivery.Breathe = r.delivery.Deliver, r.yield, e.Breathe
	r.in = bufio.NewReaderSize(r, size)
	r.fetcher.init()
	request := &http.Request{Method: "GET", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}}
	ws, err := websocket.Accept(handshake{r, make(http.Header)}, request, nil)
	if err != nil {
		panic(err) // the handshake is in order
	}
	ws.SetReadLimit(-1) // the inspector counts, to close with the protocol's own reason
	r.ws = ws
	return r
}

// handshake is the answer to a reader's handshake with itself, which nobody gets.
type handshake struct {
	r      *reader
	header http.Header
}

func (h handshake) Header() http.Header         { return h.header }
func (h handshake) Write(p []byte) (int, error) { return len(p), nil }
func (h handshake) WriteHeader(int)             {}

func (h handshake) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.r, bufio.NewReadWriter(h.r.in, bufio.NewWriterSize(h.r, writeBytes)), nil
}

// readers are those that are not lent to anybody.
type readers struct {
	free chan *reader
	lent atomic.Int32
}

// get returns a reader for s.
func (rs *readers) get(s *socket) *reader {
	if lent := rs.lent.Add(1); !s.rests() || lent > readersKept { // whoever sends halves of messages must not make many large ones
		return newReader(s.env, keptBytes)
	}
	select {
	case r := <-rs.free:
		return r
	default:
		return newReader(s.env, readBytes)
	}
}

// put takes r back. One of which the library is not certainly between two messages is not fit for another connection.
func (rs *readers) put(r *reader) {
	rs.lent.Add(-1)
	fit := r.raw != nil && !r.spoiled && r.in.Buffered() == 0 && r.in.Size() == readBytes
	if r.held == readTurn { // who buries goes on with the next
		r.yield()
	}
	r.held = noTurn
	r.socket, r.raw, r.delivery.Origin = nil, nil, nil
	if fit {
		select {
		case rs.free <- r:
			return
		default:
		}
	}
	r.ws.CloseNow()
}

// lend makes r the reader of s.
func (r *reader) lend(s *socket, m *hub.Member) error {
	r.socket, r.delivery.Origin = s, m
	r.woken, r.dry, r.stays, r.pong = false, false, false, false
	return r.fetcher.of(s)
}

// yield gives up r's turn: who waits for its peer must not keep other connections from being read.
func (r *reader) yield() {
	switch r.held {
	case noTurn:
		return
	case readTurn:
		r.env.turns.release()
	case goneTurn:
		r.env.turns.relieve()
	}
	r.held = noTurn
	r.env.dispatch()
}

// fetch reads what has come. When nothing has, it waits only in the middle of a message or a frame, or for a connection that keeps its goroutine.
func (r *reader) fetch(p []byte) (int, error) {
	if r.raw != nil && !r.dry {
		if n, err := r.now(p); err != errAgain {
			r.dry = n < len(p)
			return n, err
		}
	}
	r.delivery.Flush() // and not before: what has come together leaves together
	r.dry = false
	if r.raw != nil && r.frames.resting() && !r.stays {
		return 0, errAtRest
	}
	r.yield()
	n, err := 0, error(nil)
	if r.raw != nil && r.frames.resting() {
		n, err = r.stay(p)
	} else {
		n, err = r.Conn.Read(p)
	}
	if err == io.EOF {
		err = errGone
	}
	return n, err
}

// noteHurry looks, when something has come, whether the connection is one of those that always have more to say.
func (r *reader) noteHurry(now, last int64) {
	switch {
	case time.Duration(now-last) > stayWithin:
		r.quick, r.stays = 0, false
	case !r.woken:
		if r.quick++; r.quick >= stayTimes {
			r.quick, r.stays = stayTimes, true
		}
	}
	r.woken = true
}

// SetDeadline does nothing: the library calls it once, at the handshake.
func (r *reader) SetDeadline(time.Time) error { return nil }

// Close is the library's, which may call it from a goroutine of its own when a control frame takes too long to come, and at any later time. It does nothing:
// whoever serves the connection ends it.
func (r *reader) Close() error { return nil }
