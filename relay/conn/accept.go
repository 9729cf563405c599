package conn

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/wire"
)

// Classic reports whether the handshake r asks for no subprotocol that the relay knows.
func Classic(r *http.Request) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(name) == wire.Subprotocol {
				return false
			}
		}
	}
	return true
}

// Accept answers the handshake r and serves the connection in a goroutine of its own, so that the handler can return and net/http can let its
// buffers go. id is who a classic connection is; a v1 connection says so itself. The origin has been checked. When the handshake is refused the
// answer has been written, except that an error is returned when there is no room.
func Accept(w http.ResponseWriter, r *http.Request, env *Env, id auth.Identity) *wire.Error {
	c := newConn(r, env, &id)
	if Classic(r) {
		c.mode = classic
		if err := env.admit(c, id.Wiki); err != nil {
			return err
		}
	}
	if c.shake(w, r, wire.Subprotocol) {
		c.start()
	}
	return nil
}

func newConn(r *http.Request, env *Env, id *auth.Identity) *Conn {
	c := &Conn{env: env, origin: r.Header.Get("Origin"), identity: id, opened: time.Now().UnixNano()}
	c.sock.frames.limits = &env.Limits
	c.sock.env = env
	return c
}

// shake answers the handshake r and reports whether it was in order. Otherwise nothing is left of the connection.
func (c *Conn) shake(w http.ResponseWriter, r *http.Request, subprotocols ...string) bool {
	h := &hijacker{ResponseWriter: w, conn: c}
	if c.env.Limits.CompressBytes > 0 && c.mode != raw {
		h.extensions = agree(r.Header.Values("Sec-WebSocket-Extensions"))
		c.sock.frames.deflate = h.extensions != ""
	}
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{Subprotocols: subprotocols, InsecureSkipVerify: true})
	if err != nil {
		if c.sock.Conn != nil {
			c.sock.Conn.Close()
		}
		c.dismiss()
		return false
	}
	ws.CloseNow() // it has done its part: a reader's connection takes over
	return true
}

// unused is what the library gets of a connection whose handshake it has answered.
type unused struct{ net.Conn }

func (unused) Close() error { return nil }

// hijacker hands the library the connection's socket in place of net/http's connection, and turns the library's refusals into the relay's form.
type hijacker struct {
	http.ResponseWriter
	conn       *Conn
	code       int
	extensions string // what is agreed on; "": none
}

func (h *hijacker) WriteHeader(code int) {
	if h.code = code; code == http.StatusSwitchingProtocols {
		if h.extensions != "" {
			h.Header().Set("Sec-WebSocket-Extensions", h.extensions)
		}
		h.ResponseWriter.WriteHeader(code)
	}
}

func (h *hijacker) Write(text []byte) (int, error) {
	if h.conn.sock.Conn != nil {
		return 0, http.ErrHijacked
	}
	WriteError(h.ResponseWriter, h.code, wire.NewError(wire.BadRequest, strings.TrimSpace(string(text))))
	return len(text), nil
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s := &h.conn.sock
	s.Conn, s.fd = nc, int32(plainFD(nc))
	if g, ok := nc.(Guest); ok {
		if !g.Upgraded(h.conn.evict) { // the descriptor may be another connection's already
			return nil, nil, net.ErrClosed
		}
		if h.conn.mode != v1 {
			g.Known()
		}
	}
	if early, _ := rw.Reader.Peek(rw.Reader.Buffered()); len(early) > 0 {
		s.prefix = bytes.Clone(early)
	}
	return unused{nc}, bufio.NewReadWriter(bufio.NewReaderSize(nc, 16), bufio.NewWriterSize(nc, 16)), nil
}

// WriteError answers an HTTP request with an error in the protocol's form. It ends the HTTP connection: a proxy that has taken the request for a
// handshake, and what follows for a socket, must not have that taken for requests here.
func WriteError(w http.ResponseWriter, status int, e *wire.Error) {
	var body struct {
		Error struct {
			Code    wire.Code `json:"code"`
			Message string    `json:"message"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message = e.Code, e.Message
	text, _ := json.Marshal(body)         // strings cannot fail
	w.Header().Set("Connection", "close") // net/http looks at the first of these lines only
	if status == http.StatusUpgradeRequired {
		w.Header().Add("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}
