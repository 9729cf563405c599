package session_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// A wiki gives subscription tokens for types that begin with "s", and a relay that wants them takes those that are good.
type wiki struct {
	b    *browser
	made int
	good map[string]bool // by token
	life int
	asks []string // questions that reached it
}

func newWiki(b *browser) *wiki {
	w := &wiki{b: b, good: map[string]bool{}}
	b.answer = w.relay
	return w
}

func (w *wiki) relay(c *session.Command) *session.Frame {
	if c.Op == wire.OpSubscribe && strings.HasPrefix(c.Type, "s") && !w.good[c.Token] {
		return &session.Frame{Reply: true, Error: wire.NewError(wire.Unauthorized, "this type needs a subscription token")}
	}
	return nil
}

func (w *wiki) grant(types, _ []string) (answers []session.Grant, final bool) {
	w.asks = append(w.asks, strings.Join(types, ","))
	for _, typ := range types {
		w.made++
		token := typ + itoa(w.made)
		w.good[token] = true
		answers = append(answers, session.Grant{Type: typ, Token: session.Token{Text: token, Life: w.life}})
	}
	return answers, false
}

// revoke makes the tokens of before worthless.
func (w *wiki) revoke() { w.good = map[string]bool{} }

func refuse(types, _ []string) (answers []session.Grant, final bool) {
	for _, typ := range types {
		answers = append(answers, session.Grant{Type: typ, Refused: wire.NewError(wire.Forbidden, "not you")})
	}
	return answers, false
}

func unreachable(_, _ []string) ([]session.Grant, bool) { return nil, false }

func tokensOf(commands []session.Command) (tokens []string) {
	for _, c := range commands {
		tokens = append(tokens, c.Token)
	}
	return tokens
}

func TestTypeThatNeedsATokenIsSubscribedToWithOne(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := b.open("WS1")
		one.grants = w.grant
		b.Subscribe("WS1", "secret")
		b.Subscribe("WS1", "open")
		b.wait(time.Second)
		one.heard("connected wiki:Ann", "grants secret not ")
		if got := tokensOf(b.socket().commands(wire.OpSubscribe)); !slices.Equal(got, []string{"", "", "secret1"}) {
			t.Errorf("subscribed with %q", got)
		}
		b.socket().say(message("secret", ""))
		one.heard("got secret")
		b.Unsubscribe("WS1", "secret")
		equal(t, "unsubscribed", len(b.socket().commands(wire.OpUnsubscribe)), 1)
	})
}

func TestManyTypesAreOneQuestionAndConnectedComesAfterThem(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := &tab{b: b, id: "WS1", grants: w.grant}
		b.Join("WS1", "ws://relay.example/", &session.Token{Text: "token"}, one)
		for i := range 100 {
			b.Subscribe("WS1", "s"+itoa(i))
		}
		b.Subscribe("WS1", "open")
		b.wait(49 * time.Millisecond)
		one.heard()
		b.wait(time.Millisecond)
		equal(t, "told", len(one.log), 2)
		equal(t, "at last", one.log[1], "connected wiki:Ann")
		equal(t, "questions", len(w.asks), 1)
		equal(t, "types in it", strings.Count(w.asks[0], ",")+1, 100)
		equal(t, "subscribed", len(b.socket().commands(wire.OpSubscribe)), 201)
	})
}

func TestCachedTokensAreUsedForTheNextConnectionUntilTheyRunOut(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		w.life = 3600
		one := b.open("WS1")
		one.grants = w.grant
		b.Subscribe("WS1", "secret")
		b.wait(time.Second)
		one.log = nil
		b.socket().end(1006)
		b.wait(time.Second)
		one.heard("disconnected 1006 true", "connected wiki:Ann")
		if got := tokensOf(b.socket().commands(wire.OpSubscribe)); !slices.Equal(got, []string{"secret1"}) {
			t.Errorf("subscribed with %q", got)
		}
		b.wait(59*time.Minute + 27*time.Second) // 30 s before its end it is not used any more
		b.socket().end(1006)
		b.wait(time.Second)
		one.heard("disconnected 1006 true", "connected wiki:Ann")
		b.wait(time.Second)
		b.socket().end(1006)
		b.wait(time.Second)
		one.heard("disconnected 1006 true", "grants secret not ", "connected wiki:Ann")
	})
}

func TestCachedTokenThatIsRefusedIsAskedForAnewOnce(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := b.open("WS1")
		one.grants = w.grant
		b.Subscribe("WS1", "secret")
		b.wait(time.Second)
		one.log = nil
		w.revoke()
		b.socket().end(1006)
		b.wait(time.Second)
		one.heard("disconnected 1006 true", "grants secret not secret", "connected wiki:Ann")

		one.grants = func(types, refused []string) ([]session.Grant, bool) {
			answers, final := w.grant(types, refused)
			w.revoke()
			return answers, final
		}
		w.revoke()
		b.socket().end(1006)
		b.wait(time.Hour)
		one.heard("disconnected 1006 true", "grants secret not secret", "subscribe secret: unauthorized", "connected wiki:Ann")
	})
}

