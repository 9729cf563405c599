package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// keptType is declared by keeping. Numbers are published to it.
const keptType = "testwiki:Kept"

const keeping = `$wgWebSocketTypes = [ 'Kept' => [ 'send' => 'anyone', 'presence' => true, 'history' => [ 'count' => 1000, 'seconds' => 3600 ] ] ];
`

// series is numbers that are published one after the other, and the tabs that are to get all of them, once and in order.
type series struct {
	t    testing.TB
	w    *wikitest.Wiki
	sent int
	tabs map[*wikitest.Tab]int // the last number before it listened
}

func newSeries(t testing.TB, w *wikitest.Wiki) *series {
	w.StartRelay(t)
	return &series{t: t, w: w, tabs: make(map[*wikitest.Tab]int)}
}

// hear makes a page of the wiki listen, whose subscription the relay has when this returns.
func (s *series) hear(tabs ...*wikitest.Tab) {
	s.t.Helper()
	for _, tab := range tabs {
		tab.Run(`window.kept = []; window.missed = []; window.lost = window.back = 0;
			webSocket.missed( ( type ) => missed.push( type ) ); webSocket.disconnected( () => lost++ ); webSocket.connected( () => back++ );
			webSocket.subscribe( '` + keptType + `', ( data ) => kept.push( data.msg ) )`)
	}
	wikitest.Eventually(s.t, "the pages hear", func() bool {
		s.php(1)
		for _, tab := range tabs {
			if !wikitest.Eval[bool](tab, `kept.length > 0`) {
				return false
			}
		}
		return true
	})
	for _, tab := range tabs {
		s.tabs[tab] = wikitest.Eval[int](tab, `kept[ 0 ]`) - 1
	}
}

// php publishes the next numbers as PHP does.
func (s *series) php(n int) {
	s.t.Helper()
	s.w.PHP(s.t, fmt.Sprintf(`foreach ( range( %d, %d ) as $n ) { WebSocket::send( '%s', $n ); }`, s.sent+1, s.sent+n, keptType))
	s.sent += n
}

// say publishes the next numbers over a connection of its own, which takes next to no time.
func (s *series) say(n int) {
	s.t.Helper()
	voice := s.w.Dial(s.t, wikitest.Handshake{})
	voice.Connect("", fmt.Sprintf("WSvoice%d", s.sent))
	for range n {
		s.sent++
		if reply := voice.Ask(fmt.Sprintf(`"op":"send","type":%q,"msg":%d`, keptType, s.sent)); !strings.HasPrefix(reply, `"ok"`) {
			s.t.Fatalf("send: %s", reply)
		}
	}
}

// complete fails the test unless every tab has had every number, once and in order, and none was told that it may have missed something.
func (s *series) complete() {
	s.t.Helper()
	s.php(1) // what comes twice has come before it
	for tab, before := range s.tabs {
		tab.WaitFor(fmt.Sprintf(`kept.includes( %d )`, s.sent))
		var want []string
		for n := before + 1; n <= s.sent; n++ {
			want = append(want, fmt.Sprint(n))
		}
		if got := wikitest.Eval[string](tab, `kept.join()`); got != strings.Join(want, ",") {
			s.t.Errorf("the page got %s; want %d to %d", got, before+1, s.sent)
		}
		if got := wikitest.Eval[string](tab, `missed.join()`); got != "" {
			s.t.Errorf("the page is told that it may have missed: %s", got)
		}
	}
}

// caughtUp waits until all tabs have had the last number, and logs and returns how long that takes.
func (s *series) caughtUp(what string) (ms int64) {
	s.t.Helper()
	begun := time.Now()
	for tab := range s.tabs {
		tab.WaitFor(fmt.Sprintf(`kept.includes( %d )`, s.sent))
	}
	ms = time.Since(begun).Milliseconds()
	s.t.Logf("%s: caught up after %d ms", what, ms)
	return ms
}

// loseConnections takes all away that the context's tabs have.
func (s *series) loseConnections(c *wikitest.Context) (online func()) {
	s.t.Helper()
	online = c.Offline(s.t)
	for tab := range s.tabs {
		tab.WaitFor(`lost > 0 && !webSocket.connected()`)
	}
	return online
}
