package server_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/events"
	"mediawiki-websocket/relay/wire"
)

// permessage-deflate (RFC 7692).

const (
	rsv1 = 0x40

	agreed  = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	limited = agreed + "; server_max_window_bits=15"
)

// deflating compresses messages of so many bytes and more.
func deflating(least int) func(*config.Config) {
	return func(c *config.Config) {
		generous(c)
		c.Limits.CompressBytes = least
	}
}

// deflated returns a text as a sender without context takeover compresses it.
func deflated(text string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	io.WriteString(w, text)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// offering opens a connection with the offers, and returns what the relay answered to them.
func offering(t testing.TB, r *relaytest.Relay, offers ...string) (*peer, string) {
	t.Helper()
	lines := []string{"Sec-WebSocket-Protocol: " + wire.Subprotocol}
	for _, offer := range offers {
		lines = append(lines, "+Sec-WebSocket-Extensions: "+offer)
	}
	answer, nc, in := exchange(t, r, altered(lines...))
	if answer.StatusCode != 101 || len(answer.Header.Values("Sec-WebSocket-Extensions")) > 1 {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	return &peer{nc, t, in}, answer.Header.Get("Sec-WebSocket-Extensions")
}

// deflatePeer is a [newPeer] that may compress; the relay's messages to it are not.
func deflatePeer(t testing.TB, r *relaytest.Relay) *peer {
	t.Helper()
	p, answer := offering(t, r, "permessage-deflate")
	if answer != agreed {
		t.Fatal(answer)
	}
	p.connect()
	return p
}

func TestOffersOfCompression(t *testing.T) {
	r := relaytest.Start(t, deflating(1<<20))
	for _, c := range []struct {
		offers []string
		answer string
	}{
		{[]string{"permessage-deflate"}, agreed},
		{[]string{"permessage-deflate; client_max_window_bits"}, agreed}, // as browsers do
		{[]string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"}, limited},
		{[]string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, agreed},
		{[]string{"permessage-bzip2", "permessage-deflate; client_max_window_bits=9"}, agreed},
		{[]string{"permessage-deflate; server_max_window_bits=10"}, ""},
		{[]string{"permessage-deflate; nonsense"}, ""},
		{[]string{"x-webkit-deflate-frame"}, ""},
		{[]string{", ,"}, ""},
		{nil, ""},
	} {
		p, answer := offering(t, r, c.offers...)
		if answer != c.answer {
			t.Errorf("%q: %q, want %q", c.offers, answer, c.answer)
		}
		p.connect()
		sent, got := message("compressed")
		p.send(mask(textFrame|rsv1, deflated(sent)))
		if c.answer == "" {
			p.expectClose(1002, "reserved bit set")
		} else {
			p.expectMessage(got)
		}
	}
	if answer, _, _ := exchange(t, r, altered("Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Version: 8")); answer.StatusCode != 400 ||
		answer.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("a refusal agrees: %v", answer.Header)
	}
}

// The library is another implementation, which may keep its context when it is let.
func TestCompressionWithTheLibrary(t *testing.T) {
	for _, mode := range []websocket.CompressionMode{websocket.CompressionNoContextTakeover, websocket.CompressionContextTakeover} {
		r := relaytest.Start(t, deflating(100))
		r.Deflate = mode
		a, classic := r.V1(t, "", "A"), r.Classic(t, "C")
		r.Deflate = websocket.CompressionDisabled
		plain, old := r.V1(t, "", "P"), r.Classic(t, "O")
		a.Subscribe("T")
		plain.Subscribe("T")
		offset := 0
		expect := func(from, text string) {
			t.Helper()
			offset++
			v1 := fmt.Sprintf(`{"type":"T","msg":%q,"from":%q,"offset":%d}`, text, from, offset)
			for id, c := range map[string]*relaytest.Client{"A": a, "C": classic, "P": plain, "O": old} {
				if id != from { // the sender gets nothing
					c.Expect(v1)
				}
			}
		}
		for i := range 20 {
			text := strings.Repeat("κόσμε and more ", i*i)
			a.Send(fmt.Sprintf(`{"type":"T","msg":%q,"from":"A"}`, text))
			expect("A", text)
			classic.Send(fmt.Sprintf(`{"type":"T","msg":%q,"from":"C"}`, text))
			expect("C", text)
		}
		plain.Send(`{"type":"T","msg":"` + strings.Repeat("x", 200) + `","from":"P"}`)
		expect("P", strings.Repeat("x", 200))
		a.ExpectNothing()
	}
}

func TestCompressedFragmentsMakeOneMessage(t *testing.T) {
	r := relaytest.Start(t, deflating(1<<20))
	sent, got := message(strings.Repeat("κόσμε, in pieces ", 50))
	packed := deflated(sent)
	twice(t, func(t *testing.T, slowly bool) {
		p := deflatePeer(t, r)
		p.chop(slowly, mask(textFrame|rsv1, packed))
		p.expectMessage(got)
		for cut := range len(packed) {
			p.patience()
			p.chop(slowly && cut%9 == 0, mask(1|rsv1, packed[:cut]), mask(pingFrame, "\xff"), mask(0, ""), mask(fin, packed[cut:]))
			p.expect(pongFrame, "\xff")
			p.expectMessage(got)
		}
		p.chop(slowly, mask(textFrame|rsv1, packed), mask(textFrame, sent), mask(textFrame|rsv1, packed), mask(1, sent[:7]), mask(fin, sent[7:]))
		for range 4 {
			p.expectMessage(got)
		}
	})
}

func TestReservedBitWhereNothingIsCompressed(t *testing.T) {
	r := relaytest.Start(t, deflating(1<<20))
	sent, got := message("before")
	packed := deflated(sent)
	for name, frames := range map[string][]byte{
		"continuation":            slices.Concat(mask(1|rsv1, packed[:3]), mask(fin|rsv1, packed[3:])),
		"continuation of a plain": slices.Concat(mask(1, "{"), mask(fin|rsv1, "}")),
		"middle":                  slices.Concat(mask(1|rsv1, packed[:3]), mask(rsv1, packed[3:]), mask(fin, "")),
		"ping":                    mask(pingFrame|rsv1, "x"),
		"pong":                    mask(pongFrame|rsv1, ""),
		"close":                   mask(closeFrame|rsv1, "\x03\xe8"),
		"ping within a message":   slices.Concat(mask(1|rsv1, packed[:3]), mask(pingFrame|rsv1, "")),
		"reserved opcode":         mask(0x83|rsv1, "x"),
		"RSV2":                    mask(textFrame|0x20, packed),
		"RSV3":                    mask(textFrame|0x10, packed),
		"RSV1 and RSV2":           mask(textFrame|rsv1|0x20, packed),
		"all":                     mask(textFrame|0x70, packed),
		"binary, RSV1 and RSV3":   mask(binaryFrame|rsv1|0x10, packed),
	} {
		for i, slowly := range []bool{false, true} {
			t.Run(name+[]string{"", ", byte by byte"}[i], func(t *testing.T) {
				p := deflatePeer(t, r)
				p.chop(slowly, mask(textFrame|rsv1, packed), frames, mask(pingFrame, "behind"))
				p.expectMessage(got)
				p.expectClose(1002, "reserved bit set")
			})
		}
	}
	p := deflatePeer(t, r)
	p.send(mask(1|rsv1, packed[:3]), mask(textFrame|rsv1, packed))
	p.expectClose(1002, "new message within another")
	for _, frame := range [][]byte{mask(binaryFrame|rsv1, packed), mask(binaryFrame, packed), mask(2, sent), mask(2|rsv1, "")} {
		p := deflatePeer(t, r)
		p.send(mask(textFrame|rsv1, packed), frame)
		p.expectMessage(got)
		p.expectClose(wire.CloseBadProtocol.Code, wire.CloseBadProtocol.Reason)
	}
}

func TestBrokenCompression(t *testing.T) {
	r := relaytest.Start(t, deflating(1<<20))
	sent, got := message("fine")
	packed := deflated(sent)
	for name, payload := range map[string]string{
		"no DEFLATE":                   "\xff\xff\xff",
		"nothing at all":               "",
		"another message's context":    "\xf2\x00\x11\x00\x00", // section 7.2.3.2
		"broken off":                   packed[:len(packed)-6],
		"with a zlib header":           "\x78\x9c" + packed,
		"garbage behind the last one":  "\xf3\x48\xcd\xc9\xc9\x07\x00\xff",
		"stored, length without match": "\x00\x05\x00\xfa\xfeHello\x00",
	} {
		t.Run(name, func(t *testing.T) {
			p := deflatePeer(t, r)
			p.send(mask(textFrame|rsv1, packed), mask(textFrame|rsv1, payload), mask(pingFrame, "behind"))
			p.expectMessage(got)
			p.expectClose(1007, "broken compression")
		})
	}
	for name, bad := range invalidUTF8() {
		t.Run(name, func(t *testing.T) {
			p := deflatePeer(t, r)
			p.send(mask(textFrame|rsv1, deflated(`{"type":"T","msg":"`+bad+`"}`)))
			p.expectClose(1007, "not UTF-8")
		})
	}
	p := deflatePeer(t, r)
	p.send(mask(textFrame|rsv1, "\x00")) // an empty message (section 7.2.3.6)
	if got := code(p.text()); got != "bad-request" {
		t.Errorf("empty message: %s", got)
	}
}

// Whoever sends little that becomes much must not get more done than with much.
func TestCompressedBomb(t *testing.T) {
	r := relaytest.Start(t, deflating(1<<20))
	limit := wire.DefaultLimits().FrameBytes
	fits, got := messageOf(limit)
	p := deflatePeer(t, r)
	p.send(mask(textFrame|rsv1, deflated(fits)))
	p.expectMessage(got)
	past, _ := messageOf(limit + 1)
	p.send(mask(textFrame|rsv1, deflated(past)))
	p.expectClose(1009, "frame too large")
	bomb := deflated(strings.Repeat("\x00", 60<<20)) // 1000 times what is sent
	p = deflatePeer(t, r)
	p.send(mask(textFrame|rsv1, bomb))
	p.expectClose(1009, "frame too large")
	p = deflatePeer(t, r)
	p.send(maskAs(textFrame|rsv1, "", limit+1, 0)) // already too large
	p.expectClose(1009, "frame too large")
}

func TestInflatedBytesCountAsSent(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) {
		deflating(1 << 20)(c)
		c.Limits.Bytes = conn.Rate{PerSecond: 1, Burst: 100 << 10}
	})
	p := deflatePeer(t, r)
	p.send(mask(textFrame|rsv1, deflated(`{"id":4,"op":"unsubscribe","type":"T"`+strings.Repeat(" ", 60<<10)+`}`)))
	p.expect(textFrame, `{"id":4,"ok":{}}`)
	p.send(mask(textFrame|rsv1, deflated(`{"id":5,"op":"unsubscribe","type":"T"`+strings.Repeat(" ", 60<<10)+`}`)))
	p.expectClose(4003, "rate limited")
}

