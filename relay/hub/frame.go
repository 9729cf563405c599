package hub

import (
	"encoding/binary"
	"slices"
	"strings"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// The opcodes of frames that the relay writes itself (RFC 6455, section 5.2), with FIN set.
const (
	opText   = 0x81
	opBinary = 0x82
	opClose  = 0x88
	opPing   = 0x89
)

// headBytes is room for the longest head of an unmasked frame.
const headBytes = 10

// Ping is an empty ping frame.
var Ping = []byte{opPing, 0}

// NewFrame returns a buffer to which a text frame's payload, of about so many bytes, can be appended; [Seal] makes it a frame.
func NewFrame(payload int) []byte { return make([]byte, headBytes, headBytes+payload) }

// Seal turns what was appended to a buffer of [NewFrame] into a whole frame. A server's frames are not masked, so that all receivers can share
// one; nobody may change it afterwards.
func Seal(b []byte) []byte {
	n := len(b) - headBytes
	switch {
	case n < 126:
		b[8], b[9] = opText, byte(n)
		return b[8:]
	case n < 1<<16:
		b[6], b[7] = opText, 126
		binary.BigEndian.PutUint16(b[8:], uint16(n))
		return b[6:]
	}
	b[0], b[1] = opText, 127
	binary.BigEndian.PutUint64(b[2:], uint64(n))
	return b
}

// SealBinary is [Seal] for a binary frame.
func SealBinary(b []byte) []byte {
	b = Seal(b)
	b[0] = opBinary
	return b
}

// CloseFrame returns the close frame for c, whose reason must be at most 123 bytes.
func CloseFrame(c wire.Close) []byte {
	b := []byte{opClose, byte(2 + len(c.Reason)), byte(c.Code >> 8), byte(c.Code)}
	return append(b, c.Reason...)
}

// Followers is the key of those who are told who comes to k and goes. No type can have this name.
func Followers(k engine.Key) engine.Key { return engine.Key{Wiki: k.Wiki, Type: followers + k.Type} }

// Followed returns the type that a key of [Followers] is about.
func Followed(k engine.Key) (t string, ok bool) { return strings.CutPrefix(k.Type, followers) }

const followers = "\x00"

// AppendMessage appends m's frame to b, which may have others in it.
func AppendMessage(b []byte, m *engine.Message) []byte {
	const rest = 96 // the members' names, the offset
	start := len(b)
	b = slices.Grow(b, headBytes+rest+len(m.Type)+len(m.Msg)+len(m.From)+len(m.To)+len(m.User))
	b = codec.AppendMessage(append(b, make([]byte, headBytes)...), &m.Message)
	frame := Seal(b[start:])
	return b[:start+copy(b[start:], frame)]
}
