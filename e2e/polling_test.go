package e2e

import (
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// TestWikiWithoutRelayIsPolled: with $wgWebSocketPolling no relay runs, and pages get what PHP and other pages send, and edits.
func TestWikiWithoutRelayIsPolled(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", NoRelayBinary: true, Settings: keeping + "$wgWebSocketPolling = 2;"})
			w.Maintenance(t, "", "update", "--quick")
			w.Edit(t, "Polled", "The first text.")
			reader, writer := browser(t).Tab(t), browser(t).Tab(t)
			for _, tab := range []*wikitest.Tab{reader, writer} {
				tab.OpenPage(w, "Polled")
				waitConnected(tab)
				if got := wikitest.Eval[string](tab, `webSocket.transport()`); got != "api" {
					t.Errorf("transport %q", got)
				}
				tab.Run(`window.missed = []; webSocket.missed( ( type ) => missed.push( type ) )`)
				collect(tab, "kept", `'`+keptType+`'`)
			}
			wikitest.Eventually(t, "both pages hear", func() bool {
				w.PHP(t, fmt.Sprintf(`WebSocket::send( '%s', 'ready' );`, keptType))
				return wikitest.Eval[bool](reader, `kept.length > 0`) && wikitest.Eval[bool](writer, `kept.length > 0`)
			})
			w.PHP(t, fmt.Sprintf(`foreach ( range( 1, 5 ) as $n ) { WebSocket::send( '%s', $n ); }`, keptType))
			reader.WaitFor(`kept.some( ( data ) => data.msg === 5 )`)
			writer.Run(`[ 6, 7, 8 ].forEach( ( n ) => webSocket.send( '` + keptType + `', n ) );
				webSocket.send( '` + keptType + `', 'to nobody here', [ 'WSelse' ] )`)
			reader.WaitFor(`kept.some( ( data ) => data.msg === 8 )`)
			reader.Run(`webSocket.send( '` + keptType + `', 9, '` + wikitest.Eval[string](writer, `webSocket.clientID()`) + `' )`)
			writer.WaitFor(`kept.some( ( data ) => data.msg === 9 )`)
			w.Edit(t, "Polled", "The second text.")
			reader.WaitFor(fmt.Sprintf(`%s.includes( %q )`, barText, wikitest.Admin))
			for name, tab := range map[string]*wikitest.Tab{"1,2,3,4,5,6,7,8": reader, "1,2,3,4,5,9": writer} {
				if got := wikitest.Eval[string](tab, `kept.filter( ( data ) => data.msg !== 'ready' ).map( ( data ) => data.msg ).join()`); got != name {
					t.Errorf("a page got %s, want %s", got, name)
				}
				if got := wikitest.Eval[string](tab, `missed.join()`); got != "" {
					t.Errorf("told that it may have missed %s", got)
				}
				if got := wikitest.Eval[string](tab, whoIsThere); got != "unavailable" {
					t.Errorf("presence: %s", got)
				}
			}
			if n := clientRequests(w); n != 0 {
				t.Errorf("%d requests for the client of a relay", n)
			}
			if w.ControlSocket() != "" {
				t.Error("a relay runs")
			}
		})
	}
}

// TestPolledPageComesBackFromAnOutage: the page gets what was sent meanwhile, once and in order, and what it has sent itself arrives.
func TestPolledPageComesBackFromAnOutage(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", NoRelayBinary: true, Settings: keeping + "$wgWebSocketPolling = 2; $wgWebSocketPageBar = false;"})
	w.Maintenance(t, "", "update", "--quick")
	c := browser(t)
	tab := c.Tab(t)
	tab.OpenPage(w, "Main_Page")
	waitConnected(tab)
	s := &series{t: t, w: w, tabs: make(map[*wikitest.Tab]int)}
	s.hear(tab)
	online := s.loseConnections(c)
	s.php(5)
	wikitest.Eventually(t, "the page has asked in vain", func() bool { return c.Refused() > 1 })
	online()
	s.caughtUp("back")
	s.complete()
}

// TestPollingWithoutTheTable: the log says what to do.
func TestPollingWithoutTheTable(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", NoRelayBinary: true, Settings: keeping + "$wgWebSocketPolling = 2;"})
	w.AllowErrors("websocket_outbox")
	w.PHP(t, fmt.Sprintf(`WebSocket::send( '%s', 1 );`, keptType))
	if log := w.Log(); !strings.Contains(log, "update.php") {
		t.Errorf("the log does not say what to do:\n%s", log)
	}
	w.Edit(t, "Saved anyway", "Text.")
}
