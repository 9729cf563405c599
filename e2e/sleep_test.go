package e2e

import (
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// asleep is what the client takes for a sleep of the machine, see resources/worker/clock.js, and a little more.
const asleep = 31 * time.Second

// TestLaptopThatWakesUpCatchesUp: while a browser does not run, the network forgets its connections without saying so. When it runs again, its pages get
// what they missed, at once and not after the time in which a dead connection is noticed.
func TestLaptopThatWakesUpCatchesUp(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: keeping + "$wgWebSocketPageBar = false;"})
	s := newSeries(t, w)
	b := wikitest.OwnBrowser(t)
	c := b.NewContext(t)
	s.hear(connect(t, c, w, "Main_Page"))

	thaw := b.Freeze(t)
	shut := time.After(asleep)
	c.Deaden()
	s.php(3)
	s.say(5)
	<-shut // it is the time itself that the client goes by
	thaw()
	s.caughtUp("awake")
	s.complete()
}

// TestBrowserThatStopsForAMomentCatchesUp: the relay has ended the connection meanwhile.
func TestBrowserThatStopsForAMomentCatchesUp(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: keeping + "$wgWebSocketPageBar = false;"})
	s := newSeries(t, w)
	b := wikitest.OwnBrowser(t)
	c := b.NewContext(t)
	s.hear(connect(t, c, w, "Main_Page"))

	thaw := b.Freeze(t)
	c.Offline(t)()
	s.php(3)
	thaw()
	s.caughtUp("running again")
	s.complete()
}
