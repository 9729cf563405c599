package session_test

import (
	"testing"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

func TestMessagesGoToTheTabsTheyAreMeantFor(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		tabs := []*tab{b.open("WS1", "A"), b.open("WS2", "A", "__proto__"), b.open("WS3", "B")}
		for _, tab := range tabs {
			tab.heard("connected wiki:Ann")
		}
		for _, c := range []struct {
			frame *session.Frame
			to    [3]bool
		}{
			{message("A", ""), [3]bool{true, true, false}},
			{message("A", "WS1"), [3]bool{false, true, false}},
			{message("A", "elsewhere", "WS1"), [3]bool{true, false, false}},
			{message("A", "", "WS1", "WS3"), [3]bool{true, false, false}},
			{message("A", "WS1", "WS1"), [3]bool{}},
			{message("B", "", "WS9"), [3]bool{}},
			{message("C", ""), [3]bool{}},
			{message("__proto__", ""), [3]bool{false, true, false}},
		} {
			b.socket().say(c.frame)
			for i, tab := range tabs {
				if c.to[i] {
					tab.heard("got " + c.frame.Type)
				} else {
					tab.heard()
				}
			}
		}
	})
}

func TestTabsOfOneBrowserTalkThroughTheRelay(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one, two := b.open("WS1", "A"), b.open("WS2", "A")
		one.heard("connected wiki:Ann")
		two.heard("connected wiki:Ann")
		b.Send("WS1", session.Message{Type: "A", Body: "body", Bytes: 4})
		sent := b.socket().commands(wire.OpSend)
		if len(sent) != 1 || sent[0].Body != "body" || sent[0].ID == 0 {
			t.Fatalf("sent %+v", sent)
		}
		two.heard() // nothing before the relay agrees
		b.socket().say(message("A", "WS1"))
		one.heard()
		two.heard("got A")
	})
}

func TestErrorsReachTheTabThatCausedThem(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one, two, three := b.open("WS1"), b.open("WS2"), b.open("WS3")
		for _, tab := range []*tab{one, two, three} {
			tab.heard("connected wiki:Ann")
		}
		b.answer = func(c *session.Command) *session.Frame {
			if c.Type == "closed" {
				return &session.Frame{Reply: true, Error: wire.NewError(wire.Forbidden, "no")}
			}
			return nil
		}
		b.Send("WS1", session.Message{Type: "open"})
		b.Send("WS2", session.Message{Type: "closed"})
		one.heard()
		two.heard("send closed: forbidden")
		b.Subscribe("WS1", "closed")
		one.heard("subscribe closed: forbidden")
		b.Subscribe("WS2", "closed") // another tab may hope again
		one.heard("subscribe closed: forbidden")
		two.heard("subscribe closed: forbidden")
		b.Unsubscribe("WS1", "closed")
		b.Unsubscribe("WS2", "closed")
		equal(t, "unsubscribed from what was refused", len(b.socket().commands(wire.OpUnsubscribe)), 0)
		b.socket().say(&session.Frame{Reply: true, ID: 9999, Error: wire.NewError(wire.Internal, "")})
		b.socket().say(&session.Frame{Reply: true, Error: wire.NewError(wire.Internal, "")})
		three.heard()
	})
}

func TestEachMessageThatTheRelayFindsTooManyIsReportedAndNotSentAgain(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		one.heard("connected wiki:Ann")
		b.answer = func(c *session.Command) *session.Frame {
			if c.Op == wire.OpSend && c.Type != "first" {
				return &session.Frame{Reply: true, Error: wire.NewError(wire.RateLimited, "")}
			}
			return nil
		}
		for _, typ := range []string{"first", "A", "B"} {
			b.Send("WS1", session.Message{Type: typ})
		}
		b.wait(time.Hour)
		one.heard("send A: rate-limited", "send B: rate-limited")
		equal(t, "sent", len(b.socket().commands(wire.OpSend)), 3)
	})
}

func TestQueueHoldsAHundredMessages(t *testing.T) {
	for n, dropped := range map[int]int{100: 0, 101: 1, 103: 3} {
		in(t, func(t *testing.T, b *browser) {
			b.down = true
			old, one := b.open("WS0"), b.open("WS1")
			old.heard("disconnected 1006 true")
			b.Send("WS0", session.Message{Type: "first"})
			for i := range n - 1 {
				b.Send("WS1", session.Message{Type: itoa(i)})
			}
			if dropped > 0 {
				old.heard("send first: limit")
			} else {
				old.heard()
			}
			one.log = nil
			b.down = false
			b.wait(time.Minute)
			sent := b.socket().commands(wire.OpSend)
			equal(t, "sent", len(sent), n-dropped)
			equal(t, "the last", sent[len(sent)-1].Type, itoa(n-2))
			if dropped > 0 {
				equal(t, "the first", sent[0].Type, itoa(dropped-1))
			}
		})
	}
}

func TestQueueHoldsTwoHundredFiftySixKilobytes(t *testing.T) {
	for last, want := range map[int][]string{60 << 10: {}, 60<<10 + 1: {"send 0: limit"}} {
		in(t, func(t *testing.T, b *browser) {
			b.down = true
			one := b.open("WS1")
			one.heard("disconnected 1006 true")
			for i, size := range []int{60 << 10, 60 << 10, 60 << 10, 16 << 10, last} {
				b.Send("WS1", session.Message{Type: itoa(i), Bytes: size})
			}
			one.heard(want...)
		})
	}
}

func TestMessageLargerThanAFrameIsNotSent(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		one.heard("connected wiki:Ann")
		room := wire.DefaultLimits().FrameBytes - 24
		b.Send("WS1", session.Message{Type: "A", Bytes: room})
		one.heard()
		b.Send("WS1", session.Message{Type: "A", Bytes: room + 1})
		one.heard("send A: too-large")
		equal(t, "sent", len(b.socket().commands(wire.OpSend)), 1)
	})
}

func TestQueueForgetsTabsThatLeft(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.down = true
		b.open("WS1")
		b.open("WS2")
		b.Send("WS1", session.Message{Type: "A"})
		b.Send("WS2", session.Message{Type: "B"})
		b.Send("WS3", session.Message{Type: "C"}) // never came
		b.Leave("WS1")
		b.down = false
		b.wait(time.Minute)
		sent := b.socket().commands(wire.OpSend)
		if len(sent) != 1 || sent[0].Type != "B" {
			t.Errorf("sent %+v", sent)
		}
	})
}

func TestNothingIsQueuedForARelayThatDoesNotWantUs(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.down = true
		one := b.open("WS1")
		one.heard("disconnected 1006 true")
		b.Send("WS1", session.Message{Type: "A"})
		b.down, b.deaf = false, true
		b.wait(time.Second)
		b.socket().end(4501)
		one.heard("disconnected 4501 false", "send A: unavailable")
		b.Send("WS1", session.Message{Type: "B"})
		one.heard("send B: unavailable")
	})
}

func TestTabThatSaysHelloAgainKeepsItsSubscriptions(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.open("WS1", "A")
		again := b.open("WS1", "A")
		again.heard("connected wiki:Ann")
		equal(t, "subscribed", len(b.socket().commands(wire.OpSubscribe)), 1)
		b.socket().say(message("A", ""))
		again.heard("got A")
	})
}
