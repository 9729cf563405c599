package conn

import (
	"encoding/binary"

	"mediawiki-websocket/relay/wire"
)

// The first two bytes of a frame's head (RFC 6455, section 5.2).
const (
	bitFIN  = 0x80
	bitsRSV = 0x70
	bitRSV1 = 0x40
	bitsOp  = 0x0f
	bitMask = 0x80
)

const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opControl      = 8 // this and all above
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

const (
	codeProtocol   = 1002
	maxControl     = 125 // bytes of a control frame's payload (section 5.5)
	maskBytes      = 4
	shortHead      = 2 + maskBytes
	mediumHead     = shortHead + 2
	longHead       = shortHead + 8
	smallestMedium = 126
	smallestLong   = 1 << 16
)

// What a peer that breaks RFC 6455 is told.
var (
	faultReserved   = &wire.Close{Code: codeProtocol, Reason: "reserved bit set"}
	faultOpcode     = &wire.Close{Code: codeProtocol, Reason: "reserved opcode"}
	faultControl    = &wire.Close{Code: codeProtocol, Reason: "control frame in fragments"}
	faultLong       = &wire.Close{Code: codeProtocol, Reason: "control frame of more than 125 bytes"}
	faultUnmasked   = &wire.Close{Code: codeProtocol, Reason: "frame without a mask"}
	faultNothing    = &wire.Close{Code: codeProtocol, Reason: "continuation of no message"}
	faultUnfinished = &wire.Close{Code: codeProtocol, Reason: "new message within another"}
	faultLength     = &wire.Close{Code: codeProtocol, Reason: "length not in its shortest form"}
	faultClose      = &wire.Close{Code: codeProtocol, Reason: "close frame of one byte"}
	faultCode       = &wire.Close{Code: codeProtocol, Reason: "close code that may not be sent"}
)

// inspector checks the frames of one peer while their bytes come in, before the library sees them: the library looks neither at UTF-8 nor at close
// reasons, and does not count fragments. It allocates nothing.
//
// Where permessage-deflate is agreed on (RFC 7692), RSV1 is good on the first frame of a text, which can only be checked once it is inflated. The
// library knows no such bit. To it the frame becomes one of a binary message: those are not spoken, and end such a connection here, so that behind the
// inspector binary means compressed text.
type inspector struct {
	limits *Limits

	head [longHead]byte
	have uint8 // bytes of the head that are there
	want uint8 // bytes of the whole head, once the second byte says so

	fin  bool
	op   uint8
	key  uint32 // of the next byte and the three behind it
	long int32  // bytes of the payload, once the head says so; limits are at most 2^30
	left int32  // those that are still to come; 0: a head comes next

	frames int32 // of the message; 0: none is under way
	size   int32 // bytes of the message, all of its last frame included
	text   bool  // what the message is, binary otherwise
	utf8   utf8Text

	closed bool   // the peer's close frame was whole: what follows is no frame
	coded  uint8  // bytes of a close frame's code that are there
	code   uint16 // the code

	// For the caller to take back: whether something has begun, and how many pings and pongs, and how many frames of any kind, there were.
	began   bool
	deflate bool // permessage-deflate is agreed on
	pings   int32
	ended   int32
}

// look takes the next bytes and returns how many of them are in order, and what is wrong with the one behind. That one is always needed to complete
// something: who is given only those in order waits for more. Of what follows a close frame nothing is in order, and that is no fault. The first byte of
// a compressed message is changed.
func (i *inspector) look(p []byte) (n int, fault *wire.Close) {
	for n < len(p) && !i.closed {
		if i.left == 0 {
			if fault = i.next(p[n]); fault != nil {
				return n, fault
			}
			if i.have == 1 && p[n]&bitRSV1 != 0 {
				p[n] = p[n]&bitFIN | opBinary
			}
			n++
			continue
		}
		k := min(int(i.left), len(p)-n)
		at, fault := i.payload(p[n : n+k])
		if fault != nil {
			return n + at, fault
		}
		n += k
	}
	return n, nil
}

// resting reports whether neither a frame nor a message is under way.
func (i *inspector) resting() bool { return i.have == 0 && i.left == 0 && i.frames == 0 }

// next takes a byte of a head.
func (i *inspector) next(b byte) *wire.Close {
	if i.resting() {
		i.began = true
	}
	i.head[i.have] = b
	i.have++
	var fault *wire.Close
	switch i.have {
	case 1:
		return i.first(b)
	case 2:
		fault = i.second(b)
	}
	if fault == nil && i.have >= 2 && i.have == i.want-maskBytes {
		fault = i.length()
	}
	if fault != nil || i.have < i.want {
		return fault
	}
	i.have, i.left = 0, i.long
	i.key = binary.LittleEndian.Uint32(i.head[i.want-maskBytes:])
	if i.left == 0 {
		return i.end()
	}
	return nil
}

