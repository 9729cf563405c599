package wikitest

import (
	"net"
	"net/http"
	"sync"
	"testing"
)

// A cable is what lies between a browser context and its proxy: what a test
// does to it happens to all connections of the context's tabs and workers,
// which DevTools cannot do to those of a SharedWorker.
type cable struct {
	net.Listener

	mu      sync.Mutex
	conns   map[*cabledConn]struct{}
	cut     bool
	refused int               // since it was cut
	stored  map[string]string // by address: what a cache answers
}

type cabledConn struct {
	net.Conn
	cable  *cable
	closed chan struct{}
	close  func() error

	mu   sync.Mutex
	dead bool
}

func newCable(l net.Listener) *cable {
	return &cable{Listener: l, conns: make(map[*cabledConn]struct{}), stored: make(map[string]string)}
}

// Accept closes what comes while the cable is cut.
func (c *cable) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		cabled := &cabledConn{Conn: conn, cable: c, closed: make(chan struct{})}
		cabled.close = sync.OnceValue(cabled.end)
		c.mu.Lock()
		cut := c.cut
		if cut {
			c.refused++
		} else {
			c.conns[cabled] = struct{}{}
		}
		c.mu.Unlock()
		if !cut {
			return cabled, nil
		}
		conn.Close()
	}
}

func (c *cabledConn) Close() error { return c.close() }

func (c *cabledConn) end() error {
	c.cable.mu.Lock()
	delete(c.cable.conns, c)
	c.cable.mu.Unlock()
	close(c.closed)
	return c.Conn.Close()
}

func (c *cabledConn) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// Read of a dead connection hears nothing until that is closed.
func (c *cabledConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.isDead() {
		return n, err
	}
	<-c.closed
	return 0, net.ErrClosed
}

// Write to a dead connection is lost.
func (c *cabledConn) Write(p []byte) (int, error) {
	if c.isDead() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *cable) open() []*cabledConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	var conns []*cabledConn
	for conn := range c.conns {
		conns = append(conns, conn)
	}
	return conns
}

// serve answers a request for what is stored; false: it is not.
func (c *cable) serve(rw http.ResponseWriter, r *http.Request) bool {
	c.mu.Lock()
	body, ok := c.stored[r.URL.String()]
	c.mu.Unlock()
	if ok {
		rw.Header().Set("Content-Type", "text/html; charset=UTF-8")
		rw.Write([]byte(body)) // a browser that does not wait for it is none of our business
	}
	return ok
}

// Offline ends all connections of the context and lets none be made until
// online is called, at the latest by the test's end.
func (c *Context) Offline(t testing.TB) (online func()) {
	t.Helper()
	line := c.tap.cable
	line.mu.Lock()
	line.cut, line.refused = true, 0
	line.mu.Unlock()
	for _, conn := range line.open() {
		conn.Close()
	}
	online = sync.OnceFunc(func() {
		line.mu.Lock()
		defer line.mu.Unlock()
		line.cut = false
	})
	t.Cleanup(online)
	return online
}

// Refused returns how many attempts to connect there have been since Offline.
func (c *Context) Refused() int {
	c.tap.cable.mu.Lock()
	defer c.tap.cable.mu.Unlock()
	return c.tap.cable.refused
}

// Deaden loses from now on all that goes over the connections that are open,
// in both directions, without ending them, as a router does that has forgotten
// them. New connections work.
func (c *Context) Deaden() {
	for _, conn := range c.tap.cable.open() {
		conn.mu.Lock()
		conn.dead = true
		conn.mu.Unlock()
	}
}

// Store puts a page into a cache between the browser and the wiki, which
// answers for the wiki from now on. The address must be one of http.
func (c *Context) Store(url, html string) {
	c.tap.cable.mu.Lock()
	defer c.tap.cable.mu.Unlock()
	c.tap.cable.stored[url] = html
}
