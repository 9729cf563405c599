package session_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

func TestNothingIsDialledWithoutATab(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.wait(time.Hour)
		b.Online(true)
		synctest.Wait()
		equal(t, "dials", len(b.sockets), 0)
	})
}

func TestTabsShareOneConnection(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		one.heard("connected wiki:Ann")
		two := b.open("WS2")
		two.heard("connected wiki:Ann")
		one.heard()
		equal(t, "sockets", len(b.sockets), 1)
		equal(t, "url", b.socket().url, "ws://relay.example/")
		connect := b.socket().commands(wire.OpConnect)
		if len(connect) != 1 || connect[0].Token != "token" || !slices.Equal(connect[0].Clients, []string{"WS1"}) {
			t.Errorf("connect: %+v", connect)
		}
		equal(t, "registered", b.socket().commands(wire.OpRegister)[0].Client, "WS2")
		b.Leave("WS1")
		equal(t, "released", b.socket().commands(wire.OpRelease)[0].Client, "WS1")
		equal(t, "close code", b.socket().closed, 0)
		b.Leave("WS1") // twice does no harm
		b.Leave("WS2")
		synctest.Wait()
		equal(t, "close code", b.socket().closed, 1000)
		b.wait(time.Hour)
		equal(t, "sockets", len(b.sockets), 1)
		b.open("WS3").heard("connected wiki:Ann")
		equal(t, "sockets", len(b.sockets), 2)
	})
}

func TestTabsThatComeAndGoWhileConnectIsOnItsWay(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.deaf = true
		b.open("WS1")
		b.socket().link.Opened()
		synctest.Wait()
		two := b.open("WS2")
		b.Leave("WS1")
		synctest.Wait()
		b.deaf = false
		b.socket().say(&session.Frame{Reply: true, ID: b.socket().commands(wire.OpConnect)[0].ID})
		equal(t, "registered", b.socket().commands(wire.OpRegister)[0].Client, "WS2")
		equal(t, "released", b.socket().commands(wire.OpRelease)[0].Client, "WS1")
		two.heard("connected ")
	})
}

func TestMoreTabsThanConnectMayNameAreRegisteredOneByOne(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		limit := wire.DefaultLimits().Clients
		b.deaf = true
		last := b.open("WS0")
		for i := range limit {
			last = b.open("WT" + string(rune('A'+i)))
		}
		b.deaf = false
		b.answer = func(c *session.Command) *session.Frame {
			if c.Op == wire.OpRegister {
				return &session.Frame{Reply: true, Error: wire.NewError(wire.Limit, "")}
			}
			return nil
		}
		b.socket().link.Opened()
		equal(t, "clients of connect", len(b.socket().commands(wire.OpConnect)[0].Clients), limit)
		equal(t, "registered after it", len(b.socket().commands(wire.OpRegister)), 1)
		last.heard("connected wiki:Ann", "register : limit")
	})
}

func TestTypesAreSubscribedAgainOnceBeforeTheTabsHearOfTheConnection(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1", "A", "B")
		two := b.open("WS2", "B", "C")
		b.Subscribe("WS2", "C")
		equal(t, "subscribed", len(b.socket().commands(wire.OpSubscribe)), 3)
		one.heard("connected wiki:Ann")
		two.heard("connected wiki:Ann")

		asked := 0
		b.answer = func(c *session.Command) *session.Frame {
			if c.Op == wire.OpSubscribe {
				asked++
				equal(t, "told before the last subscription", len(one.log), 1)
			}
			return nil
		}
		b.socket().end(1006)
		b.wait(time.Second)
		equal(t, "subscribed again", asked, 3)
		one.heard("disconnected 1006 true", "connected wiki:Ann")
		two.heard("disconnected 1006 true", "connected wiki:Ann")

		b.Unsubscribe("WS1", "B")
		equal(t, "unsubscribed while another tab wants it", len(b.socket().commands(wire.OpUnsubscribe)), 0)
		b.Unsubscribe("WS2", "B")
		b.Unsubscribe("WS2", "B")
		equal(t, "unsubscribed with the last tab", len(b.socket().commands(wire.OpUnsubscribe)), 1)
		b.Leave("WS1")
		equal(t, "unsubscribed with a tab that left", b.socket().commands(wire.OpUnsubscribe)[0].Type, "A")
	})
}

func TestUnsubscribedWhileDisconnectedStaysUnsubscribed(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.open("WS1", "A", "B")
		b.socket().end(1006)
		b.Unsubscribe("WS1", "A")
		b.wait(time.Second)
		again := b.socket().commands(wire.OpSubscribe)
		if len(again) != 1 || again[0].Type != "B" {
			t.Errorf("subscribed again: %+v", again)
		}
	})
}

