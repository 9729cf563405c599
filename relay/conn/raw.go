package conn

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
)

// Program is what a raw connection is served by. Of one connection the calls come one after the other, and from goroutines that hold up nobody else: they
// may wait. A fault in them ends the connection.
type Program interface {
	// Opened comes first, once the handshake has been answered.
	Opened(c *Conn)
	// Message hands over a message, text or binary, which is the program's to keep.
	Message(c *Conn, data []byte, binary bool)
	// Gone is called once, from anywhere and also while one of the others runs, when the connection takes nothing any more. It must not wait.
	Gone(c *Conn)
	// Closed comes last, when the connection is out of everything; code is the relay's or else the peer's, 0: none.
	Closed(c *Conn, code int)
}

// ErrEnded is what it comes to when something is sent to a raw connection that is ending.
var ErrEnded = errors.New("the connection has ended")

// box is the outbox of a raw connection, as the hub sees it: one that takes nothing any more is in no subscription any more. What only raw connections have
// is here, so that the others need no memory for it.
type box struct {
	*Conn
	program Program

	mu      sync.Mutex
	gone    bool // it may join nothing any more; guarded by mu
	greeted bool // the connection's own goroutine's
}

var _ hub.Outbox = (*box)(nil)

// stranger is who a raw connection is to the relay.
var stranger = new(auth.Identity)

// AcceptRaw answers the handshake r and serves the connection for p, in the mode raw: the relay looks after its frames, limits and end, and p does what the
// messages say. The first subprotocol that was offered is taken. Past until, unless that is zero, the connection ends with 4401. The origin has been
// checked. When the handshake is refused, or the relay is ending, that has been answered and served is false, and p is not called; there is an error, which has
// not been answered, when there is no room.
func AcceptRaw(w http.ResponseWriter, r *http.Request, env *Env, p Program, until time.Time) (served bool, err *wire.Error) {
	id := stranger
	if !until.IsZero() {
		id = &auth.Identity{Expires: until.Add(-expireHold)}
	}
	c := newConn(r, env, id)
	c.mode, c.connected = raw, true
	if err := env.admit(c, ""); err != nil {
		return false, err
	}
	if !c.shake(w, r, firstSubprotocol(r)...) {
		return false, nil
	}
	c.member.Init(&box{Conn: c, program: p}, nil)
	return c.start(), nil
}

// firstSubprotocol returns the first one that r offers, if there is one.
func firstSubprotocol(r *http.Request) []string {
	name, _, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ",")
	if name = strings.TrimSpace(name); name != "" {
		return []string{name}
	}
	return nil
}

func (c *Conn) box() *box { return c.member.Outbox().(*box) }

// welcome tells the program of a raw connection that it is there. Whoever waits for the program has no turn.
func (c *Conn) welcome() {
	if b := c.box(); !b.greeted {
		c.reader.yield()
		b.greeted = true
		b.program.Opened(c)
	}
}

// hear hands a message over to the program, when the connection may send one. What is refused is dropped: the relay has no word for it here.
func (c *Conn) hear(data []byte, binary bool) {
	if err := c.spend(); err != nil {
		c.refused(wire.OpSend, "", err)
		return
	}
	c.reader.yield()
	c.box().program.Message(c, bytes.Clone(data), binary)
}

// goodbye tells the program that the connection has ended.
func (c *Conn) goodbye() {
	c.reader.yield()
	b := c.box()
	b.quit()
	if b.greeted {
		b.program.Closed(c, c.closeCode())
	}
}

// Join subscribes a raw connection to k, unless it is ending. It may be called from anywhere, as may Leave and Push.
func (c *Conn) Join(k engine.Key) {
	b := c.box()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.gone {
		c.env.Hub.Join(&c.member, k)
	}
}

// Leave ends a subscription of a raw connection. When it returns nothing more of it is sent.
func (c *Conn) Leave(k engine.Key) { c.env.Hub.Leave(&c.member, k) }

// Push sends whole frames to a raw connection, without waiting for the peer. After an error it is in no subscription any more.
func (c *Conn) Push(frames []byte) error {
	b := c.box()
	b.Send(frames)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return ErrEnded
	}
	return nil
}

// End ends the connection behind what is queued. A code that no server may send becomes 1000, and of the reason at most 123 bytes are sent.
func (c *Conn) End(code int, reason string) {
	if code < 0 || code > 4999 || !maySend(uint16(code)) {
		code = wire.CloseNormal.Code
	}
	reason = strings.ToValidUTF8(reason, "")
	for len(reason) > maxControl-2 {
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	c.Close(wire.Close{Code: code, Reason: reason})
}

// Program returns what the connection is served by, nil when it is not raw.
func (c *Conn) Program() Program {
	if c.mode != raw {
		return nil
	}
	return c.box().program
}

// Member returns the connection as the hub sees it.
func (c *Conn) Member() *hub.Member { return &c.member }

// RemoteAddr returns the address of the peer, which behind a proxy is the proxy.
func (c *Conn) RemoteAddr() string { return c.remote() }

// Programs returns the programs of the raw connections that have joined k.
func (e *Env) Programs(k engine.Key) []Program {
	members := e.Hub.Members(k)
	all := make([]Program, len(members))
	for i, m := range members {
		all[i] = m.(*box).program
	}
	return all
}

// Queue implements [hub.Outbox].
func (b *box) Queue(frames []byte) bool { return b.sock.Queue(frames) }

// Flush implements [hub.Outbox].
func (b *box) Flush() {
	b.sock.Flush()
	b.check()
}

// Send implements [hub.Outbox].
func (b *box) Send(frames []byte) {
	b.sock.Send(frames)
	b.check()
}

// check takes a connection that takes nothing any more out of its subscriptions. Somebody may just be sending to others of them.
func (b *box) check() {
	if b.sock.over() {
		b.quit()
	}
}

func (b *box) quit() {
	b.mu.Lock()
	first := !b.gone
	if first {
		b.gone = true
		b.env.Hub.LeaveAll(&b.member)
	}
	b.mu.Unlock()
	if first {
		b.program.Gone(b.Conn)
	}
}

// over tells the program of a raw connection, which may be waiting for something else, that the connection is ending.
func (c *Conn) over() {
	if b, ok := c.member.Outbox().(*box); ok {
		b.quit()
	}
}

// over reports whether nothing can be queued any more.
func (s *socket) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealed || s.ending || s.closed
}
