package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// back has the browser's machine wake up, or its network come back.
var back = map[string]func(*browser){
	"woke":   (*browser).woke,
	"online": func(b *browser) { b.Online(false); b.Online(true) },
}

func (b *browser) woke() { b.Woke(false) }

func TestWakingUpWithADeadConnectionIsOverInTwoSeconds(t *testing.T) {
	for name, wake := range back {
		in(t, func(t *testing.T, b *browser) {
			h := b.keeping(1)
			one := b.open("WS1", "A")
			b.wait(time.Minute)
			b.deaf = true // the old connection goes nowhere
			h.now = 5
			at := time.Now()
			wake(b)
			b.wait(time.Millisecond)
			b.deaf = false // the next is a real one
			b.wait(2 * time.Second)
			equal(t, name+": sockets", len(b.sockets), 2)
			if took := b.dialled[1].Sub(at); took > 1500*time.Millisecond {
				t.Errorf("%s: dialled after %v", name, took)
			}
			equal(t, name+": got", one.got(), "2 3 4 5")
		})
	}
}

func TestMachineThatSleepsAgainAtOnceWakesUpAsQuickly(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.open("WS1")
		b.Woke(true)
		b.wait(time.Second)
		b.deaf = true
		b.Woke(true)
		b.wait(2 * time.Second)
		equal(t, "sockets", len(b.sockets), 2)
	})
}

func TestWakingUpWithALiveConnectionKeepsIt(t *testing.T) {
	for name, wake := range back {
		in(t, func(t *testing.T, b *browser) {
			one := b.open("WS1")
			for range 100 { // each page tells
				wake(b)
			}
			equal(t, name+": pings", len(b.socket().commands(wire.OpPing)) <= 2, true)
			b.wait(time.Minute)
			one.heard("connected wiki:Ann")
			equal(t, name+": sockets", len(b.sockets), 1)
		})
	}
}

func TestWakingUpCutsEveryWaitToHalfASecond(t *testing.T) {
	for name, wake := range back {
		for _, hidden := range []bool{false, true} {
			in(t, func(t *testing.T, b *browser) {
				b.random = 0.999
				b.open("WS1")
				b.Visible("WS1", !hidden)
				b.down = true
				b.socket().end(1006)
				b.wait(10 * time.Minute)
				n := len(b.dialled)
				at := time.Now()
				wake(b)
				b.wait(500 * time.Millisecond)
				if len(b.dialled) == n || b.dialled[n].Sub(at) > 500*time.Millisecond {
					t.Errorf("%s, hidden %t: not dialled", name, hidden)
				}
			})
		}
	}
}

func TestWakingUpForgetsHowLongTheRelayWantedToBeAway(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.open("WS1")
		b.socket().say(&session.Frame{Op: wire.OpReconnect, After: 200_000})
		b.socket().end(1001)
		b.Online(false)
		b.Online(true) // is no reason to trample on it
		b.wait(time.Second)
		equal(t, "dials", len(b.dialled), 1)
		b.Woke(true)
		b.wait(500 * time.Millisecond)
		equal(t, "dials", len(b.dialled), 2)
	})
}

func TestConnectionThatWasBeingMadeBeforeTheSleepIsMadeAnew(t *testing.T) {
	for name, wake := range back {
		in(t, func(t *testing.T, b *browser) {
			b.deaf = true
			one := b.open("WS1")
			b.deaf = false
			wake(b)
			b.wait(501 * time.Millisecond)
			equal(t, name+": close code", b.sockets[0].closed, wire.CloseStale.Code)
			one.heard("disconnected 3000 true", "connected wiki:Ann")
		})
	}
}

func TestNothingIsDialledWhileTheNetworkIsAway(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.random = 0.999
		b.open("WS1")
		b.Online(false)
		b.down = true
		b.socket().end(1006)
		b.Woke(true)
		b.wait(time.Minute)
		equal(t, "dials", len(b.dialled), 1)
	})
}

func TestWakingUpWithoutATabDoesNothing(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.Woke(true)
		b.wait(time.Hour)
		equal(t, "dials", len(b.dialled), 0)
	})
}

func TestDeadConnectionIsNoticedWithinThirtyFiveSeconds(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		synctest.Wait()
		b.deaf = true
		b.wait(35 * time.Second)
		one.heard("connected wiki:Ann", "disconnected 3000 true")
	})
}
