package server_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// The first bytes of whole frames.
const (
	textFrame   = 0x81
	binaryFrame = 0x82
	closeFrame  = 0x88
	pingFrame   = 0x89
	pongFrame   = 0x8a
	fin         = 0x80
)

// peer is a client whose bytes the test itself makes and sees.
type peer struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

// generous is a farm where a test may do many things at once.
func generous(c *config.Config) {
	farm(c)
	many := 1 << 30
	for _, r := range []*int{&c.Limits.Bytes.Burst, &c.Limits.Messages.Burst, &c.Limits.Commands.Burst, &c.Limits.Pings.Burst,
		&c.Limits.WikiMessages.Burst, &c.Limits.WikiPublishes.Burst} {
		*r = many
	}
}

// newPeer opens a connection of two clients, A and B, that subscribes to the type T: B gets what A sends, so that the peer sees its own messages.
func newPeer(t testing.TB, r *relaytest.Relay) *peer {
	t.Helper()
	p := barePeer(t, r)
	p.connect()
	return p
}

func (p *peer) connect() {
	p.t.Helper()
	p.send(mask(textFrame, `{"id":1,"op":"connect","clients":["A","B"]}`), mask(textFrame, `{"id":2,"op":"subscribe","type":"T"}`))
	for _, want := range []string{`{"id":1,"ok":`, `{"id":2,"ok":`} {
		if got := p.text(); !strings.HasPrefix(got, want) {
			p.t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// barePeer opens a connection that has said nothing yet.
func barePeer(t testing.TB, r *relaytest.Relay) *peer {
	t.Helper()
	c, in := raw(t, r, wire.Subprotocol)
	return &peer{c, t, in}
}

// mask returns a frame as a client sends it: whole when the first byte has FIN, with the shortest form of the length.
func mask(first byte, payload string) []byte {
	return maskAs(first, payload, len(payload), 0)
}

// maskAs returns a frame whose head promises n bytes. form is 126 or 127 for that form of the length, 0 for the shortest.
func maskAs(first byte, payload string, n, form int) []byte {
	b := []byte{first}
	switch {
	case form == 127 || form == 0 && n >= 1<<16:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	case form == 126 || form == 0 && n >= 126:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = append(b, 0x80|byte(n))
	}
	key := [4]byte{0x12, 0xe4, 0x00, 0xff}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

func closing(code int, reason string) []byte {
	return mask(closeFrame, string([]byte{byte(code >> 8), byte(code)})+reason)
}

// send sends frames in one write. The relay may have ended the connection meanwhile: what comes of it is what the test looks at.
func (p *peer) send(frames ...[]byte) {
	var all []byte
	for _, f := range frames {
		all = append(all, f...)
	}
	p.Write(all)
}

// drip sends frames byte by byte, each in a segment of its own.
func (p *peer) drip(frames ...[]byte) {
	for _, f := range frames {
		for i := range f {
			if _, err := p.Write(f[i : i+1]); err != nil {
				return
			}
		}
	}
}

// chop sends frames with send or, when slowly, with drip.
func (p *peer) chop(slowly bool, frames ...[]byte) {
	if slowly {
		p.drip(frames...)
	} else {
		p.send(frames...)
	}
}

func (p *peer) expect(op byte, payload string) {
	p.t.Helper()
	gotOp, got, err := readFrame(p.in)
	if err != nil || gotOp != op&0x0f || got != payload {
		p.t.Errorf("got opcode %d %.200q %v, want %d %.200q", gotOp, got, err, op&0x0f, payload)
	}
}

// text returns the next frame, which must be text.
func (p *peer) text() string {
	p.t.Helper()
	op, got, err := readFrame(p.in)
	if err != nil || op != 1 {
		p.t.Fatalf("got opcode %d %q %v, want text", op, got, err)
	}
	return got
}

// message returns a message from A to T, and what B gets of it up to its offset.
func message(payload string) (sent, got string) {
	return `{"type":"T","from":"A","msg":"` + payload + `"}`, `{"type":"T","msg":"` + payload + `","from":"A"`
}

// messageOf returns a message of so many bytes.
func messageOf(n int) (sent, got string) {
	sent, _ = message("")
	return message(strings.Repeat("x", n-len(sent)))
}

func (p *peer) expectMessage(want string) {
	p.t.Helper()
	if got := p.text(); !strings.HasPrefix(got, want) {
		p.t.Errorf("got %.200q, want %.200q", got, want)
	}
}

// expectClose fails the test unless the next frame is this close frame, answers it, and sees to it that the relay ends the connection in an orderly
// way.
func (p *peer) expectClose(code int, reason string) {
	p.t.Helper()
	p.readClose(code, reason)
	p.send(closing(1000, ""))
	p.expectEnd()
}

// expectAnswer is expectClose after the peer has closed.
func (p *peer) expectAnswer(code int, reason string) {
	p.t.Helper()
	p.readClose(code, reason)
	p.expectEnd()
}

func (p *peer) readClose(code int, reason string) {
	p.t.Helper()
	op, got, err := readFrame(p.in)
	for op == 1 && err == nil { // replies to what came before
		op, got, err = readFrame(p.in)
	}
	want := string([]byte{byte(code >> 8), byte(code)}) + reason
	if code == 0 {
		want = ""
	}
	if err != nil || op != 8 || got != want {
		p.t.Errorf("got opcode %d %q %v, want close %d %q", op, got, err, code, reason)
	}
}

func (p *peer) expectEnd() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.in); err != nil || len(rest) > 0 {
		p.t.Errorf("after the close frame: %q %v, want the end", rest, err)
	}
	p.Close()
}

// patience sets the peer's deadlines anew.
func (p *peer) patience() { p.SetDeadline(time.Now().Add(relaytest.Patience)) }
