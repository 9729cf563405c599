package session_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

func (s *socket) expire() { s.say(&session.Frame{Op: wire.OpExpire}) }

func TestTokenIsRefreshedOnTheOpenConnection(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one, two := b.open("WS1"), b.open("WS2")
		one.heard("connected wiki:Ann")
		two.token = &session.Token{Text: "T2"}
		b.socket().expire()
		one.heard() // one tab is asked for all
		two.heard("connected wiki:Ann", "token true")
		refresh := b.socket().commands(wire.OpRefresh)
		if len(refresh) != 1 || refresh[0].Token != "T2" {
			t.Fatalf("refresh: %+v", refresh)
		}
		equal(t, "sockets", len(b.sockets), 1)
		b.socket().expire()
		two.heard("token true")
		equal(t, "refreshed with the same token", len(b.socket().commands(wire.OpRefresh)), 0)
	})
}

func TestRefreshThatFailsIsTriedAgainBeforeTheEnd(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		one.refuse = true
		b.socket().expire()
		b.socket().expire() // twice is not more
		b.wait(time.Minute)
		if n := len(one.log); n < 6 || n > 10 {
			t.Errorf("asked %d times in a minute", n-1)
		}
		equal(t, "close code", b.socket().closed, 0)
		one.refuse, one.token = false, &session.Token{Text: "T2", Life: 3600}
		b.wait(16 * time.Second)
		equal(t, "refreshed", len(b.socket().commands(wire.OpRefresh)), 1)
		one.log = nil
		b.wait(30 * time.Minute)
		one.heard()
		b.socket().expire()
		one.heard("token true") // at once again
	})
}

func TestOneQuestionForATokenIsEnough(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		b.socket().expire()
		b.socket().expire()
		b.wait(9 * time.Second)
		one.heard("connected wiki:Ann", "token true")
	})
}

func TestLostConnectionNeedsNoRefresh(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		one.refuse = true
		b.socket().expire()
		one.heard("connected wiki:Ann", "token true")
		one.refuse = false
		b.socket().end(1006)
		b.wait(9 * time.Second)
		one.heard("disconnected 1006 true", "token true") // for the next connection, and not again for the last
	})
}

func TestTokenThatRunsOutWhileTheWikiIsAwayIsReplacedLater(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		one.refuse = true
		b.socket().expire()
		b.wait(time.Minute)
		b.socket().end(4401)
		one.refuse, one.token = false, &session.Token{Text: "T2"}
		one.log = nil
		b.wait(4 * time.Second)
		one.heard("token true", "connected wiki:Ann")
		equal(t, "token", b.socket().commands(wire.OpConnect)[0].Token, "T2")
		b.wait(time.Hour)
		one.heard()
	})
}

func TestTokensThatRunOutAtOnceAreNotFetchedInALoop(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		asked := 0
		one := b.open("WS1")
		b.answer = func(c *session.Command) *session.Frame {
			if c.Op == wire.OpRefresh {
				socket := b.sockets[0]
				socket.events <- func() { socket.link.Received(&session.Frame{Op: wire.OpExpire}) }
				asked++
				one.token = &session.Token{Text: "T" + itoa(asked), Life: 120}
			}
			return nil
		}
		one.token = &session.Token{Text: "T0", Life: 120}
		b.socket().expire()
		b.wait(10 * time.Minute)
		if asked < 40 || asked > 60 { // 15 s apart on average
			t.Errorf("%d tokens in ten minutes", asked)
		}
	})
}

func TestRevokedTokenIsReplacedInAnotherSecondAndNotByAllAtOnce(t *testing.T) {
	for random, wait := range map[float64]time.Duration{0: 1000, 0.5: 2250, 0.999: 3497} {
		in(t, func(t *testing.T, b *browser) {
			one := b.open("WS1", "A")
			one.token = &session.Token{Text: "new"}
			b.random = random
			b.socket().end(wire.CloseUnauthorized.Code)
			b.wait((wait - 1) * time.Millisecond)
			one.heard("connected wiki:Ann", "disconnected 4401 true")
			b.wait(time.Millisecond)
			one.heard("token true", "connected wiki:Ann")
			equal(t, "token", b.socket().commands(wire.OpConnect)[0].Token, "new")
		})
	}
}

