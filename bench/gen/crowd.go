//go:build linux

package gen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Crowd is connections over TLS. Each has a goroutine and Go's TLS, so that it is slower than an [Engine] by far: good for what a server costs, not
// for how much it can do.
type Crowd struct {
	Delivered atomic.Uint64 // messages that subscribers got
	ReadyNow  atomic.Int64  // connections that are ready
	Refused   atomic.Uint64

	protocol Protocol
	address  string
	conns    sync.WaitGroup
	mu       sync.Mutex
	open     []*tls.Conn
}

var _ Link = (*Crowd)(nil)

// NewCrowd returns a crowd for a server on a port of 127.0.0.1, whose certificate is not looked at. [Crowd.Close] ends it.
func NewCrowd(port int, p Protocol) *Crowd {
	return &Crowd{protocol: p, address: "127.0.0.1:" + strconv.Itoa(port)}
}

// Close ends all connections and waits for that.
func (w *Crowd) Close() {
	w.mu.Lock()
	for _, c := range w.open {
		c.NetConn().Close()
	}
	w.mu.Unlock()
	w.conns.Wait()
}

// Connect brings the connections to readiness, so many at a time, or returns why that did not work within the limit.
func (w *Crowd) Connect(list []*Conn, most int, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	slots, faults := make(chan struct{}, most), make(chan error, len(list))
	for _, c := range list {
		slots <- struct{}{}
		w.conns.Add(1)
		go w.live(ctx, c, func(err error) { // ends with the connection
			<-slots
			faults <- err
		})
	}
	var err error
	for range list {
		err = errors.Join(err, <-faults)
	}
	return err
}

// live connects c, reports when it is ready, and reads until the connection ends.
func (w *Crowd) live(ctx context.Context, c *Conn, ready func(error)) {
	defer w.conns.Done()
	report := sync.OnceFunc(func() { ready(nil) })
	if err := w.connect(ctx, c); err != nil {
		ready(err)
		return
	}
	buffer, have := make([]byte, 4<<10), 0
	for {
		n, err := c.secure.Read(buffer[have:])
		if err != nil {
			if c.state != Ready {
				ready(fmt.Errorf("before it was ready: %w", err))
			} else {
				w.ReadyNow.Add(-1)
			}
			return
		}
		have += n
		used := w.consume(c, buffer[:have])
		have = copy(buffer, buffer[used:have])
		if have == len(buffer) {
			buffer = append(buffer, make([]byte, len(buffer))...)
		}
		if c.state == Ready {
			report()
		}
	}
}

func (w *Crowd) connect(ctx context.Context, c *Conn) error {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", w.address)
	if err != nil {
		return err
	}
	c.secure = tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	w.mu.Lock()
	w.open = append(w.open, c.secure)
	w.mu.Unlock()
	if err := c.secure.HandshakeContext(ctx); err != nil {
		return err
	}
	c.state = Handshaking
	w.Write(c, w.protocol.Request(c))
	return nil
}

func (w *Crowd) consume(c *Conn, b []byte) int {
	used := 0
	if c.state == Handshaking {
		head, _, ok := strings.Cut(string(b), string(endOfHead))
		if !ok {
			return 0
		}
		used, c.state = len(head)+len(endOfHead), Open
		w.protocol.Opened(w, c)
	}
	for {
		f, n := parseFrame(b[used:])
		if n == 0 {
			return used
		}
		used += n
		switch {
		case f.op == opPing:
			w.Write(c, appendFrame(nil, opPong, f.payload))
		case f.op > opBinary:
		case c.state == Ready && c.Kind == Subscriber && (f.compressed || findStamp(f.payload, c.hint) >= 0):
			c.hint = max(0, findStamp(f.payload, c.hint))
			w.Delivered.Add(1)
		default:
			w.protocol.Message(w, c, f.payload)
		}
	}
}

// Write implements [Link]. An error shows when the connection is read.
func (w *Crowd) Write(c *Conn, b []byte) { c.secure.Write(b) }

// SetReady implements [Link].
func (w *Crowd) SetReady(c *Conn) {
	c.state = Ready
	w.ReadyNow.Add(1)
}

// Complain implements [Link].
func (w *Crowd) Complain(what string, p []byte) {
	if w.Refused.Add(1) == 1 {
		fmt.Fprintf(os.Stderr, "# %s: %.300q\n", what, p)
	}
}
