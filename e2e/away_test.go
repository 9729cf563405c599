package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// TestSaveWhileTheRelayIsAway: a save is quick while the relay hangs or is gone, and what has happened comes to the open page once jobs have run, in order
// and once.
func TestSaveWhileTheRelayIsAway(t *testing.T) {
	t.Parallel()
	// Only the test's own view of a page starts the relay.
	const settings = keeping + "$wgJobRunRate = 0; $wgWebSocketPublishTimeout = 0.3;" +
		" $wgWebSocketAutostart = ( $_SERVER['REQUEST_URI'] ?? '' ) === '/index.php/Special:BlankPage';"
	for _, version := range []string{"1.39", "1.43"} {
		for name, away := range map[string]syscall.Signal{"hangs": syscall.SIGSTOP, "was killed": syscall.SIGKILL} {
			t.Run(version+" "+name, func(t *testing.T) {
				w := wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", Workers: 1, Settings: settings})
				s := newSeries(t, w)
				w.Edit(t, "Saved", "The first text.")
				tab := connect(t, browser(t), w, "Saved")
				s.hear(tab)
				settle(t, w, 2)
				tab.Run(`window.revisions = []; webSocket.subscribe( mw.config.get( 'wsWikiID' ) + '@page/' + mw.config.get( 'wgArticleId' ), ( data ) => revisions.push( data.msg.rev ) )`)

				pid := w.RelayPID()
				w.KillRelay(t, away)
				var want []string
				begun := time.Now()
				for i := range 3 {
					want = append(want, itoa(w.Edit(t, "Saved", fmt.Sprintf("Text %d.", i))))
				}
				t.Logf("three saves took %d ms", time.Since(begun).Milliseconds())
				s.php(2)
				if away == syscall.SIGSTOP {
					if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
						t.Fatal(err)
					}
				} else {
					w.StartRelay(t)
				}
				tab.WaitFor(`webSocket.connected()`)
				wikitest.Eventually(t, "the jobs are done", func() bool {
					w.Maintenance(t, "", "runJobs", "--type", "webSocketPublish")
					return strings.TrimSpace(w.Maintenance(t, "", "showJobs", "--type", "webSocketPublish")) == "0"
				})
				tab.WaitFor(fmt.Sprintf(`revisions.includes( %s )`, want[2]))
				tab.WaitFor(barText + `.includes( '3 changes to this page' )`)
				s.complete()
				if got := wikitest.Eval[string](tab, `revisions.join()`); got != strings.Join(want, ",") {
					t.Errorf("revisions %s came, want %s", got, want)
				}
			})
		}
	}
}
