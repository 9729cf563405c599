package conn

import (
	"encoding/binary"
	"math/bits"
)

// utf8Text checks masked text while it comes in, and finds what is wrong at the first byte that is (RFC 3629). The zero value is at the beginning of
// a text.
type utf8Text struct {
	need      uint8 // bytes of the current character that are still to come
	low, high uint8 // between which the next one must be
}

// whole reports whether the text may end here.
func (u *utf8Text) whole() bool { return u.need == 0 }

// high64 is the bits that no ASCII character has.
const high64 = 0x8080808080808080

// check returns how many bytes of p, which are masked with key, continue the text.
func (u *utf8Text) check(p []byte, key uint32) int {
	for n := 0; n < len(p); n++ {
		if u.need == 0 {
			k := turn(key, n)
			wide := uint64(k)<<32 | uint64(k)
			for len(p)-n >= 8 && (binary.LittleEndian.Uint64(p[n:])^wide)&high64 == 0 {
				n += 8
			}
			if n == len(p) {
				break
			}
		}
		if !u.next(p[n] ^ byte(turn(key, n))) {
			return n
		}
	}
	return len(p)
}

func (u *utf8Text) next(b byte) bool {
	if u.need > 0 {
		ok := b >= u.low && b <= u.high
		u.need--
		u.low, u.high = 0x80, 0xbf
		return ok
	}
	if b < 0x80 {
		return true
	}
	u.low, u.high = 0x80, 0xbf
	switch {
	case b < 0xc2 || b > 0xf4: // a continuation, or what only an overlong form or a character past U+10FFFF begins with
		return false
	case b < 0xe0:
		u.need = 1
		return true
	case b < 0xf0:
		u.need = 2
	default:
		u.need = 3
	}
	switch b { // overlong forms, surrogates, past U+10FFFF
	case 0xe0:
		u.low = 0xa0
	case 0xed:
		u.high = 0x9f
	case 0xf0:
		u.low = 0x90
	case 0xf4:
		u.high = 0x8f
	}
	return true
}

// turn returns the masking key as it is n bytes further on (RFC 6455, section 5.3): its lowest byte is for the next byte.
func turn(key uint32, n int) uint32 { return bits.RotateLeft32(key, -8*(n&3)) }
