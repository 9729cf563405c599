package server

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/wire"
)

// dial opens the WebSocket inside of the relay. When it is refused the answer has been written and false is returned.
func (f *fallback) dial(w http.ResponseWriter, r *http.Request) bool {
	here, there := net.Pipe()
	counted := &countedConn{Conn: &remote{there, address(r.RemoteAddr)}, budget: f.s.files, inside: true}
	evict, ok := f.s.files.enter(counted) // or else connections that nobody polls could be as many as somebody likes
	if !ok {
		here.Close()
		f.s.busy(w)
		return false
	}
	if evict != nil {
		go evict() // within seconds
	}
	t := &inside{s: f.s, conn: &insider{counted, f}, body: &flusher{here, f}}
	ws, _, err := websocket.Dial(r.Context(), "ws://relay/", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: t}, HTTPHeader: http.Header{"Origin": r.Header.Values("Origin")}, Host: r.Host,
		Subprotocols: []string{wire.Subprotocol}, OnPingReceived: func(context.Context, []byte) bool { return f.out.ping() },
	})
	if err != nil {
		here.Close()
		counted.Close()
		t.answer.pass(w)
		return false
	}
	ws.SetReadLimit(-1)
	f.ws.Store(ws)
	return true
}

// inside is the network between the WebSocket client and the relay around it.
type inside struct {
	s      *Server
	conn   net.Conn
	body   io.ReadWriteCloser
	answer *answer
}

// RoundTrip implements [http.RoundTripper].
func (t *inside) RoundTrip(r *http.Request) (*http.Response, error) {
	t.answer = &answer{header: make(http.Header), conn: t.conn}
	t.s.upgrade(t.answer, r)
	response := &http.Response{StatusCode: t.answer.code, Header: t.answer.header, Request: r, Body: t.body}
	if t.answer.code != http.StatusSwitchingProtocols {
		response.Body = io.NopCloser(bytes.NewReader(t.answer.text))
	}
	return response, nil
}

// answer keeps the answer to a handshake.
type answer struct {
	header http.Header
	code   int
	text   []byte
	conn   net.Conn
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.text = append(a.text, p...)
	return len(p), nil
}

// Hijack implements [http.Hijacker].
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return a.conn, bufio.NewReadWriter(bufio.NewReaderSize(a.conn, 16), bufio.NewWriterSize(a.conn, 16)), nil
}

// pass gives the refusal to who has asked.
func (a *answer) pass(w http.ResponseWriter) {
	if a == nil || a.code < http.StatusBadRequest {
		refuse(w, wire.NewError(wire.Unavailable, "the connection ended at once"))
		return
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.code)
	w.Write(a.text)
}

// insider is the relay's end of the pipe. It is a [conn.Guest] as a connection from outside is.
type insider struct {
	*countedConn
	f *fallback
}

func (c *insider) Known() {
	c.countedConn.Known()
	c.f.known.Store(true)
	c.f.out.welcome()
}

// flusher is the client's end of the pipe: before it waits for more, what has come goes on.
type flusher struct {
	net.Conn
	f *fallback
}

func (c *flusher) Read(p []byte) (int, error) {
	c.f.out.flush()
	return c.Conn.Read(p)
}

// remote is the end of a pipe with the address of a peer, for the log.
type remote struct {
	net.Conn
	address address
}

func (r *remote) RemoteAddr() net.Addr { return r.address }

// Close stops the pipe's timers, too, which would keep it in memory until they run out.
func (r *remote) Close() error {
	r.SetDeadline(time.Time{})
	return r.Conn.Close()
}

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }
