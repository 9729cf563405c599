package session_test

import (
	"testing"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

func TestPresenceIsAnsweredToTheTabThatAsked(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one, two := b.open("WS1"), b.open("WS2")
		one.log, two.log = nil, nil
		b.answer = func(c *session.Command) *session.Frame {
			switch {
			case c.Op != wire.OpPresence:
				return nil
			case c.Type == "secret":
				return &session.Frame{Reply: true, Error: wire.NewError(wire.Forbidden, "no")}
			}
			return &session.Frame{Reply: true, Payload: "Ann, Bob"}
		}
		b.Presence("WS1", "A", 1)
		b.Presence("WS2", "secret", 1)
		b.Presence("WS9", "A", 1)
		one.heard("present 1 Ann, Bob")
		two.heard("present 1 forbidden")
		sent := b.socket().commands(wire.OpPresence)
		equal(t, "asked", len(sent), 2)
		equal(t, "follow", sent[0].Follow, nil)

		b.down = true
		b.socket().end(1006)
		b.Presence("WS1", "A", 2) // nobody is there to answer; the tab asks again when it hears of a connection
		b.down = false
		b.wait(time.Minute)
		equal(t, "asked without a connection", len(b.socket().commands(wire.OpPresence)), 0)
	})
}

func TestTabsHearWhoComesAndGoesAlsoAfterAReconnect(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one, two := b.open("WS1"), b.open("WS2")
		b.Follow("WS1", "A")
		b.Follow("WS1", "A")
		b.Follow("WS2", "A")
		sent := b.socket().commands(wire.OpPresence)
		equal(t, "asked", len(sent), 2)
		equal(t, "follow", sent[0].Follow, true)
		one.log, two.log = nil, nil
		b.socket().say(&session.Frame{Op: wire.OpJoin, Type: "A", Payload: "Ann"})
		b.socket().say(&session.Frame{Op: wire.OpLeave, Type: "B", Payload: "Ann"})
		one.heard("join A Ann")
		two.heard("join A Ann")
		b.Unfollow("WS2", "A")
		b.socket().say(&session.Frame{Op: wire.OpLeave, Type: "A", Payload: "Ann"})
		one.heard("leave A Ann")
		two.heard()
		equal(t, "told while another tab follows", len(b.socket().commands(wire.OpPresence)), 0)

		b.socket().end(1006)
		b.wait(time.Second)
		equal(t, "follow again", b.socket().commands(wire.OpPresence)[0].Follow, true)
		b.Unfollow("WS1", "A")
		b.Unfollow("WS1", "A")
		sent = b.socket().commands(wire.OpPresence)
		if len(sent) != 1 || sent[0].Follow != false {
			t.Errorf("unfollowed with %+v", sent)
		}
		b.Follow("WS1", "B")
		b.Leave("WS1")
		equal(t, "told when a tab leaves", len(b.socket().commands(wire.OpPresence)), 2)
		b.socket().end(1006)
		b.wait(time.Second)
		equal(t, "follow again", len(b.socket().commands(wire.OpPresence)), 0)
	})
}

func TestPresenceThatTheWikiHasNotDeclaredIsReported(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		b.answer = func(*session.Command) *session.Frame {
			return &session.Frame{Reply: true, Error: wire.NewError(wire.Forbidden, "no")}
		}
		b.Follow("WS1", "A")
		one.heard("connected wiki:Ann", "presence A: forbidden")
	})
}