func TestTokenMadeInTheSecondOfARevocationIsReplacedInTheNext(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := b.open("WS1")
		at := time.Now()
		one.grants = func(types, refused []string) ([]session.Grant, bool) {
			answers, final := w.grant(types, refused)
			if time.Since(at) < time.Second {
				w.revoke()
			}
			return answers, final
		}
		b.Subscribe("WS1", "secret")
		b.wait(5 * time.Second)
		one.heard("connected wiki:Ann", "grants secret not ", "grants secret not secret")
		b.socket().say(message("secret", ""))
		one.heard("got secret")
	})
}

func TestRefusedGrantIsToldToTheTabsOfThatTypeOnly(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		newWiki(b)
		one, two := b.open("WS1"), b.open("WS2")
		two.grants = refuse
		b.Subscribe("WS1", "secret")
		b.wait(time.Hour)
		one.heard("connected wiki:Ann", "subscribe secret: forbidden")
		two.heard("connected wiki:Ann", "grants secret not ")
		b.Unsubscribe("WS1", "secret")
		equal(t, "unsubscribed", len(b.socket().commands(wire.OpUnsubscribe)), 0)
	})
}

func TestRelayWithoutAWikiFailsWithWhatTheRelaySays(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		newWiki(b)
		one := b.open("WS1")
		one.grants = func(_, _ []string) ([]session.Grant, bool) { return nil, true }
		b.Subscribe("WS1", "secret")
		b.wait(time.Hour)
		one.heard("connected wiki:Ann", "grants secret not ", "subscribe secret: unauthorized")
	})
}

func TestWikiThatCannotBeReachedIsAskedAgainWithBackoff(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := &tab{b: b, id: "WS1", grants: unreachable}
		b.Join("WS1", "ws://relay.example/", &session.Token{Text: "token"}, one)
		b.Subscribe("WS1", "secret")
		b.wait(10 * time.Minute)
		if n := len(one.log); n < 40 || n > 55 { // 15 s apart on average
			t.Errorf("asked %d times in ten minutes", n)
		}
		asks := slices.DeleteFunc(one.log, func(line string) bool { return line == "grants secret not " })
		if !slices.Equal(asks, []string{"subscribe secret: unavailable", "connected wiki:Ann"}) {
			t.Errorf("told %q", asks)
		}
		one.log = nil
		two := b.open("WS2") // another tab may have more luck, and hears of it in any case
		two.grants = unreachable
		b.Subscribe("WS2", "secret")
		b.wait(251 * time.Millisecond)
		two.heard("connected wiki:Ann", "grants secret not ", "subscribe secret: unavailable")
		b.wait(time.Minute)
		one.log = nil
		two.log = nil
		two.grants = w.grant
		b.Visible("WS1", true) // somebody looks
		b.wait(251 * time.Millisecond)
		two.heard("grants secret not ")
		b.wait(time.Hour)
		two.heard()
		b.socket().say(message("secret", ""))
		one.heard("got secret")
	})
}

func TestNobodyIsAskedForTypesThatNobodyWantsAnyMore(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		newWiki(b)
		one := b.open("WS1", "secret")
		b.Unsubscribe("WS1", "secret")
		b.wait(time.Hour)
		one.heard("connected wiki:Ann")
		one.grants = unreachable
		b.Subscribe("WS1", "secret")
		b.wait(time.Second)
		b.Unsubscribe("WS1", "secret")
		one.log = nil
		b.wait(time.Hour)
		one.heard()
	})
}

func TestTabThatGivesNoGrantIsPassedOver(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one, two, three := b.open("WS1"), b.open("WS2"), b.open("WS3")
		for _, tab := range []*tab{one, two, three} {
			tab.heard("connected wiki:Ann")
		}
		one.grants = w.grant
		b.Subscribe("WS1", "secret")
		b.wait(50 * time.Millisecond)
		three.heard("grants secret not ")
		b.Granted("WS1", []session.Grant{{Type: "secret", Token: session.Token{Text: "unasked"}}}, false)
		b.Leave("WS3")
		two.heard("grants secret not ")
		b.wait(10*time.Second - time.Millisecond)
		one.heard()
		b.wait(2 * time.Millisecond)
		one.heard("grants secret not ")
		b.Granted("WS2", nil, true) // too late to mean anything
		b.socket().say(message("secret", ""))
		one.heard("got secret")
	})
}

