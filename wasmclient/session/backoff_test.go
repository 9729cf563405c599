package session_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestWindowDoublesFromHalfASecondToThirtySeconds(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.down = true
		one := b.open("WS1")
		for i, window := range []float64{0.5, 1, 2, 4, 8, 16, 30, 30, 30} {
			for len(b.dialled) < i+2 {
				b.wait(time.Millisecond)
			}
			want := time.Duration(window * float64(time.Second) / 2)
			equal(t, "wait "+itoa(i), b.dialled[i+1].Sub(b.dialled[i]), want)
		}
		one.heard("disconnected 1006 true")
	})
}

func TestOnlyAConnectionThatLastsStartsTheCountAgain(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.open("WS1")
		for range 5 { // taken and dropped
			b.wait(9 * time.Second)
			b.socket().end(1006)
			b.wait(20 * time.Second)
		}
		b.socket().end(1006)
		at := time.Now()
		b.wait(time.Minute)
		equal(t, "wait after a connection of 11 s or more", b.dialled[len(b.dialled)-1].Sub(at), 250*time.Millisecond)
	})
}

func TestAttemptsGrowWhenTheRelayDropsAtOnce(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.open("WS1")
		for range 7 {
			before := len(b.sockets)
			b.socket().end(1006)
			for len(b.sockets) == before {
				b.wait(time.Millisecond)
			}
		}
		last := len(b.dialled) - 1
		equal(t, "the last wait", b.dialled[last].Sub(b.dialled[last-1]).Round(10*time.Millisecond), 15*time.Second)
	})
}

func TestNewcomersCutTheWaitShort(t *testing.T) {
	for name, wake := range map[string]func(*browser){
		"a tab comes":            func(b *browser) { b.open("WS2") },
		"a tab is looked at":     func(b *browser) { b.Visible("WS1", true) },
		"the network comes back": func(b *browser) { b.Online(true) },
	} {
		in(t, func(t *testing.T, b *browser) {
			b.down = true
			b.open("WS1")
			b.wait(90 * time.Second)
			for n := len(b.dialled); len(b.dialled) == n; {
				b.wait(time.Millisecond)
			}
			n := len(b.dialled)
			at := time.Now()
			wake(b)
			b.wait(14 * time.Second)
			if len(b.dialled) == n {
				t.Fatal(name, ": not dialled")
			}
			equal(t, name, b.dialled[n].Sub(at).Round(10*time.Millisecond), 250*time.Millisecond)
		})
	}
}

func TestHiddenOrOfflineBrowserHoldsBack(t *testing.T) {
	for name, rest := range map[string]func(b *browser, rest bool){
		"hidden":  func(b *browser, rest bool) { b.Visible("WS1", !rest) },
		"offline": func(b *browser, rest bool) { b.Online(!rest) },
	} {
		in(t, func(t *testing.T, b *browser) {
			b.open("WS1")
			rest(b, true)
			synctest.Wait()
			b.down = true
			b.socket().end(1006)
			b.wait(149 * time.Second)
			equal(t, name+": dials", len(b.dialled), 1)
			b.wait(2 * time.Second)
			equal(t, name+": dials", len(b.dialled), 2)
			rest(b, false)
			b.wait(251 * time.Millisecond)
			equal(t, name+", then not: dials", len(b.dialled), 3)
		})
	}
}

func TestFullRelayIsNotHammered(t *testing.T) {
	for _, code := range []int{wire.CloseFull.Code, wire.CloseFragments.Code} {
		in(t, func(t *testing.T, b *browser) {
			b.answer = func(c *session.Command) *session.Frame {
				if c.Op == wire.OpConnect {
					socket := b.sockets[len(b.sockets)-1]
					socket.events <- func() { socket.link.Closed(code, "") }
					return &session.Frame{Reply: true, Error: wire.NewError(wire.Unavailable, "")}
				}
				return nil
			}
			one := b.open("WS1")
			b.wait(5 * time.Minute)
			if n := len(b.dialled); n < 20 || n > 30 { // 15 s apart on average
				t.Errorf("%d: dialled %d times in five minutes", code, n)
			}
			b.answer = nil
			one.log = nil
			b.wait(30 * time.Second)
			one.heard("connected wiki:Ann")
		})
	}
}

