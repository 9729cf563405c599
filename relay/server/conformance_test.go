package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// The frames of RFC 6455, section by section, with raw bytes over TCP. The cases are those of the Autobahn suite, as far as they do not ask for an
// echo: a peer here gets its own messages back as [newPeer] says.

func twice(t *testing.T, f func(t *testing.T, slowly bool)) {
	t.Run("at once", func(t *testing.T) { f(t, false) })
	t.Run("byte by byte", func(t *testing.T) { f(t, true) })
}

func TestMessagesOfEveryLengthArrive(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) {
		generous(c)
		c.Limits.FrameBytes = 1 << 20
	})
	p := newPeer(t, r)
	for _, n := range []int{60, 124, 125, 126, 127, 128, 255, 256, 1000, 4095, 4096, 65534, 65535, 65536, 65537, 1 << 20} {
		sent, got := messageOf(n)
		p.patience()
		p.chop(n < 1000 && n%2 == 1, mask(textFrame, sent))
		p.expectMessage(got)
	}
	for range 3 {
		p.send(mask(textFrame, ""))
		if got := code(p.text()); got != "bad-request" {
			t.Errorf("empty message: %s", got)
		}
	}
	p.send(closing(1000, ""))
	p.expectAnswer(1000, "")
}

func TestFrameLengths(t *testing.T) {
	r := relaytest.Start(t, generous)
	limit := wire.DefaultLimits().FrameBytes
	for _, c := range []struct {
		name   string
		frame  []byte
		code   int
		reason string
	}{
		{"125 in two bytes", maskAs(textFrame, "", 125, 126), 1002, "length not in its shortest form"},
		{"0 in two bytes", maskAs(textFrame, "", 0, 126), 1002, "length not in its shortest form"},
		{"126 in eight bytes", maskAs(textFrame, "", 126, 127), 1002, "length not in its shortest form"},
		{"65535 in eight bytes", maskAs(textFrame, "", 65535, 127), 1002, "length not in its shortest form"},
		{"2^63", []byte{textFrame, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}, 1002, "length not in its shortest form"},
		{"2^64 - 1", []byte{textFrame, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1002, "length not in its shortest form"},
		{"2^63 - 1", []byte{textFrame, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1009, "frame too large"},
		{"2^32", maskAs(textFrame, "", 1<<32, 127), 1009, "frame too large"},
		{"limit + 1, of which nothing is sent", maskAs(textFrame, "", limit+1, 0), 1009, "frame too large"},
		{"limit + 1, binary", maskAs(binaryFrame, "", limit+1, 0), 1009, "frame too large"},
		{"limit + 1 in fragments", slices.Concat(mask(1, strings.Repeat("x", limit)), mask(fin, "x")), 1009, "frame too large"},
		{"limit + 1 in many fragments", slices.Concat(mask(1, strings.Repeat("x", limit-1)), mask(0, ""), mask(0, "x"), mask(fin, "x")),
			1009, "frame too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, r)
			p.send(c.frame)
			p.expectClose(c.code, c.reason)
		})
	}
	p := newPeer(t, r)
	sent, got := messageOf(limit)
	p.send(mask(textFrame, sent), mask(1, sent[:limit-1]), mask(0, ""), mask(fin, sent[limit-1:]))
	p.expectMessage(got)
	p.expectMessage(got)
}

func TestPingsAndPongs(t *testing.T) {
	r := relaytest.Start(t, generous)
	twice(t, func(t *testing.T, slowly bool) {
		p := newPeer(t, r)
		binary := "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
		for _, payload := range []string{"", "Hello, world!", binary, strings.Repeat("\xfe", 124), strings.Repeat("\xfe", 125)} {
			p.chop(slowly, mask(pingFrame, payload))
			p.expect(pongFrame, payload)
		}
		p.chop(slowly, mask(pongFrame, ""), mask(pongFrame, "unsolicited"), mask(pongFrame, binary), mask(pingFrame, "after"))
		p.expect(pongFrame, "after")
		var pings [][]byte
		for i := range 10 {
			pings = append(pings, mask(pingFrame, fmt.Sprint("payload ", i)))
		}
		p.chop(slowly, pings...)
		for i := range 10 {
			p.expect(pongFrame, fmt.Sprint("payload ", i))
		}
	})
}

func TestFramesThatBreakTheProtocol(t *testing.T) {
	r := relaytest.Start(t, generous)
	whole, _ := message("fine")
	type bad struct {
		name   string
		frames []byte
		reason string
	}
	cases := []bad{
		{"text without a mask", []byte{textFrame, 1, 'x'}, "frame without a mask"},
		{"empty text without a mask", []byte{textFrame, 0}, "frame without a mask"},
		{"ping without a mask", []byte{pingFrame, 0}, "frame without a mask"},
		{"close without a mask", []byte{closeFrame, 2, 3, 0xe8}, "frame without a mask"},
		{"ping of 126 bytes", mask(pingFrame, strings.Repeat("x", 126)), "control frame of more than 125 bytes"},
		{"pong of 126 bytes", mask(pongFrame, strings.Repeat("x", 126)), "control frame of more than 125 bytes"},
		{"ping of 65536 bytes", mask(pingFrame, strings.Repeat("x", 65536)), "control frame of more than 125 bytes"},
		{"close of 126 bytes", closing(1000, strings.Repeat("x", 124)), "control frame of more than 125 bytes"},
		{"ping in fragments", slices.Concat(mask(pingFrame&^fin, "a"), mask(fin, "b")), "control frame in fragments"},
		{"pong in fragments", slices.Concat(mask(pongFrame&^fin, "a"), mask(fin, "b")), "control frame in fragments"},
		{"close in fragments", mask(closeFrame&^fin, "\x03\xe8"), "control frame in fragments"},
		{"last fragment of nothing", mask(fin, "x"), "continuation of no message"},
		{"fragment of nothing", mask(0, "x"), "continuation of no message"},
		{"fragment after a message", slices.Concat(mask(textFrame, whole), mask(0, "x")), "continuation of no message"},
		{"fragment after a message in fragments", slices.Concat(mask(1, whole), mask(fin, ""), mask(0, "x")), "continuation of no message"},
		{"text within a text", slices.Concat(mask(1, "a"), mask(textFrame, "b")), "new message within another"},
		{"fragment of text within a text", slices.Concat(mask(1, "a"), mask(0, "b"), mask(1, "c")), "new message within another"},
		{"binary within a text", slices.Concat(mask(1, "a"), mask(binaryFrame, "b")), "new message within another"},
		{"text within a binary", slices.Concat(mask(2, "a"), mask(textFrame, "b")), "new message within another"},
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		for _, payload := range []string{"", "x", strings.Repeat("x", 200)} {
			cases = append(cases, bad{fmt.Sprintf("opcode %d with %d bytes", op, len(payload)), mask(fin|op, payload), "reserved opcode"})
		}
		cases = append(cases, bad{fmt.Sprintf("opcode %d within a text", op), slices.Concat(mask(1, "a"), mask(fin|op, "")), "reserved opcode"})
	}
	for rsv := byte(0x10); rsv <= 0x70; rsv += 0x10 {
		for name, first := range map[string]byte{"text": textFrame, "fragment": 1, "binary": binaryFrame,
			"ping": pingFrame, "pong": pongFrame, "close": closeFrame} {
			cases = append(cases, bad{fmt.Sprintf("reserved bits %#x on a %s", rsv, name), mask(first|rsv, "xx"), "reserved bit set"})
		}
		cases = append(cases, bad{fmt.Sprintf("reserved bits %#x on a continuation", rsv),
			slices.Concat(mask(1, "a"), mask(fin|rsv, "b")), "reserved bit set"})
	}
	for _, c := range cases {
		for i, slowly := range []bool{false, true} {
			t.Run(c.name+[]string{"", ", byte by byte"}[i], func(t *testing.T) {
				p := newPeer(t, r)
				// What came before counts, and what comes behind does not.
				sent, got := message("before")
				p.chop(slowly, mask(textFrame, sent), c.frames, mask(pingFrame, "behind"))
				p.expectMessage(got)
				p.expectClose(1002, c.reason)
			})
		}
	}
}

func TestFragmentsMakeOneMessage(t *testing.T) {
	r := relaytest.Start(t, generous)
	sent, got := message("κόσμε, in pieces")
	twice(t, func(t *testing.T, slowly bool) {
		p := newPeer(t, r)
		p.chop(slowly, mask(1, sent[:5]), mask(fin, sent[5:]))
		p.expectMessage(got)
		p.chop(slowly, mask(1, ""), mask(0, ""), mask(0, sent), mask(0, ""), mask(fin, ""))
		p.expectMessage(got)
		var pieces [][]byte
		for i := range len(sent) { // also within characters
			pieces = append(pieces, mask(0, sent[i:i+1]))
		}
		pieces[0][0], pieces[len(pieces)-1][0] = 1, fin
		p.chop(slowly, pieces...)
		p.expectMessage(got)
		// Control frames may come between the fragments, and are answered at once.
		p.chop(slowly, mask(1, sent[:7]), mask(pingFrame, "one"))
		p.expect(pongFrame, "one")
		p.chop(slowly, mask(0, sent[7:9]), mask(pongFrame, "x"), mask(pingFrame, "two"), mask(pingFrame, ""))
		p.expect(pongFrame, "two")
		p.expect(pongFrame, "")
		p.chop(slowly, mask(fin, sent[9:]))
		p.expectMessage(got)
	})
}

// The relay need not show the library an empty pong that comes alone: nothing else may get lost with it.
func TestEmptyPongsAnywhere(t *testing.T) {
	r := relaytest.Start(t, generous)
	sent, got := message("κόσμε, in pieces")
	p := newPeer(t, r)
	alone := func(frames ...[]byte) {
		for _, f := range frames {
			p.send(f)
			time.Sleep(2 * time.Millisecond) // so that the relay reads it alone, most of the time
		}
	}
	pong := mask(pongFrame, "")
	alone(pong, pong, mask(pingFrame, "alive"), pong)
	p.expect(pongFrame, "alive")
	alone(mask(1, sent[:7]), pong, pong, mask(0, sent[7:9]), pong, mask(fin, sent[9:]), pong)
	p.expectMessage(got)
	// Part of a payload that looks like one.
	const at = 4
	key := [4]byte{sent[at] ^ pong[0], sent[at+1] ^ pong[1], 7, 8}
	frame := append([]byte{textFrame, 0x80 | byte(len(sent))}, key[:]...)
	for i := range len(sent) {
		frame = append(frame, sent[i]^key[i%len(key)])
	}
	looks := frame[6+at : 6+at+len(pong)]
	if looks[0] != pong[0] || looks[1] != pong[1] || len(sent) > 125 {
		t.Fatalf("% x is not what was meant", frame)
	}
	alone(frame[:6+at], looks, frame[6+at+len(pong):])
	p.expectMessage(got)
}

func TestFragmentsAtTheLimitAndOnePast(t *testing.T) {
	r := relaytest.Start(t, generous)
	sent, got := message("x")
	fragments := func(n int) (all []byte) {
		all = mask(1, sent[:1])
		for range n - 2 {
			all = append(all, mask(0, "")...)
		}
		return append(all, mask(fin, sent[1:])...)
	}
	p := newPeer(t, r)
	for range 3 {
		p.send(fragments(128))
		p.expectMessage(got)
	}
	p.send(fragments(129))
	p.expectClose(1008, "too many fragments")
}

func TestBinaryMessagesAreNotSpoken(t *testing.T) {
	r := relaytest.Start(t, generous)
	for _, frames := range [][]byte{mask(binaryFrame, "\xff"), mask(binaryFrame, ""), slices.Concat(mask(2, "\xff"), mask(fin, "\xfe"))} {
		p := newPeer(t, r)
		p.send(frames)
		p.expectClose(wire.CloseBadProtocol.Code, wire.CloseBadProtocol.Reason)
	}
}