func TestUserWhoLostTheRightIsLeftInPeace(t *testing.T) {
	for name, lose := range map[string]func(*browser){
		"revoked":      func(b *browser) { b.socket().end(wire.CloseUnauthorized.Code) },
		"at a refresh": func(b *browser) { b.socket().expire() },
	} {
		in(t, func(t *testing.T, b *browser) {
			one, two := b.open("WS1", "A"), b.open("WS2")
			two.refuse, two.final = true, true
			lose(b)
			b.wait(4 * time.Second)
			equal(t, name+": told at last", one.log[len(one.log)-1], "disconnected 4401 false")
			equal(t, name+": times", countOf(one.log, "disconnected 4401 false"), 1)
			equal(t, name+": asked", countOf(two.log, "token true"), 1)
			if code := b.sockets[0].closed; name == "at a refresh" && code != 1000 {
				t.Errorf("%s: close code %d", name, code)
			}
			one.log, two.log = nil, nil
			b.Visible("WS1", true)
			b.Online(true)
			b.Send("WS1", session.Message{Type: "A"})
			b.wait(24 * time.Hour)
			one.heard("send A: unavailable")
			two.heard()
			equal(t, name+": dials", len(b.dialled), 1)

			three := b.openWith("WS3", nil) // a page that is opened later starts anew
			three.heard("token true")
			b.NoToken("WS3", true)
			three.heard("disconnected 4401 false")
			one.heard() // knows it
			b.GiveToken("WS3", session.Token{Text: "after all"})
			one.heard("connected wiki:Ann")
		})
	}
}

func countOf(log []string, line string) (n int) {
	for _, l := range log {
		if l == line {
			n++
		}
	}
	return n
}

// A machine that sleeps stops the timers, and the world goes on: here the clock of the relay is ahead of the bubble's by what was slept.
func TestLaptopThatSleptPastTheExpiryRecoversWithoutReload(t *testing.T) {
	for name, wake := range map[string]func(*browser){
		"the socket was closed": func(b *browser) { b.socket().end(1006) },
		"the relay closed it":   func(b *browser) { b.socket().end(wire.CloseUnauthorized.Code) },
		"the socket is dead":    func(b *browser) { b.deaf = true; b.Visible("WS1", true); b.wait(11 * time.Second); b.deaf = false },
	} {
		in(t, func(t *testing.T, b *browser) {
			var slept time.Duration
			expires := map[string]time.Time{}
			now := func() time.Time { return time.Now().Add(slept) }
			mint := func(text string) session.Token {
				expires[text] = now().Add(time.Hour)
				return session.Token{Text: text, Life: 3600}
			}
			b.answer = func(c *session.Command) *session.Frame {
				needed := c.Op == wire.OpConnect || c.Op == wire.OpSubscribe
				if needed && !now().Before(expires[c.Token]) {
					code := map[bool]wire.Code{true: wire.Unauthorized, false: wire.Expired}[c.Token == ""]
					return &session.Frame{Reply: true, Error: wire.NewError(code, "")}
				}
				return nil
			}
			made := 0
			first := mint("T0")
			one := &tab{b: b, id: "WS1"}
			one.grants = func(types, _ []string) ([]session.Grant, bool) {
				made++
				return []session.Grant{{Type: types[0], Token: mint("G" + itoa(made))}}, false
			}
			b.Join("WS1", "ws://relay.example/", &first, one)
			b.Subscribe("WS1", "secret")
			b.wait(time.Minute)
			one.heard("grants secret not ", "connected wiki:Ann")

			slept = 8 * time.Hour
			fresh := mint("T1")
			one.token = &fresh
			wake(b)
			b.wait(time.Minute)
			want := []string{"token true", "grants secret not secret", "connected wiki:Ann"}
			if got := one.log[1:]; !slices.Equal(got, want) {
				t.Errorf("%s: told %q, want %q", name, one.log, want)
			}
			one.log = nil
			b.socket().say(message("secret", ""))
			one.heard("got secret")
		})
	}
}

func TestAnswerThatComesAfterTheConnectionWasLostStopsNothing(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		b.socket().expire()
		b.socket().end(1006)
		b.NoToken("WS1", true) // it was about the connection of before
		synctest.Wait()
		one.heard("connected wiki:Ann", "token true", "disconnected 1006 true")
		one.token = &session.Token{Text: "T2"}
		b.wait(time.Second)
		one.heard("token true", "connected wiki:Ann")
	})
}