func TestBrowserThatFloodsStaysAwayForFiveSeconds(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.random = 0
		b.open("WS1")
		b.socket().end(wire.CloseRateLimited.Code)
		b.wait(4 * time.Second)
		b.open("WS2") // not even who else comes changes that
		b.Visible("WS1", true)
		b.Online(true)
		b.wait(time.Second - time.Millisecond)
		equal(t, "dials", len(b.dialled), 1)
		b.wait(2 * time.Millisecond)
		equal(t, "dials", len(b.dialled), 2)

		b.random, b.down = 0.999, true // any other loss is as before
		b.socket().end(1006)
		b.wait(time.Minute)
		n := len(b.dialled)
		b.Visible("WS1", true)
		b.wait(500 * time.Millisecond)
		equal(t, "dials", len(b.dialled), n+1)
	})
}

func TestBrowsersThatFloodDoNotComeBackTogether(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.open("WS1")
		b.Visible("WS1", false) // who floods unseen need not wait longer, because nothing would cut that short
		for _, wait := range []time.Duration{5250, 5500, 6000} {
			at := time.Now()
			b.socket().say(&session.Frame{Op: wire.OpReconnect, After: 1000})
			b.socket().end(wire.CloseRateLimited.Code)
			for n := len(b.dialled); len(b.dialled) == n; {
				b.wait(time.Millisecond)
			}
			equal(t, "wait", b.dialled[len(b.dialled)-1].Sub(at), wait*time.Millisecond)
		}
	})
}

// T18: a relay that comes back is not trampled by those who lost it.
func TestThousandBrowsersSpreadOverTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var browsers []*browser
		for i := range 1000 {
			b := &browser{t: t, down: true}
			b.Session = session.New(session.Config{Dial: b.dial, Rand: rand.New(rand.NewPCG(1, uint64(i))).Float64,
				After: b.after, Limits: wire.DefaultLimits()})
			go b.Run()
			b.open("WS1")
			browsers = append(browsers, b)
		}
		start := time.Now()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for attempt, window := range []time.Duration{500 * time.Millisecond, time.Second} {
			spread(t, browsers, attempt+1, window)
		}
		for attempt := 7; attempt < 12; attempt++ {
			spread(t, browsers, attempt, 30*time.Second)
		}
		busiest := map[int64]int{}
		for _, b := range browsers {
			for _, at := range b.dialled {
				if since := at.Sub(start); since > 5*time.Minute {
					busiest[int64(since/time.Second)]++
				}
			}
		}
		for second, n := range busiest {
			if n > 120 { // 67 on average
				t.Errorf("%d of 1000 dialled in second %d", n, second)
			}
		}
		for _, b := range browsers {
			b.Stop()
			for _, s := range b.sockets {
				close(s.done)
			}
		}
	})
}

// spread fails unless the waits before an attempt cover at least 80 % of the window, and each tenth of it has its share.
func spread(t *testing.T, browsers []*browser, attempt int, window time.Duration) {
	t.Helper()
	var tenths [10]int
	lowest, highest := window, time.Duration(0)
	for _, b := range browsers {
		wait := b.dialled[attempt].Sub(b.dialled[attempt-1])
		lowest, highest = min(lowest, wait), max(highest, wait)
		tenths[min(9, max(0, int(10*wait/window)))]++
	}
	if highest-lowest < window*8/10 || highest >= window {
		t.Errorf("attempt %d: waits from %v to %v in a window of %v", attempt, lowest, highest, window)
	}
	for i, n := range tenths {
		if n < 50 || n > 150 {
			t.Errorf("attempt %d: %d of 1000 in tenth %d of the window", attempt, n, i)
		}
	}
}