func TestSilentTabsDoNotHoldUpTheOthersForLong(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one, two := b.open("WS1"), b.open("WS2")
		one.grants, two.grants = w.grant, w.grant
		b.Subscribe("WS1", "secret")
		b.wait(time.Second)
		one.grants, two.grants = nil, nil
		w.revoke()
		one.log, two.log = nil, nil
		b.socket().end(1006)
		b.wait(250*time.Millisecond + 15*time.Second)
		one.heard("disconnected 1006 true", "grants secret not secret", "subscribe secret: unavailable", "connected wiki:Ann")
		two.heard("disconnected 1006 true", "grants secret not secret", "connected wiki:Ann")
		answers, _ := w.grant([]string{"secret"}, nil)
		b.Granted("WS1", answers, false) // late, and welcome
		b.socket().say(message("secret", ""))
		one.heard("got secret")
		equal(t, "sockets", len(b.sockets), 2)
	})
}

func TestRelayThatDoesNotAnswerASubscriptionIsGivenUp(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		b.answer = func(c *session.Command) *session.Frame {
			if c.Op == wire.OpSubscribe && c.Token != "" {
				return &session.Frame{Op: wire.OpPong}
			}
			return w.relay(c)
		}
		one := &tab{b: b, id: "WS1", grants: w.grant}
		b.Join("WS1", "ws://relay.example/", &session.Token{Text: "token"}, one)
		b.Subscribe("WS1", "secret")
		b.wait(15*time.Second + time.Millisecond)
		equal(t, "close code", b.sockets[0].closed, wire.CloseStale.Code)
		one.heard("grants secret not ", "disconnected 3000 true")
	})
}

func TestRelayThatCannotSubscribeNowIsAskedAgain(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.answer = func(c *session.Command) *session.Frame {
			if c.Op == wire.OpSubscribe {
				return &session.Frame{Reply: true, Error: wire.NewError(wire.Unavailable, "")}
			}
			return nil
		}
		one := b.open("WS1", "A")
		b.wait(time.Minute)
		one.heard("subscribe A: unavailable", "connected wiki:Ann")
		b.answer = nil
		b.socket().commands(wire.OpSubscribe)
		b.wait(time.Hour)
		equal(t, "subscribed", len(b.socket().commands(wire.OpSubscribe)), 1)
	})
}

func TestRevokedSubscriptionComesBackWithANewToken(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := b.open("WS1")
		one.grants = w.grant
		b.Subscribe("WS1", "s1")
		b.Subscribe("WS1", "s2")
		b.wait(time.Second)
		one.heard("connected wiki:Ann", "grants s1,s2 not ")
		w.revoke()
		for _, typ := range []string{"s1", "s2", "never heard of"} {
			b.socket().say(&session.Frame{Op: wire.OpRevoked, Type: typ})
		}
		b.socket().say(&session.Frame{Op: wire.OpRevoked, Type: "s1"}) // once more changes nothing
		b.wait(999 * time.Millisecond)
		one.heard()
		b.wait(time.Millisecond)
		one.heard("grants s1,s2 not s1,s2")
		b.socket().say(message("s2", ""))
		one.heard("got s2")

		one.grants = refuse
		b.socket().say(&session.Frame{Op: wire.OpRevoked, Type: "s1"})
		b.wait(time.Hour)
		one.heard("grants s1 not s1", "subscribe s1: forbidden")
	})
}

func TestSubscriptionWhoseTokenRunsOutGoesOnWithAnother(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		one := b.open("WS1")
		one.grants = w.grant
		b.Subscribe("WS1", "secret")
		b.wait(time.Second)
		one.heard("connected wiki:Ann", "grants secret not ")
		b.socket().say(&session.Frame{Op: wire.OpExpire, Type: "secret"})
		b.socket().say(message("secret", "")) // meanwhile it goes on
		b.wait(5 * time.Second)
		one.heard("got secret", "grants secret not secret")
		b.socket().say(message("secret", ""))
		one.heard("got secret")

		one.grants = refuse
		b.socket().say(&session.Frame{Op: wire.OpExpire, Type: "secret"})
		b.wait(5 * time.Second)
		one.heard("grants secret not secret", "subscribe secret: forbidden")
		b.socket().say(&session.Frame{Op: wire.OpRevoked, Type: "secret"})
		b.wait(time.Minute)
		one.heard() // it has given the subscription up already
	})
}

func TestGrantOfASubscriptionThatEndedIsForgotten(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		w := newWiki(b)
		w.life = 3600
		one := b.open("WS1")
		one.grants = w.grant
		b.Subscribe("WS1", "secret")
		b.wait(time.Second)
		b.Unsubscribe("WS1", "secret")
		b.Subscribe("WS1", "secret")
		b.wait(time.Second)
		one.heard("connected wiki:Ann", "grants secret not ", "grants secret not ")
	})
}
