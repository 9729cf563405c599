package server

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// reserveFiles is how many open files are kept for the relay's own: listeners, log, state, certificate, and requests under way.
	reserveFiles = 64
	// retryAfter is how many seconds a client that finds no room is asked to wait.
	retryAfter = 5
)

// fileBudget keeps connections from using up the open files that the system allows: a relay without a free one could neither save nor log.
type fileBudget struct {
	max  int
	open atomic.Int64
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

// limit returns l, which turns connections away when half of the reserve is used up.
func (b *fileBudget) limit(l net.Listener) net.Listener { return &limitListener{l, b} }

type limitListener struct {
	net.Listener
	budget *fileBudget
}

const full = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

func (l *limitListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.budget.open.Add(1) <= int64(max(1, l.budget.max-reserveFiles/2)) {
			return &countedConn{Conn: c, budget: l.budget}, nil
		}
		c.SetWriteDeadline(time.Now().Add(time.Millisecond))
		c.Write([]byte(full)) // a new connection has room for it; if not, the peer sees only the end
		c.Close()
		l.budget.open.Add(-1)
	}
}

type countedConn struct {
	net.Conn
	budget *fileBudget
	once   sync.Once
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
	c.once.Do(func() { c.budget.open.Add(-1) })
	return c.Conn.Close()
}
