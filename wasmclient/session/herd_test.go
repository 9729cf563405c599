package session_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// herd runs a test with ten thousand browsers (the race detector takes fewer) that are connected.
func herd(t *testing.T, test func(t *testing.T, browsers []*browser)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		browsers := make([]*browser, herdSize)
		for i := range browsers {
			b := &browser{t: t}
			b.Session = session.New(session.Config{Dial: b.dial, Rand: rand.New(rand.NewPCG(2, uint64(i))).Float64,
				After: b.after, Limits: wire.DefaultLimits()})
			go b.Run()
			b.Join("WS1", "ws://relay.example/", &session.Token{Text: "token"}, &tab{b: b, id: "WS1"})
			b.Subscribe("WS1", "A")
			browsers[i] = b
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		test(t, browsers)
		for _, b := range browsers {
			b.Stop()
			for _, s := range b.sockets {
				close(s.done)
			}
		}
	})
}

// A relay that goes away in order tells each browser when to come back, and they do then, and not before.
func TestHerdComesBackWhenADrainingRelayHasSaid(t *testing.T) {
	const window = 30 * time.Second
	for name, closes := range map[string]bool{"the relay waits": false, "the relay closes": true} {
		herd(t, func(t *testing.T, browsers []*browser) {
			start := time.Now()
			for i, b := range browsers {
				link := b.socket().link
				// As the relay does: each has its own moment.
				link.Received(&session.Frame{Op: wire.OpReconnect, After: i * int(window/time.Millisecond) / herdSize})
				if closes {
					link.Closed(wire.CloseGoingAway.Code, "")
				}
			}
			time.Sleep(2 * window)
			synctest.Wait()
			spreadOver(t, name, browsers, start, window)
			for i, b := range browsers {
				want := time.Duration(i*int(window/time.Millisecond)/herdSize) * time.Millisecond
				if len(b.dialled) != 2 || b.dialled[1].Sub(start) != want {
					t.Fatalf("%s: browser %d dialled %d times, at last after %v, want %v", name, i, len(b.dialled), b.dialled[len(b.dialled)-1].Sub(start), want)
				}
			}
		})
	}
}

// A relay that is killed says nothing. Everybody notices at once; the first attempt and all that follow are spread.
func TestHerdSpreadsWhenTheRelayIsKilled(t *testing.T) {
	herd(t, func(t *testing.T, browsers []*browser) {
		start := time.Now()
		for _, b := range browsers {
			b.down = true
			b.socket().link.Closed(1006, "")
		}
		synctest.Wait()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		for _, b := range browsers {
			b.down = false              // it is back
			b.Unsubscribe("nobody", "") // as in wait
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		spreadOver(t, "first attempts", browsers, start, 500*time.Millisecond)
		back := 0
		busiest := map[int64]int{}
		for _, b := range browsers {
			for i := 2; i < len(b.dialled); i++ {
				window := min(30*time.Second, 500*time.Millisecond<<(i-1))
				if wait := b.dialled[i].Sub(b.dialled[i-1]); wait >= window {
					t.Fatalf("attempt %d after %v in a window of %v", i, wait, window)
				}
			}
			last := b.dialled[len(b.dialled)-1].Sub(start)
			if busiest[int64(last/time.Second)]++; last < 30*time.Second {
				back++
			}
			equal(t, "close code", b.sockets[len(b.sockets)-1].closed, 0)
		}
		if back < herdSize*99/100 {
			t.Errorf("%d of %d are back after 24 seconds", back, herdSize)
		}
		for second, n := range busiest {
			if n > herdSize/4 {
				t.Errorf("%d of %d came back in second %d", n, herdSize, second)
			}
		}
	})
}

// spreadOver fails unless the first dials after start cover at least 80 % of the window, and each tenth of it has its share.
func spreadOver(t *testing.T, what string, browsers []*browser, start time.Time, window time.Duration) {
	t.Helper()
	var tenths [10]int
	lowest, highest := window, time.Duration(0)
	for _, b := range browsers {
		wait := b.dialled[1].Sub(start)
		lowest, highest = min(lowest, wait), max(highest, wait)
		tenths[min(9, max(0, int(10*wait/window)))]++
	}
	if highest-lowest < window*8/10 || highest >= window {
		t.Errorf("%s: from %v to %v in a window of %v", what, lowest, highest, window)
	}
	for i, n := range tenths {
		if n < herdSize/14 || n > herdSize/7 {
			t.Errorf("%s: %d of %d in tenth %d of the window", what, n, herdSize, i)
		}
	}
}
