//go:build linux

package peer

import (
	"bytes"
	"strconv"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/relay/wire"
)

// relay speaks mode v1 as the browser client does: connect with a token and one client, and subscribe right behind it; messages are sent with an id
// and answered.
type relay struct {
	host    string
	wikis   *wikis
	deflate bool
}

var _ gen.Protocol = (*relay)(nil)

func (r *relay) Request(c *gen.Conn) []byte {
	if c.Kind == gen.ShortHTTP {
		body := append([]byte(`{"messages":[{"type":"`), r.wikis.room(c.Room)...)
		body = append(append(body, `","msg":"`...), gen.ShortPayload(c)...)
		more := "Content-Type: application/json\r\nAuthorization: Bearer " + r.wikis.publishToken(c.Room) + "\r\n"
		return post(r.host, "/api/publish", more, append(body, `"}]}`...))
	}
	more := "Sec-WebSocket-Protocol: " + wire.Subprotocol + "\r\n"
	if r.deflate {
		more += "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"
	}
	return handshake(r.host, more)
}

func (r *relay) Opened(l gen.Link, c *gen.Conn) {
	b := gen.AppendText(nil, r.connect(c))
	if c.Kind.Subscribes() {
		b = gen.AppendText(b, r.subscribe(2, c.Room))
	}
	l.Write(c, b)
}

func (r *relay) connect(c *gen.Conn) []byte {
	return []byte(`{"id":1,"op":"connect","token":"` + c.Token + `","clients":["` + client(c) + `"]}`)
}

// client returns the client id of c, of the length that pages have.
func client(c *gen.Conn) string {
	id := "0000000" + strconv.Itoa(c.ID)
	return "WSbench" + id[len(id)-8:]
}

func (r *relay) Message(l gen.Link, c *gen.Conn, p []byte) {
	switch {
	case !bytes.HasPrefix(p, []byte(`{"id":`)):
		if bytes.HasPrefix(p, []byte(`{"error":`)) {
			l.Complain("the relay says", p)
		}
	case !bytes.Contains(p[:min(len(p), 32)], []byte(`,"ok":`)):
		l.Complain("the relay refuses", p)
	case c.State() == gen.Ready:
		c.Told++
	case c.Step == 0 && c.Kind.Subscribes(): // the answer to subscribe comes next
		c.Step++
	default:
		l.SetReady(c)
	}
}

func (r *relay) subscribe(id, room int) []byte {
	return []byte(`{"id":` + strconv.Itoa(id) + `,"op":"subscribe","type":"` + string(r.wikis.room(room)) + `"}`)
}

func (r *relay) AppendPublish(b []byte, c *gen.Conn, room int, payload []byte) []byte {
	c.Asked++
	b = strconv.AppendUint(append(b, `{"id":`...), uint64(c.Asked)+9, 10)
	b = append(append(b, `,"op":"send","type":"`...), r.wikis.room(room)...)
	b = append(append(b, `","msg":"`...), payload...)
	return append(append(append(b, `","from":"`...), client(c)...), `"}`...)
}

// Subscribe makes a connection subscribe to n more rooms of the same wiki, from the given one on. Each is answered: c.Told reaches c.Asked.
func (p *Peer) Subscribe(l gen.Link, c *gen.Conn, from, n int) {
	r := p.Protocol.(*relay)
	var b []byte
	for i := range n {
		c.Asked++
		b = gen.AppendText(b, r.subscribe(int(c.Asked)+9, from+i*len(r.wikis.keys)))
	}
	l.Write(c, b)
}
