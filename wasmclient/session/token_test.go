package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

func TestTokenIsAskedForOnceAndCached(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.openWith("WS1", nil)
		one.heard("token false")
		equal(t, "dials without a token", len(b.dialled), 0)
		b.GiveToken("WS1", session.Token{Text: "T1", Life: 3600})
		one.heard("connected wiki:Ann")
		equal(t, "token", b.socket().commands(wire.OpConnect)[0].Token, "T1")
		for range 10 {
			b.socket().end(1006)
			b.wait(time.Minute)
			equal(t, "token", b.socket().commands(wire.OpConnect)[0].Token, "T1")
		}
		one.log = nil
		two := b.open("WS2")
		two.heard("connected wiki:Ann")
		b.wait(49*time.Minute + 29*time.Second)
		b.socket().end(1006)
		b.wait(500 * time.Millisecond)
		two.heard("disconnected 1006 true", "connected wiki:Ann")
		one.log = nil
		b.wait(time.Second)
		b.socket().end(1006)
		b.wait(500 * time.Millisecond)
		two.heard("disconnected 1006 true", "token false") // it has run out; the last tab is asked
		one.heard("disconnected 1006 true")
	})
}

func TestEmptyTokenConnectsWithoutOne(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.openWith("WS1", nil)
		one.heard("token false")
		b.GiveToken("WS1", session.Token{})
		one.heard("connected wiki:Ann")
		equal(t, "token", b.socket().commands(wire.OpConnect)[0].Token, "")
	})
}

func TestTabThatDoesNotAnswerIsPassedOver(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one, two := b.openWith("WS1", nil), b.openWith("WS2", nil)
		one.heard("token false")
		two.heard()
		b.wait(10*time.Second + time.Millisecond)
		one.heard()
		two.heard("token false")
		b.wait(10*time.Second + time.Millisecond)
		one.heard("disconnected 1006 true")
		two.heard("disconnected 1006 true")
		b.wait(250 * time.Millisecond)
		two.heard("token false") // the next attempt begins with the last tab
		b.wait(10 * time.Second)
		b.GiveToken("WS2", session.Token{Text: "late, and welcome"})
		one.heard("token false", "connected wiki:Ann")
		two.heard("connected wiki:Ann")
	})
}

func TestTabThatLeavesWhileItIsAskedIsPassedOver(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one, two := b.openWith("WS1", nil), b.openWith("WS2", nil)
		one.heard("token false")
		b.Leave("WS1")
		two.heard("token false")
		b.NoToken("WS1", true) // too late to mean anything
		two.heard()
	})
}

func TestWikiThatGivesNoTokenIsAskedWithBackoff(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.openWith("WS1", nil)
		one.refuse = true
		b.NoToken("WS1", false)
		b.wait(10 * time.Minute)
		if n := len(one.log); n < 40 || n > 55 { // 15 s apart on average
			t.Errorf("asked %d times in ten minutes", n)
		}
		equal(t, "dials", len(b.dialled), 0)
	})
}

func TestFinalAnswerStops(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.openWith("WS1", nil)
		b.NoToken("WS1", true)
		b.wait(time.Hour)
		one.heard("token false", "disconnected 4401 false")
		b.GiveToken("WS1", session.Token{Text: "after all"}) // a changed token begins anew
		one.heard("connected wiki:Ann")
	})
}

func TestRefusedTokenIsReplaced(t *testing.T) {
	for name, refuse := range map[string]func(*browser){
		"error reply": func(b *browser) {
			b.answer = func(c *session.Command) *session.Frame {
				if c.Op == wire.OpConnect && c.Token == "token" {
					return &session.Frame{Reply: true, Error: wire.NewError(wire.Expired, "")}
				}
				return nil
			}
		},
		"close code": func(b *browser) {
			b.answer = func(c *session.Command) *session.Frame {
				if c.Op == wire.OpConnect && c.Token == "token" {
					socket := b.sockets[len(b.sockets)-1]
					socket.events <- func() { socket.link.Closed(4401, "") }
				}
				return nil
			}
		},
	} {
		in(t, func(t *testing.T, b *browser) {
			refuse(b)
			one := b.open("WS1")
			one.token = &session.Token{Text: "token"} // what it has in stock
			b.wait(20 * time.Second)
			one.log = nil
			one.token = &session.Token{Text: "new", Life: 3600}
			b.wait(time.Minute)
			one.heard("token true", "connected wiki:Ann")
			equal(t, name+": token", b.socket().commands(wire.OpConnect)[0].Token, "new")
			equal(t, name+": attempts with the refused token", len(b.sockets), 2)
			b.open("WS2") // brings the old one
			b.socket().end(1006)
			b.wait(time.Second)
			equal(t, name+": token", b.socket().commands(wire.OpConnect)[0].Token, "new")
		})
	}
}

func TestClockThatRunsAheadDoesNotKeepAFreshTokenOut(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.openWith("WS1", &session.Token{Text: "from the page", Life: -3600})
		one.heard("token false")
		b.GiveToken("WS1", session.Token{Text: "fresh", Life: -60})
		one.heard("connected wiki:Ann")
		one.token = &session.Token{Text: "fresher", Life: -60}
		b.socket().end(1006)
		b.wait(time.Second)
		one.heard("disconnected 1006 true", "token false", "connected wiki:Ann")
		equal(t, "token", b.socket().commands(wire.OpConnect)[0].Token, "fresher")
	})
}

func TestRevokedTokenIsNotReplacedInTheSecondOfItsRevocation(t *testing.T) {
	for code, wait := range map[wire.Code]time.Duration{wire.Unauthorized: 2250, wire.Expired: 250} {
		in(t, func(t *testing.T, b *browser) {
			b.answer = func(c *session.Command) *session.Frame {
				if c.Op == wire.OpConnect {
					return &session.Frame{Reply: true, Error: wire.NewError(code, "")}
				}
				return nil
			}
			one := b.open("WS1")
			b.wait((wait - 1) * time.Millisecond)
			one.heard("disconnected 4401 true")
			b.wait(time.Millisecond)
			one.heard("token true")
		})
	}
}

func TestTokenThatComesLateIsUsedForTheNextAttempt(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.openWith("WS1", nil)
		b.wait(10*time.Second + time.Millisecond)
		one.heard("token false", "disconnected 1006 true")
		b.GiveToken("WS1", session.Token{Text: "late"})
		synctest.Wait()
		equal(t, "dials", len(b.dialled), 0)
		b.wait(time.Second)
		one.heard("connected wiki:Ann")
	})
}
