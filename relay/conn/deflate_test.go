package conn

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"mediawiki-websocket/relay/relaytest/events"
	"mediawiki-websocket/relay/wire"
)

const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

func TestOffers(t *testing.T) {
	const d = "permessage-deflate"
	for offers, want := range map[string]string{
		"": "", d: agreed, "  " + d + "\t": agreed, d + ";client_max_window_bits": agreed,
		d + "; server_no_context_takeover; client_no_context_takeover": agreed,
		d + "; client_max_window_bits=8":                               agreed,
		d + "; client_max_window_bits = 15":                            agreed,
		d + `; client_max_window_bits="9"`:                             agreed,
		d + "; server_max_window_bits=15":                              agreed + "; server_max_window_bits=15",
		d + `; server_max_window_bits="15"; client_max_window_bits`:    agreed + "; server_max_window_bits=15",

		d + "; server_max_window_bits=14": "", d + "; server_max_window_bits": "", d + "; server_max_window_bits=16": "",
		d + "; server_max_window_bits=015": "", d + "; client_max_window_bits=08": "",
		d + "; client_max_window_bits=7": "", d + "; client_max_window_bits=16": "", d + "; client_max_window_bits=": "",
		d + "; server_no_context_takeover=1": "", d + `; client_no_context_takeover=""`: "",
		d + "; server_no_context_takeover; server_no_context_takeover": "", d + "; client_max_window_bits; client_max_window_bits=10": "",
		d + "; nonsense": "", d + "; nonsense=1": "", d + ";": "", d + "; ": "", d + ";;client_max_window_bits": "", d + "=1": "",
		"Permessage-Deflate": "", "permessage-deflate-frame": "", "x-webkit-deflate-frame": "",
		d + "; permessage-deflate": "", d + `; "client_max_window_bits"`: "",

		d + "; server_max_window_bits=9, " + d:                                          agreed,
		"other, " + d + "; nonsense, , " + d + "; client_max_window_bits, " + d + "; x": agreed,
		`other; x="a, permessage-deflate; b"`:                                           "",
		`other; x="\", permessage-deflate", ` + d:                                       agreed,
		`other; x="` + ", " + d:                                                         "",
		`other; x="\`:                                                                   "",
		d + " " + d:                                                                     "",
	} {
		if got := agree([]string{offers}); got != want {
			t.Errorf("%s: %q, want %q", offers, got, want)
		}
	}
	if got := agree([]string{"other", d + "; nonsense", d}); got != agreed {
		t.Errorf("in the third line: %q", got)
	}
}

// The examples of RFC 7692, section 7.2.3, and messages that are made otherwise than the usual library makes them.
func TestInflate(t *testing.T) {
	for name, c := range map[string]struct{ message, text string }{
		"fixed codes":             {"\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello"},
		"stored":                  {"\x00\x05\x00\xfa\xffHello\x00", "Hello"},
		"last block, then empty":  {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello"},
		"last block":              {"\xf3\x48\xcd\xc9\xc9\x07\x00", "Hello"},
		"last block in between":   {"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00", "HelloHello"},
		"three last blocks":       {strings.Repeat("\xf3\x48\xcd\xc9\xc9\x07\x00", 3) + "\x00", "HelloHelloHello"},
		"two blocks":              {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello"},
		"an empty message":        {"\x00", ""},
		"an empty last block":     {"\x03\x00", ""},
		"empty blocks":            {strings.Repeat("\x00\x00\x00\xff\xff", 100) + "\x00", ""},
		"a character in two ones": {"\x00\x01\x00\xfe\xff\xc3\x00\x01\x00\xfe\xff\xa9\x00", "é"},
	} {
		got, fault := inflate(nil, []byte(c.message), 100)
		if string(got) != c.text || fault != nil {
			t.Errorf("%s: %q %v, want %q", name, got, fault, c.text)
		}
	}
	for name, message := range map[string]string{
		"nothing":                     "",
		"the third kind of block":     "\x07",
		"context of another message":  "\xf2\x00\x11\x00\x00",
		"back beyond a last block":    "\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00",
		"garbage behind a last block": "\xf3\x48\xcd\xc9\xc9\x07\x00\xff",
		"broken off":                  "\xf2\x48\xcd",
		"broken off in a head":        "\x04",
	} {
		if got, fault := inflate(nil, []byte(message), 100); fault != &wire.CloseBadDeflate {
			t.Errorf("%s: %q %v", name, got, fault)
		}
	}
}

func pack(text []byte, level int, cut int) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		panic(err)
	}
	w.Write(text[:cut])
	if cut > 0 && cut < len(text) {
		w.Flush()
	}
	w.Write(text[cut:])
	w.Flush()
	return b.Bytes()[:b.Len()-4]
}

// What is sent may become more than a thousand times as much. It takes no memory, and no time, beyond the limit.
func TestCompressedBombIsStopped(t *testing.T) {
	const limit = 64 << 10
	bombs := map[string][]byte{
		"zeros":            pack(make([]byte, 64<<20), 9, 0),
		"one past":         pack(make([]byte, limit+1), 9, 0),
		"of many messages": bytes.Repeat([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00"), 1<<20),
	}
	for name, bomb := range bombs {
		bomb = append(bomb, deflateEnd...)[:len(bomb)] // room for the end is there
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, fault := inflate(make([]byte, 0, 4<<10), bomb, limit)
		runtime.ReadMemStats(&after)
		if fault != &wire.CloseTooLarge || len(got) != limit+1 {
			t.Errorf("%s: %d bytes, %v", name, len(got), fault)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: took %d bytes of memory", name, took)
		}
	}
	if got, fault := inflate(nil, pack(make([]byte, limit), 9, 0), limit); fault != nil || len(got) != limit {
		t.Errorf("at the limit: %d bytes, %v", len(got), fault)
	}
}

// FuzzInflate holds that no message becomes more than the limit, that what went before makes no difference, and that what any sender compresses
// comes back.
func FuzzInflate(f *testing.F) {
	for _, seed := range []string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\x00\x05\x00\xfa\xffHello\x00",
		"\x00", "", "\x07",
		"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", string(pack(make([]byte, 1<<20), 9, 0)), `{"op":"ping"}`} {
		f.Add([]byte(seed), uint16(1000))
	}
	f.Fuzz(func(t *testing.T, p []byte, n uint16) {
		limit := int(n) + 1
		got, fault := inflate(nil, bytes.Clone(p), limit)
		if len(got) > limit+1 || (len(got) > limit) != (fault == &wire.CloseTooLarge) {
			t.Fatalf("%d bytes of %d, %v", len(got), limit, fault)
		}
		whole, err := io.ReadAll(io.LimitReader(flate.NewReader(strings.NewReader(string(p)+deflateEnd)), int64(limit)+1))
		if err == nil && !bytes.HasPrefix(got, whole) || err != nil && fault == nil {
			t.Fatalf("%q %v, at first %q %v", got, fault, whole, err)
		}
		level := int(n)%12 - 2
		back, other := inflate(make([]byte, 0, n), pack(p, level, int(n)%(len(p)+1)), max(1, len(p)))
		if other != nil || !bytes.Equal(back, p) {
			t.Fatalf("level %d: %v", level, other)
		}
		again, other := inflate(nil, bytes.Clone(p), limit)
		if !bytes.Equal(got, again) || fault != other {
			t.Fatalf("%q %v, then %q %v", got, fault, again, other)
		}
	})
}

// TestCompressedTextIsMarked holds that the library sees a binary message without reserved bits where a compressed text is, and all else as it came.
func TestCompressedTextIsMarked(t *testing.T) {
	bad := "\xff\xfe\xc3"
	stream := bytes.Join([][]byte{maskedFrame(0xc1, bad), maskedFrame(0x81, "é"), maskedFrame(0x41, bad), maskedFrame(0x89, "p"), maskedFrame(0x00, bad),
		maskedFrame(0x80, ""), maskedFrame(0xc1, ""), maskedFrame(0x88, "")}, nil)
	want := bytes.Join([][]byte{maskedFrame(0x82, bad), maskedFrame(0x81, "é"), maskedFrame(0x02, bad), maskedFrame(0x89, "p"), maskedFrame(0x00, bad),
		maskedFrame(0x80, ""), maskedFrame(0x82, ""), maskedFrame(0x88, "")}, nil)
	for _, step := range []int{1, 2, 3, 7, len(stream)} {
		i := &inspector{limits: testLimits(), deflate: true}
		p := bytes.Clone(stream)
		for at := 0; at < len(p); at += step {
			piece := p[at:min(at+step, len(p))]
			if n, fault := i.look(piece); n != len(piece) || fault != nil {
				t.Fatalf("in pieces of %d: %d at %d, %v", step, n, at, fault)
			}
		}
		if !bytes.Equal(p, want) || !i.closed {
			t.Errorf("in pieces of %d: % x, want % x", step, p, want)
		}
	}
}

// emptyBlocks returns n blocks that bring their own codes and nothing that is written in them.
func emptyBlocks(n int) (b []byte) {
	bits, count := uint64(0), 0
	put := func(value uint64, n int) {
		for bits, count = bits|value<<count, count+n; count >= 8; count -= 8 {
			b, bits = append(b, byte(bits)), bits>>8
		}
	}
	for range n {
		put(0b100, 3)    // of own codes, not the last
		put(0, 5+5)      // for 257 symbols and one distance
		put(14, 4)       // the lengths of 18 codes of lengths:
		put(1<<6, 27)    // 18 has one bit,
		put(1<<24, 27)   // as has 1
		put(1|127<<1, 8) // 138 symbols that do not occur, in the code of 18
		put(1|107<<1, 8) // and 118
		put(0, 2)        // the end of the block and the distance have one bit
		put(0, 1)        // the end of the block
	}
	put(0, 3)
	put(0, (8-count)%8)
	return b
}

// BenchmarkInflate is what it costs to inflate a message; the last two are made to cost as much as they can.
func BenchmarkInflate(b *testing.B) {
	change := events.Changes(1)[0]
	for name, message := range map[string][]byte{
		"change": pack(change, 6, 0), "64 KiB of zeros": pack(make([]byte, 64<<10), 9, 0),
		"last blocks": bytes.Repeat([]byte("\x03\x00"), 32<<10), "codes": emptyBlocks(5 << 10),
	} {
		b.Run(fmt.Sprintf("%s/%d", name, len(message)), func(b *testing.B) {
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			message = append(message, deflateEnd...)[:len(message)]
			out := make([]byte, 0, 70<<10)
			for b.Loop() {
				if _, fault := inflate(out, message, 64<<10); fault != nil {
					b.Fatal(fault)
				}
			}
		})
	}
}
