//go:build linux

package peer

import (
	"strconv"

	"mediawiki-websocket/bench/gen"
)

// simple is the protocol of climit and naive: "S room" subscribes and is answered with "A", "P room payload" brings the payload to the room.
type simple struct{ host string }

var _ gen.Protocol = simple{}

func (s simple) Request(c *gen.Conn) []byte {
	if c.Kind == gen.ShortHTTP {
		return post(s.host, "/publish?room="+strconv.Itoa(c.Room), "", gen.ShortPayload(c))
	}
	return handshake(s.host, "")
}

func (simple) Opened(l gen.Link, c *gen.Conn) {
	if c.Kind.Subscribes() {
		l.Write(c, gen.AppendText(nil, strconv.AppendInt([]byte("S "), int64(c.Room), 10)))
		return
	}
	l.SetReady(c)
}

func (simple) Message(l gen.Link, c *gen.Conn, p []byte) {
	if string(p) == "A" {
		l.SetReady(c)
	}
}

func (simple) AppendPublish(b []byte, _ *gen.Conn, room int, payload []byte) []byte {
	b = strconv.AppendInt(append(b, "P "...), int64(room), 10)
	return append(append(b, ' '), payload...)
}

// origin is where the pages are from that the connections belong to.
const origin = "https://wiki.example"

// handshake returns a WebSocket handshake as a browser sends it, with more header lines.
func handshake(host, more string) []byte {
	return []byte("GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: " + origin +
		"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + more + "\r\n")
}

// post returns a whole HTTP request, with more header lines.
func post(host, path, more string, body []byte) []byte {
	head := "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + more + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return append([]byte(head), body...)
}
