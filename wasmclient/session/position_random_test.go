package session_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever happens, each tab gets each message once and in order, from where it began.
func TestNothingIsMissedWhateverHappens(t *testing.T) {
	for seed := range uint64(40) {
		in(t, func(t *testing.T, b *browser) {
			random := rand.New(rand.NewPCG(seed, 1))
			h := b.keeping(1)
			tabs := map[string]*tab{}
			had := map[string]uint64{} // what the page of each has had
			check := func() {
				synctest.Wait()
				for id, tab := range tabs {
					for _, n := range strings.Fields(tab.got()) {
						if had[id]++; n != itoa(int(had[id])) {
							t.Fatalf("seed %d: tab %s got %s, want %d", seed, id, n, had[id])
						}
					}
				}
			}
			tabs["WS0"], had["WS0"] = b.openAt("WS0", at(1)), 1
			for range 200 {
				id := "WS" + itoa(random.IntN(4))
				switch tab := tabs[id]; random.IntN(8) {
				case 0:
					b.socket().end(1006)
				case 1:
					h.publish(random.IntN(3))
					h.now += uint64(random.IntN(3)) // what was on its way
					b.socket().end(1006)
				case 2:
					if tab == nil {
						had[id] = max(had[id], 1)
						tabs[id] = b.openAt(id, at(had[id]))
					}
				case 3:
					check()
					if tab != nil {
						b.Leave(id)
						delete(tabs, id)
					}
				case 4:
					b.wait(time.Duration(random.IntN(40)) * time.Second)
				default:
					h.publish(random.IntN(3))
				}
				check()
			}
			b.wait(time.Minute)
			h.publish(1)
			check()
			for id := range tabs {
				equal(t, "the last of "+id, had[id], h.now)
			}
		})
	}
}
