package gen

import "encoding/binary"

// The opcodes that a generator meets (RFC 6455, section 5.2).
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// AppendText appends a text frame of a client. Its mask is zero, so that masking costs the generator nothing; the server unmasks it all the same.
func AppendText(b, payload []byte) []byte { return appendFrame(b, opText, payload) }

// AppendClose appends the close frame that says that all is well.
func AppendClose(b []byte) []byte { return appendFrame(b, opClose, []byte{0x03, 0xe8}) }

func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, payload...)
}

// frame is one frame of a server.
type frame struct {
	op         byte
	compressed bool // RSV1, RFC 7692
	payload    []byte
}

// parseFrame reads the frame at the beginning of b and returns how many bytes it has, or 0 when it is not complete.
func parseFrame(b []byte) (f frame, n int) {
	if len(b) < 2 {
		return f, 0
	}
	head, length := 2, uint64(b[1]&0x7f)
	switch {
	case length == 126 && len(b) >= 4:
		head, length = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case length == 127 && len(b) >= 10:
		head, length = 10, binary.BigEndian.Uint64(b[2:])
	case length >= 126:
		return f, 0
	}
	if uint64(len(b)-head) < length {
		return f, 0
	}
	n = head + int(length)
	return frame{b[0] & 0x0f, b[0]&0x40 != 0, b[head:n]}, n
}