// BenchmarkCompressionToSockets is recent changes for 1000 connections on loopback, the readers' cost included, but not that of inflating.
func BenchmarkCompressionToSockets(b *testing.B) {
	const n = 1000
	changes := events.Changes(200)
	for name, extensions := range map[string]string{"plain": "none", "deflate": "permessage-deflate"} {
		b.Run(name, func(b *testing.B) {
			r := relaytest.Start(b, deflating(256))
			var bytes atomic.Int64
			for range n {
				nc, err := net.Dial("tcp", r.Addresses()[0].String())
				if err != nil {
					b.Fatal(err)
				}
				defer nc.Close()
				io.WriteString(nc, handshake(wire.Subprotocol+"\r\nSec-WebSocket-Extensions: "+extensions, `{"op":"connect"}`, `{"op":"subscribe","type":"T"}`))
				go func() {
					buf := make([]byte, 4<<10)
					for k, err := 0, error(nil); err == nil; bytes.Add(int64(k)) {
						k, err = nc.Read(buf)
					}
				}()
			}
			sender := r.V1(b, "", "sender")
			for r.Stats(b).Delivered < n { // until all have subscribed
				sender.Ask(`{"id":2,"op":"send","type":"T","msg":1}`)
			}
			before, count := bytes.Load(), 0
			b.ResetTimer()
			for b.Loop() {
				sender.Ask(`{"id":2,"op":"send","type":"T","msg":` + string(changes[count%len(changes)]) + `}`)
				count++
			}
			b.ReportMetric(float64(bytes.Load()-before)/float64(count)/n, "bytes/delivery")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(count)/n, "ns/delivery")
		})
	}
}
