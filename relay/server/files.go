package server

import (
	"container/list"
	"net"
	"sync"
	"syscall"
	"time"

	"mediawiki-websocket/relay/conn"
)

const (
	// reserveFiles is how many open files are kept for the relay's own: listeners, log, state, certificate, and requests under way.
	reserveFiles = 64
	// retryAfter is how many seconds a client that finds no room is asked to wait.
	retryAfter = 5
)

// fileBudget keeps connections from using up the open files that the system allows: a relay without a free one could neither save nor log. Peers
// that have not said who they are, in whatever stage of whatever protocol, may have a quarter of them; when there are more, those that have been
// there for longest end, so that peers that only hold places never keep out one that goes on.
type fileBudget struct {
	max int

	mu        sync.Mutex
	open      int
	strangers list.List // of *countedConn, the oldest first
}

// newFileBudget raises the limit of open files as far as it goes.
func newFileBudget() *fileBudget {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return &fileBudget{max: 1024}
	}
	if soft := l.Cur; soft < l.Max {
		l.Cur = l.Max
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
			l.Cur = soft
		}
	}
	return &fileBudget{max: int(min(l.Cur, 1<<24))}
}

// sockets is how many WebSocket connections there may be.
func (b *fileBudget) sockets() int { return max(1, b.max-reserveFiles) }

// enter takes c in, as a stranger, and returns what must be called to make room for it. It reports false when only connections are open that have
// said who they are.
func (b *fileBudget) enter(c *countedConn) (end func(), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	full := b.open >= max(1, b.max-reserveFiles/2) && !c.inside
	if full || b.strangers.Len() >= max(1, b.sockets()/4) {
		oldest := b.strangers.Front()
		if oldest == nil {
			return nil, false
		}
		victim := b.strangers.Remove(oldest).(*countedConn)
		victim.place, end = nil, victim.end
	}
	if !c.inside {
		b.open++
	}
	c.place, c.end = b.strangers.PushBack(c), func() { c.Close() }
	return end, true
}

// limit returns l, which turns connections away when half of the reserve is used up. It calls breathe before each: those who are there come first.
func (b *fileBudget) limit(l net.Listener, breathe func()) net.Listener {
	return &limitListener{l, b, breathe}
}

type limitListener struct {
	net.Listener
	budget  *fileBudget
	breathe func()
}

const full = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

func (l *limitListener) Accept() (net.Conn, error) {
	for {
		l.breathe()
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		counted := &countedConn{Conn: c, budget: l.budget}
		if end, ok := l.budget.enter(counted); ok {
			if end != nil {
				go end() // within seconds; one that speaks TLS may take them to say goodbye
			}
			return counted, nil
		}
		c.SetWriteDeadline(time.Now().Add(time.Millisecond))
		c.Write([]byte(full)) // a new connection has room for it; if not, the peer sees only the end
		c.Close()
	}
}

// countedConn is a connection that counts in a budget. Its fields are guarded by the budget's lock.
type countedConn struct {
	net.Conn
	budget *fileBudget
	place  *list.Element // among the strangers; nil: it is none, any more
	end    func()
	closed bool
	inside bool // it takes no open file, and counts as a stranger only
}

var _ conn.Guest = (*countedConn)(nil)

// Upgraded implements [conn.Guest].
func (c *countedConn) Upgraded(end func()) bool {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	c.end = end
	return c.place != nil
}

// Known implements [conn.Guest].
func (c *countedConn) Known() {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	c.forget()
}

// forget takes c out of the strangers. The caller holds the budget's lock.
func (c *countedConn) forget() {
	if c.place != nil {
		c.budget.strangers.Remove(c.place)
	}
	c.place, c.end = nil, nil
}

// Plain returns the TCP connection of a peer that does not speak TLS, and otherwise nil.
func (c *countedConn) Plain() *net.TCPConn {
	if p, ok := c.Conn.(interface{ Plain() *net.TCPConn }); ok {
		return p.Plain()
	}
	tcp, _ := c.Conn.(*net.TCPConn)
	return tcp
}

func (c *countedConn) Close() error {
	c.budget.mu.Lock()
	if !c.closed {
		if c.closed = true; !c.inside {
			c.budget.open--
		}
		c.forget()
	}
	c.budget.mu.Unlock()
	return c.Conn.Close()
}
