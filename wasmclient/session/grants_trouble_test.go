package session_test

import (
	"testing"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

func TestTypesThatComeWhileAQuestionIsOutAreTheNext(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := b.open("WS1")
		b.Subscribe("WS1", "s1")
		b.wait(50 * time.Millisecond)
		one.heard("connected wiki:Ann", "grants s1 not ")
		b.Subscribe("WS1", "s2")
		b.Subscribe("WS1", "s3")
		b.wait(time.Second)
		one.heard()
		one.grants = w.grant
		answers, _ := w.grant([]string{"s1", "s2", "open"}, nil) // more than was asked for is of no use
		b.Granted("WS1", answers, false)
		one.heard("grants s2,s3 not ")
		for _, typ := range []string{"s1", "s2", "s3"} {
			b.socket().say(message(typ, ""))
			one.heard("got " + typ)
		}
		if got := tokensOf(b.socket().commands(wire.OpSubscribe)); len(got) != 6 {
			t.Errorf("subscribed with %q", got)
		}
	})
}

func TestClockThatRunsAheadDoesNotKeepAFreshGrantOut(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		w.life = -60
		one := b.open("WS1")
		one.grants = w.grant
		b.Subscribe("WS1", "secret")
		b.wait(time.Second)
		b.socket().say(message("secret", ""))
		one.heard("connected wiki:Ann", "grants secret not ", "got secret")
		b.socket().end(1006)
		b.wait(time.Second)
		one.heard("disconnected 1006 true", "grants secret not ", "connected wiki:Ann")
	})
}

func TestEachOutageOfTheWikiIsToldAndBeginsWithShortWaits(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := b.open("WS1")
		one.heard("connected wiki:Ann")
		one.grants = unreachable
		b.Subscribe("WS1", "secret")
		b.wait(time.Minute)
		equal(t, "told", countOf(one.log, "subscribe secret: unavailable"), 1)
		one.grants = w.grant
		b.wait(30 * time.Second)
		one.grants = unreachable
		one.log = nil
		b.socket().say(&session.Frame{Op: wire.OpRevoked, Type: "secret"})
		b.wait(time.Second)
		one.heard("grants secret not secret", "subscribe secret: unavailable")
		b.wait(250 * time.Millisecond)
		one.heard("grants secret not secret")
	})
}

func TestOneQuestionThatGetsLostIsNotTold(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		lost := true
		one := &tab{b: b, id: "WS1", grants: func(types, refused []string) ([]session.Grant, bool) {
			if lost = !lost; lost {
				return w.grant(types, refused)
			}
			return unreachable(types, refused)
		}}
		b.Join("WS1", "ws://relay.example/", &session.Token{Text: "token"}, one)
		b.Subscribe("WS1", "secret")
		b.wait(time.Second)
		one.heard("grants secret not ", "grants secret not ", "connected wiki:Ann")
		b.socket().say(&session.Frame{Op: wire.OpExpire, Type: "secret"})
		b.wait(3 * time.Second)
		one.heard("grants secret not secret", "grants secret not secret")
		b.socket().say(message("secret", ""))
		one.heard("got secret")
	})
}

func TestLostConnectionEndsTheSearchForGrants(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := b.open("WS1")
		b.Subscribe("WS1", "s1")
		b.socket().end(1006) // while types are collected
		b.deaf = true
		b.wait(10 * time.Second)
		one.heard("connected wiki:Ann", "disconnected 1006 true")
		b.deaf = false
		b.wait(20 * time.Second)
		equal(t, "told", one.log[len(one.log)-1], "grants s1 not ")
		b.socket().end(1006) // while the question is out
		one.log = nil
		one.grants = w.grant
		b.wait(2 * time.Second)
		one.heard("grants s1 not ", "connected wiki:Ann")
		equal(t, "questions", len(w.asks), 1)
	})
}

func TestLostConnectionEndsTheTriesToSubscribe(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.answer = func(c *session.Command) *session.Frame {
			if c.Op == wire.OpSubscribe {
				return &session.Frame{Reply: true, Error: wire.NewError(wire.Unavailable, "")}
			}
			return nil
		}
		one := b.open("WS1", "A")
		one.heard("subscribe A: unavailable", "connected wiki:Ann")
		b.answer = nil
		b.down = true
		b.socket().end(1006)
		b.wait(time.Minute)
		one.heard("disconnected 1006 true")
		b.down = false
		b.wait(time.Minute)
		one.heard("connected wiki:Ann")
	})
}

func TestRevocationDuringAQuestionIsNotAnotherOne(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := b.open("WS1")
		b.Subscribe("WS1", "secret")
		b.wait(50 * time.Millisecond)
		one.heard("connected wiki:Ann", "grants secret not ")
		b.socket().say(&session.Frame{Op: wire.OpRevoked, Type: "secret"})
		b.wait(5 * time.Second)
		one.heard()
		answers, _ := w.grant([]string{"secret"}, nil)
		b.Granted("WS1", answers, false)
		b.wait(time.Hour)
		one.heard()
		b.socket().say(message("secret", ""))
		one.heard("got secret")
	})
}