func TestReconnectFrameIsHonoured(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		one.heard("connected wiki:Ann")
		old := b.socket()
		old.say(&session.Frame{Op: wire.OpReconnect, After: 3000})
		b.wait(2999 * time.Millisecond)
		equal(t, "close code before the time", old.closed, 0)
		one.heard()
		b.wait(2 * time.Millisecond)
		equal(t, "close code", old.closed, 1000)
		one.heard("disconnected 1001 true", "connected wiki:Ann")
		equal(t, "sockets", len(b.sockets), 2)

		b.socket().say(&session.Frame{Op: wire.OpReconnect, After: 3000})
		b.socket().end(1001)
		b.wait(2999 * time.Millisecond)
		equal(t, "sockets before the time", len(b.sockets), 2)
		b.wait(2 * time.Millisecond)
		equal(t, "sockets", len(b.sockets), 3)
		one.heard("disconnected 1001 true", "connected wiki:Ann")
	})
}

func TestReconnectFrameCannotKeepTheBrowserAwayForLong(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.open("WS1")
		b.socket().say(&session.Frame{Op: wire.OpReconnect, After: 1 << 31})
		b.wait(5*time.Minute + time.Second)
		equal(t, "sockets", len(b.sockets), 2)
		b.socket().say(&session.Frame{Op: wire.OpReconnect, After: -1})
		b.wait(time.Millisecond)
		equal(t, "sockets", len(b.sockets), 3)
	})
}

func TestSilentRelayIsAskedAndGivenUp(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1", "A")
		b.wait(24 * time.Second)
		b.socket().say(message("A", "")) // puts it off
		b.wait(24 * time.Second)
		equal(t, "pings before 25 s of silence", len(b.socket().commands(wire.OpPing)), 0)
		b.wait(2 * time.Second)
		equal(t, "pings", len(b.socket().commands(wire.OpPing)), 1)
		b.wait(time.Minute)
		equal(t, "close code of a relay that answers", b.socket().closed, 0)
		one.heard("connected wiki:Ann", "got A")

		silent := b.socket()
		b.deaf = true
		b.wait(36 * time.Second)
		b.deaf = false
		equal(t, "close code of a silent relay", silent.closed, wire.CloseStale.Code)
		silent.link.Received(message("A", "")) // too late
		b.wait(16 * time.Second)
		one.heard("disconnected 3000 true", "connected wiki:Ann")
	})
}

func TestWakingUpTriesTheConnection(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.open("WS1")
		for range 20 {
			b.Visible("WS1", false)
			b.Visible("WS1", true)
			b.Online(true)
		}
		equal(t, "pings", len(b.socket().commands(wire.OpPing)), 1)
		b.wait(6 * time.Second)
		b.deaf = true
		b.Visible("WS1", true)
		b.wait(2999 * time.Millisecond)
		equal(t, "close code", b.sockets[0].closed, 0)
		b.wait(2 * time.Millisecond)
		equal(t, "close code", b.sockets[0].closed, wire.CloseStale.Code)
	})
}

func TestHandshakeThatHangsIsGivenUp(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.deaf = true
		one := b.open("WS1")
		b.wait(16 * time.Second)
		equal(t, "close code", b.sockets[0].closed, wire.CloseStale.Code)
		equal(t, "sockets", len(b.sockets), 2)
		one.heard("disconnected 3000 true")
		b.sockets[0].link.Opened() // a socket that was given up changes nothing
		synctest.Wait()
		equal(t, "commands on it", len(b.sockets[0].sent), 0)
	})
}

func TestSocketThatCannotBeMadeIsRetried(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.broken = true
		one := b.open("WS1")
		one.heard("disconnected 1006 true")
		b.broken = false
		b.wait(time.Second)
		one.heard("connected wiki:Ann")
	})
}

func TestForbiddingCloseCodesStopUntilATabComes(t *testing.T) {
	for _, c := range []struct {
		code int
		stop bool
	}{
		{1000, false}, {1001, false}, {1008, false}, {1009, false}, {1013, false}, {4000, false}, {4003, false}, {4499, false},
		{4500, true}, {4502, true}, {4999, true},
	} {
		in(t, func(t *testing.T, b *browser) {
			one := b.open("WS1")
			b.socket().end(c.code)
			b.wait(time.Hour)
			equal(t, "sockets", len(b.sockets), map[bool]int{true: 1, false: 2}[c.stop])
			if !c.stop {
				return
			}
			if len(one.log) != 2 || one.log[1] != "disconnected "+itoa(c.code)+" false" {
				t.Errorf("told %q", one.log)
			}
			b.Visible("WS1", true)
			b.Online(true)
			b.wait(time.Hour)
			equal(t, "sockets", len(b.sockets), 1)
			b.open("WS2").heard("connected wiki:Ann")
		})
	}
}

func TestRefusedConnect(t *testing.T) {
	for code, stop := range map[wire.Code]bool{wire.Forbidden: true, wire.BadRequest: true, wire.UnknownOp: true,
		wire.Unavailable: false, wire.Limit: false, wire.Internal: false} {
		in(t, func(t *testing.T, b *browser) {
			b.answer = func(c *session.Command) *session.Frame {
				if c.Op == wire.OpConnect {
					return &session.Frame{Reply: true, Error: wire.NewError(code, "no")}
				}
				return nil
			}
			one := b.open("WS1", "A")
			equal(t, "close code", b.sockets[0].closed, 1000)
			b.wait(time.Minute)
			equal(t, string(code)+" stops", len(b.sockets) == 1, stop)
			equal(t, "told", len(one.log), 1)
		})
	}
}
