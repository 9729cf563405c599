package conn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"mediawiki-websocket/relay/wire"
)

// maskedFrame returns a frame as a client sends it.
func maskedFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := [4]byte{0xa5, 0x00, 0x5b, 0xff}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

func testLimits() *Limits {
	l := DefaultLimits()
	l.FrameBytes, l.Fragments = 1000, 4
	return &l
}

// inspectIn gives p to a new inspector in pieces of the given lengths, the rest at once.
func inspectIn(p []byte, pieces ...int) (n int, fault *wire.Close, i *inspector) {
	return inspectAs(false, p, pieces...)
}

// inspectAs is inspectIn with permessage-deflate agreed on or not. It changes p then.
func inspectAs(deflate bool, p []byte, pieces ...int) (n int, fault *wire.Close, i *inspector) {
	i = &inspector{limits: testLimits(), deflate: deflate}
	for _, k := range append(pieces, len(p)) {
		k = min(k, len(p)-n)
		at, fault := i.look(p[n : n+k])
		if n += at; fault != nil || at < k {
			return n, fault, i
		}
	}
	return n, nil, i
}

// reference is the inspector as it would be written if all were there at once. It returns how many bytes are in order, and the code of the fault
// that is behind them, 0 for none.
func reference(p []byte, l *Limits, deflate bool) (int, int) {
	var message []byte
	frames, text := 0, false
	for at := 0; at < len(p); {
		b := p[at]
		fin, op := b>>7 == 1, b&15
		control := op > 7
		switch {
		case b&0x70 != 0 && !(deflate && b&0x70 == 0x40 && (op == 1 || op == 2)), op > 2 && op < 8, op > 10, control && !fin, !control && (op == 0) != (frames > 0):
			return at, 1002
		case deflate && op == 2:
			return at, 4500
		case !control:
			if op > 0 {
				text, message = op == 1 && b&0x70 == 0, nil
			}
			if frames++; frames > l.Fragments {
				return at, 1008
			}
		}
		if at+1 == len(p) {
			break
		}
		n, head := uint64(p[at+1]&127), 2
		if p[at+1] < 128 || control && n > 125 {
			return at + 1, 1002
		}
		if extra := map[uint64]int{126: 2, 127: 8}[n]; extra > 0 {
			if head += extra; at+head > len(p) {
				break
			}
			n = 0
			for _, b := range p[at+2 : at+head] {
				n = n<<8 | uint64(b)
			}
			if n < 126 || extra == 8 && (n < 1<<16 || n >= 1<<63) {
				return at + head - 1, 1002
			}
		}
		switch {
		case op == 8 && n == 1:
			return at + head - 1, 1002
		case !control && uint64(len(message))+n > uint64(l.FrameBytes):
			return at + head - 1, 1009
		}
		if at+head+4 > len(p) {
			break
		}
		key := p[at+head : at+head+4]
		head += 4
		var payload []byte
		for i, b := range p[at+head : min(len(p), at+head+int(n))] {
			payload = append(payload, b^key[i%4])
		}
		whole := len(payload) == int(n)
		var checked []byte
		before := 0
		switch {
		case op == 8 && len(payload) >= 2:
			if code := int(payload[0])<<8 | int(payload[1]); code < 1000 || code > 4999 || code > 1014 && code < 3000 || code > 1003 && code < 1007 {
				return at + head + 1, 1002
			}
			checked, before = payload[2:], -2
		case !control && text:
			checked, before = append(message, payload...), len(message)
		}
		if bad := badUTF8(checked, whole && fin); bad >= 0 {
			return at + head + bad - before, 1007
		}
		if !control {
			message = append(message, payload...)
		}
		if !whole {
			break
		}
		at += head + int(n)
		if op == 8 {
			return at, 0
		}
		if !control && fin {
			frames = 0
		}
	}
	return len(p), 0
}

// badUTF8 returns the place of the first byte with which b cannot be, or begin, a text; of one that ends too early the last byte.
func badUTF8(b []byte, ends bool) int {
	for at := 0; at < len(b); {
		r, n := utf8.DecodeRune(b[at:])
		if r != utf8.RuneError || n != 1 {
			at += n
			continue
		}
		for n = 1; at+n <= len(b); n++ {
			if utf8.FullRune(b[at : at+n]) {
				return at + n - 1
			}
		}
		if ends {
			return len(b) - 1
		}
		return -1
	}
	return -1
}

