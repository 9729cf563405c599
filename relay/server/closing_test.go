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

// The closing handshake of RFC 6455, sections 5.5.1 and 7, with raw bytes over TCP.

func TestPeerCloses(t *testing.T) {
	r := relaytest.Start(t, generous)
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4500, 4999} {
		for name, reason := range map[string]string{"no reason": "", "a reason": "Hällo 😀", "the longest reason": strings.Repeat("x", 123)} {
			t.Run(fmt.Sprint(code, " with ", name), func(t *testing.T) {
				p := newPeer(t, r)
				p.chop(reason == "", closing(code, reason))
				p.expectAnswer(code, reason)
			})
		}
	}
	p := newPeer(t, r)
	p.send(mask(closeFrame, ""))
	p.expectAnswer(0, "")
}

func TestCloseFramesThatBreakTheProtocol(t *testing.T) {
	r := relaytest.Start(t, generous)
	for _, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535} {
		t.Run(fmt.Sprint("code ", code), func(t *testing.T) {
			for _, reason := range []string{"", "reason"} {
				p := newPeer(t, r)
				p.send(closing(code, reason))
				p.expectClose(1002, "close code that may not be sent")
			}
		})
	}
	p := newPeer(t, r)
	p.send(mask(closeFrame, "\x03"))
	p.expectClose(1002, "close frame of one byte")
	for name, reason := range invalidUTF8() {
		t.Run("reason with "+name, func(t *testing.T) {
			for _, before := range []string{"", "x", "é", "12345678"} {
				p := newPeer(t, r)
				p.chop(before == "x", closing(1000, before+reason))
				p.expectClose(1007, "not UTF-8")
			}
		})
	}
}

func TestWhatFollowsThePeersCloseIsIgnored(t *testing.T) {
	r := relaytest.Start(t, generous)
	sent, _ := message("late")
	for name, behind := range map[string][]byte{
		"ping":            mask(pingFrame, "x"),
		"message":         mask(textFrame, sent),
		"another close":   closing(3000, ""),
		"fragments":       slices.Concat(mask(1, "a"), mask(fin, "b")),
		"broken frame":    {0xff, 0xff, 0xff},
		"100 KiB of text": mask(textFrame, strings.Repeat("x", 100<<10)),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, r)
			p.send(closing(1000, "bye"), behind)
			p.expectAnswer(1000, "bye")
			p = newPeer(t, r)
			p.send(closing(1000, "bye"))
			p.send(behind)
			p.expectAnswer(1000, "bye")
		})
	}
	if n := r.Stats(t).Published; n != 0 {
		t.Errorf("%d messages behind a close frame were published", n)
	}
}

func TestPeerClosesWithinAMessage(t *testing.T) {
	r := relaytest.Start(t, generous)
	for name, before := range map[string][]byte{
		"a fragment":                          mask(1, "a"),
		"a fragment that ends in a character": mask(1, "a\xe2\x82"),
		"a binary fragment":                   mask(2, "\xff"),
		"many fragments":                      slices.Concat(mask(1, ""), mask(0, ""), mask(0, "a")),
	} {
		for _, frame := range [][]byte{closing(1000, ""), closing(1000, "é"), mask(closeFrame, "")} {
			t.Run(name, func(t *testing.T) {
				p := newPeer(t, r)
				p.send(before, frame, mask(fin, "b"))
				if len(frame) == len(mask(closeFrame, "")) {
					p.expectAnswer(0, "")
				} else {
					p.expectAnswer(1000, strings.Repeat("é", (len(frame)-8)/2))
				}
			})
		}
	}
}

// When both close at once, each frame is the answer to the other: nothing more is written.
func TestBothCloseAtOnce(t *testing.T) {
	r := relaytest.Start(t, farm)
	p := newPeer(t, r)
	p.send(mask(binaryFrame, "x"), mask(pingFrame, "too late"), closing(3000, "mine"))
	if op, got, err := readFrame(p.in); op != 8 || got != "\x11\x94"+wire.CloseBadProtocol.Reason {
		t.Fatalf("got %d %q %v", op, got, err)
	}
	p.expectEnd()
}

// The relay's close frame ends the connection also when the peer does not answer it.
func TestPeerThatDoesNotAnswerTheCloseIsEnded(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) {
		farm(c)
		c.Limits.WriteTimeout = 200 * time.Millisecond
	})
	p := newPeer(t, r)
	p.send(mask(binaryFrame, "x"))
	if op, got, err := readFrame(p.in); op != 8 || got != "\x11\x94"+wire.CloseBadProtocol.Reason {
		t.Fatalf("got %d %q %v", op, got, err)
	}
	p.expectEnd()
}
