package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// TestOutageOfTheNetworkLosesNothing: what PHP and other pages send while a page is offline, edits among it, comes when it is back, once and in order.
func TestOutageOfTheNetworkLosesNothing(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", Settings: keeping})
			s := newSeries(t, w)
			w.Edit(t, "Outage", "Text.")
			c := browser(t)
			tab := connect(t, c, w, "Outage")
			s.hear(tab)
			settle(t, w, 2) // and the bar's

			online := s.loseConnections(c)
			s.php(3)
			w.Edit(t, "Outage", "Text of the outage.")
			s.say(5)
			w.Edit(t, "Outage", "Text of the outage, again.")
			s.php(2)
			wikitest.Eventually(t, "the page has tried to come back", func() bool { return c.Refused() > 1 })
			online()
			s.caughtUp("after an outage")
			tab.WaitFor(barText + `.includes( '2 changes to this page' )`)
			s.complete()
		})
	}
}

// TestKilledRelayLosesNothing: a relay that is killed has what it had been given; a page that was not there when it was sent gets it from the next relay.
func TestKilledRelayLosesNothing(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: keeping + "$wgWebSocketPageBar = false;"})
	s := newSeries(t, w)
	c := browser(t)
	tabs := []*wikitest.Tab{connect(t, c, w, "Main_Page"), connect(t, c, w, "Main_Page")}
	s.hear(tabs...)

	online := s.loseConnections(c)
	s.php(3)
	s.say(20)
	w.KillRelay(t, syscall.SIGKILL)
	w.StartRelay(t)
	s.php(3)
	online()
	s.caughtUp("another relay")
	w.KillRelay(t, syscall.SIGKILL) // while they listen
	w.StartRelay(t)
	s.php(3)
	s.caughtUp("a relay that was killed")
	s.complete()
}

// TestWhatAPageSendsWhileItIsOfflineArrives: what a page sends just before and during an outage arrives once and in order.
func TestWhatAPageSendsWhileItIsOfflineArrives(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: keeping + "$wgWebSocketPageBar = false;"})
	s := newSeries(t, w)
	c := browser(t)
	reader, writer := connect(t, browser(t), w, "Main_Page"), connect(t, c, w, "Main_Page")
	s.hear(reader)
	writer.Run(`window.lost = 0; webSocket.disconnected( () => lost++ )`)
	for outage := 1; outage <= 3; outage++ {
		say := func(n int) {
			writer.Run(fmt.Sprintf(`for ( let n = %d; n <= %d; n++ ) { webSocket.send( '%s', n ); }`, s.sent+1, s.sent+n, keptType))
			s.sent += n
		}
		say(10)
		online := c.Offline(t) // the relay may have got some of them, and may have answered or not
		writer.WaitFor(fmt.Sprintf(`lost === %d`, outage))
		say(5)
		online()
		s.caughtUp("after an outage of the sender")
	}
	s.complete()
}

// TestLostHistoryIsSaid: when the relay has nothing of what was before, the page hears that it may have missed something, and goes on.
func TestLostHistoryIsSaid(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: keeping + "$wgWebSocketPageBar = false;"})
	s := newSeries(t, w)
	c := browser(t)
	tab := connect(t, c, w, "Main_Page")
	s.hear(tab)

	online := s.loseConnections(c)
	s.php(2)
	w.KillRelay(t, syscall.SIGKILL)
	if err := os.Remove(journal(w)); err != nil {
		t.Fatal(err)
	}
	w.StartRelay(t)
	online()
	tab.WaitFor(`missed.includes( '` + keptType + `' )`)
	if n := wikitest.Eval[int](tab, `missed.length`); n != 1 {
		t.Errorf("told %d times", n)
	}
	delete(s.tabs, tab)
	tab.Run(`kept = []; missed = []`)
	s.php(1)
	tab.WaitFor(`kept.length`)
	s.tabs[tab] = s.sent - 1
	s.complete()
}

// journal is where the relay keeps the messages of types with history.
func journal(w *wikitest.Wiki) string {
	return filepath.Join(filepath.Dir(w.ControlSocket()), "history.log")
}

// TestLaterTabGetsWhatItAsksFor: a tab that asks for what was before gets it, without another tab of the same worker getting it twice; when the worker
// dies, the next one goes on from where each tab was.
func TestLaterTabGetsWhatItAsksFor(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: keeping + "$wgWebSocketPageBar = false;"})
	s := newSeries(t, w)
	declared := time.Now().Unix() // nobody can vouch for the time before, of which this second is a part
	wikitest.Eventually(t, "the next second", func() bool { return time.Now().Unix() > declared })
	c := browser(t)
	first := connect(t, c, w, "Main_Page")
	s.hear(first)
	s.php(3)
	s.caughtUp("a tab that listens")

	later := connect(t, c, w, "Main_Page")
	later.Run(`window.kept = []; window.missed = []; window.lost = 0;
		webSocket.missed( ( type ) => missed.push( type ) ); webSocket.disconnected( () => lost++ );
		webSocket.subscribe( '` + keptType + `', ( data ) => kept.push( data.msg ), { since: ` + itoa(declared+1) + ` } )`)
	s.tabs[later] = 0 // all that there ever was
	s.caughtUp("a later tab")
	s.complete()

	for range 2 {
		c.EndWorker(t)
		s.say(5)
		s.caughtUp("another worker")
	}
	s.complete()

	// Also when the relay is another one by then, and the page nobody has told so.
	c.EndWorker(t)
	s.say(5)
	w.KillRelay(t, syscall.SIGKILL)
	w.StartRelay(t)
	s.caughtUp("another worker and another relay")
	s.complete()
}

// TestReturnFromHistoryGoesOn: a page that the browser brings back when the reader goes back gets what it missed.
func TestReturnFromHistoryGoesOn(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: keeping + "$wgWebSocketPageBar = false;"})
	s := newSeries(t, w)
	tab := connect(t, browser(t), w, "Main_Page")
	s.hear(tab)
	tab.Run(`window.isTheSame = true`)
	before := wikitest.Eval[string](tab, `kept.join()`)
	tab.OpenPage(w, "Special:BlankPage")
	s.say(5)
	tab.Run(`setTimeout( () => history.back() )`)
	tab.WaitFor(`mw.config.get( 'wgPageName' ) === 'Main_Page' && webSocket`)
	if wikitest.Eval[bool](tab, `!!window.isTheSame`) {
		s.caughtUp("a page out of the browser's memory")
	} else {
		// Made anew, from its HTML: it gets what has come since the page was left.
		waitConnected(tab)
		tab.Run(`window.kept = [ ` + before + ` ]; window.missed = [];
			webSocket.missed( ( type ) => missed.push( type ) );
			webSocket.subscribe( '` + keptType + `', ( data ) => kept.push( data.msg ) )`)
		s.caughtUp("a page made anew")
	}
	s.complete()
}