func (i *inspector) first(b byte) *wire.Close {
	i.fin, i.op = b&bitFIN != 0, b&bitsOp
	deflated := b&bitsRSV == bitRSV1 && i.deflate && (i.op == opText || i.op == opBinary)
	switch {
	case b&bitsRSV != 0 && !deflated:
		return faultReserved
	case i.op > opPong || i.op > opBinary && i.op < opControl:
		return faultOpcode
	case i.op >= opControl && !i.fin:
		return faultControl
	case i.op == opClose:
		i.utf8 = utf8Text{} // what there is of a message does not matter any more
		return nil
	case i.op >= opControl:
		i.pings++
		return nil
	case i.op == opContinuation && i.frames == 0:
		return faultNothing
	case i.op != opContinuation && i.frames > 0:
		return faultUnfinished
	case i.op == opBinary && i.deflate:
		return &wire.CloseBadProtocol
	case i.op != opContinuation:
		i.text, i.size = i.op == opText && !deflated, 0
	}
	if i.frames++; int(i.frames) > i.limits.Fragments {
		return &wire.CloseFragments
	}
	return nil
}

func (i *inspector) second(b byte) *wire.Close {
	switch n := b &^ bitMask; {
	case b&bitMask == 0:
		return faultUnmasked
	case i.op >= opControl && n > maxControl:
		return faultLong
	case n < smallestMedium:
		i.want = shortHead
	case n == smallestMedium:
		i.want = mediumHead
	default:
		i.want = longHead
	}
	return nil
}

// length takes the length of the payload, whose last byte has come.
func (i *inspector) length() *wire.Close {
	n := uint64(i.head[1] &^ bitMask)
	switch i.want {
	case mediumHead:
		if n = uint64(binary.BigEndian.Uint16(i.head[2:])); n < smallestMedium {
			return faultLength
		}
	case longHead:
		if n = binary.BigEndian.Uint64(i.head[2:]); n < smallestLong || n>>63 != 0 {
			return faultLength
		}
	}
	switch {
	case i.op == opClose && n == 1:
		return faultClose
	case i.op < opControl && n > uint64(i.limits.FrameBytes)-uint64(i.size):
		return &wire.CloseTooLarge
	case i.op < opControl:
		i.size += int32(n)
	}
	i.long = int32(n)
	return nil
}

// payload takes bytes of the current frame's payload, and at most to its end. It returns the place of the byte that is wrong.
func (i *inspector) payload(p []byte) (int, *wire.Close) {
	switch {
	case i.op == opClose:
		if at, fault := i.closing(p); fault != nil {
			return at, fault
		}
	case i.op < opControl && i.text:
		if at := i.utf8.check(p, i.key); at < len(p) {
			return at, &wire.CloseNotUTF8
		}
	}
	i.key = turn(i.key, len(p))
	if i.left -= int32(len(p)); i.left > 0 {
		return 0, nil
	}
	return len(p) - 1, i.end()
}

// end ends a frame.
func (i *inspector) end() *wire.Close {
	i.ended++
	switch {
	case i.op == opClose:
		i.closed = true
	case i.op >= opControl || !i.fin:
		return nil
	default:
		i.frames = 0
	}
	if (i.text || i.closed) && !i.utf8.whole() {
		return &wire.CloseNotUTF8
	}
	return nil
}

// closing takes bytes of a close frame: a code of two bytes and a reason.
func (i *inspector) closing(p []byte) (at int, fault *wire.Close) {
	for ; at < len(p) && i.coded < 2; at++ {
		i.code = i.code<<8 | uint16(p[at]^byte(turn(i.key, at)))
		if i.coded++; i.coded == 2 && !maySend(i.code) {
			return at, faultCode
		}
	}
	reason := p[at:]
	if n := i.utf8.check(reason, turn(i.key, at)); n < len(reason) {
		return at + n, &wire.CloseNotUTF8
	}
	return 0, nil
}

// maySend reports whether a close frame may carry the code: RFC 6455, section 7.4, with IANA's registry of close codes.
func maySend(code uint16) bool {
	switch {
	case code < 1000 || code > 4999, code > 1014 && code < 3000:
		return false
	case code == 1004 || code == 1005 || code == 1006:
		return false
	}
	return true
}