// FuzzInspector holds the inspector, which gets its bytes in pieces as they come, against the reference, which has all at once.
func FuzzInspector(f *testing.F) {
	join := func(frames ...[]byte) (all []byte) {
		for _, frame := range frames {
			all = append(all, frame...)
		}
		return all
	}
	for _, seed := range [][]byte{
		join(maskedFrame(0x81, "plain"), maskedFrame(0x89, "ping"), maskedFrame(0x88, "\x03\xe8bye")),
		join(maskedFrame(0x01, "κόσ\xce"), maskedFrame(0x8a, ""), maskedFrame(0x80, "\xbcε"), maskedFrame(0x88, "")),
		join(maskedFrame(0x02, "\xff"), maskedFrame(0x00, "\xfe"), maskedFrame(0x80, "")),
		join(maskedFrame(0x01, ""), maskedFrame(0x00, ""), maskedFrame(0x00, ""), maskedFrame(0x00, ""), maskedFrame(0x80, "")),
		join(maskedFrame(0x81, strings.Repeat("x", 999)+"é")),
		join(maskedFrame(0x81, strings.Repeat("é", 500))),
		join(maskedFrame(0x01, "\xf0\x9f\x98"), maskedFrame(0x88, "\x0b\xb8\xf0\x9f\x98\x80"), maskedFrame(0x81, "more")),
		maskedFrame(0x88, "\x03\xed"), maskedFrame(0x88, "\x03"), maskedFrame(0xc1, "x"), maskedFrame(0x83, "x"), maskedFrame(0x09, "x"),
		maskedFrame(0x81, "\xed\xa0\x80"), maskedFrame(0x81, "\xf4\x90\x80\x80"), maskedFrame(0x81, "\xc0\x80"), maskedFrame(0x81, "12345678\xc3"),
		{0x81, 0xfe, 0x00, 0x7d, 0, 0, 0, 0}, {0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, {0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}, {0x81, 0x05},
	} {
		f.Add(seed, uint64(1))
	}
	f.Fuzz(func(t *testing.T, p []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		pieces := make([]int, 0, len(p))
		for rest := len(p); rest > 0; rest -= pieces[len(pieces)-1] {
			pieces = append(pieces, 1+random.IntN(min(rest, 1+random.IntN(20))))
		}
		for k, pieces := range [][]int{nil, pieces, nil, pieces} {
			deflate := k > 1
			wantAt, wantCode := reference(p, testLimits(), deflate)
			at, fault, i := inspectAs(deflate, bytes.Clone(p), pieces...)
			code := 0
			if fault != nil {
				code = fault.Code
			}
			if at != wantAt || code != wantCode {
				t.Fatalf("in pieces of %v, deflate %t: %d at %d, want %d at %d\n% x", pieces, deflate, code, at, wantCode, wantAt, p)
			}
			if fault == nil && !i.closed && at != len(p) {
				t.Fatalf("in pieces of %v: %d of %d bytes in order, and nothing wrong", pieces, at, len(p))
			}
		}
	})
}

// What the library is given must never be a whole message or close frame that is not in order.
func TestFaultIsFoundBeforeTheLibraryCanActOnIt(t *testing.T) {
	for name, c := range map[string]struct {
		frame []byte
		fault *wire.Close
	}{
		"text that ends within a character": {maskedFrame(0x81, "ab\xc3"), &wire.CloseNotUTF8},
		"reason that ends within one":       {maskedFrame(0x88, "\x03\xe8\xc3"), &wire.CloseNotUTF8},
		"close code":                        {maskedFrame(0x88, "\x03\xed"), faultCode},
		"too large":                         {maskedFrame(0x81, strings.Repeat("x", 1001)), &wire.CloseTooLarge},
		"opcode without payload":            {maskedFrame(0x8b, ""), faultOpcode},
	} {
		n, fault, _ := inspectIn(c.frame)
		if fault != c.fault || n >= len(c.frame) {
			t.Errorf("%s: %v after %d of %d bytes", name, fault, n, len(c.frame))
		}
	}
	unfinished := append(maskedFrame(0x01, "\xc3"), maskedFrame(0x80, "")...)
	if n, fault, _ := inspectIn(unfinished); fault != &wire.CloseNotUTF8 || n >= len(unfinished) {
		t.Errorf("empty last fragment within a character: %v after %d", fault, n)
	}
}

func TestInspectorKnowsWhenItRests(t *testing.T) {
	message := append(append(maskedFrame(0x01, "a"), maskedFrame(0x89, "p")...), maskedFrame(0x80, "")...)
	i := &inspector{limits: testLimits()}
	for n := range message {
		if i.resting() != (n == 0) {
			t.Errorf("resting %t before byte %d", i.resting(), n)
		}
		if i.look(message[n : n+1]); i.began != (n == 0) {
			t.Errorf("began %t at byte %d", i.began, n)
		}
		i.began = false
	}
	if !i.resting() || i.pings != 1 {
		t.Errorf("resting %t, %d pings", i.resting(), i.pings)
	}
}

func TestInspectorAllocatesNothing(t *testing.T) {
	stream := append(maskedFrame(0x81, strings.Repeat("é", 400)), maskedFrame(0x89, "ping")...)
	i := &inspector{limits: testLimits()}
	if n := testing.AllocsPerRun(100, func() { i.look(stream) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkInspector(b *testing.B) {
	for _, c := range []struct {
		name, char string
		bytes      int
	}{{"ASCII", "x", 120}, {"ASCII", "x", 60 << 10}, {"Cyrillic", "ж", 60 << 10}, {"Chinese", "维", 60 << 10}, {"emoji", "😀", 60 << 10}} {
		b.Run(fmt.Sprintf("%s/%d", c.name, c.bytes), func(b *testing.B) {
			frame := maskedFrame(0x81, strings.Repeat(c.char, c.bytes/len(c.char)))
			l := DefaultLimits()
			i := &inspector{limits: &l}
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				if _, fault := i.look(frame); fault != nil {
					b.Fatal(fault)
				}
			}
		})
	}
}
