package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// TestUpgradeOfTheRelayLosesNothing: while one relay hands over to another, PHP and pages go on sending, and every page gets everything.
func TestUpgradeOfTheRelayLosesNothing(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: keeping + "$wgWebSocketPageBar = false;"})
	s := newSeries(t, w)
	reader, writer := connect(t, browser(t), w, "Main_Page"), connect(t, browser(t), w, "Main_Page")
	s.hear(reader, writer)
	collect(reader, "written", `'testwiki:Kept'`)
	before := wikitest.Eval[int](reader, `back`)

	// A page that sends all the time, from before to after.
	writer.Run(`window.n = 0; window.writing = setInterval( () => webSocket.send( '` + keptType + `', 'w' + ( ++n ) ), 100 )`)
	writer.WaitFor(`n > 3`)
	old := w.RelayPID()
	begun := time.Now()
	w.KillRelay(t, syscall.SIGUSR2)
	s.php(2)
	s.php(2)
	wikitest.Eventually(t, "another relay", func() bool { now := w.RelayPID(); return now != 0 && now != old })
	t.Logf("another relay answers after %d ms", time.Since(begun).Milliseconds())
	s.php(2)
	for _, tab := range []*wikitest.Tab{reader, writer} {
		tab.WaitFor(fmt.Sprintf(`back > %d && webSocket.connected()`, before))
	}
	t.Logf("both pages are with it after %d ms", time.Since(begun).Milliseconds())
	s.php(2)
	last := wikitest.Eval[int](writer, `clearInterval( writing ), n`)
	reader.WaitFor(fmt.Sprintf(`kept.includes( 'w%d' )`, last))

	// What PHP has sent stands among what the page has sent.
	if got := wikitest.Eval[string](reader, `kept.filter( ( msg ) => typeof msg === 'string' ).join()`); got != counted("w", last) {
		t.Errorf("of what a page sent came %s; want w1 to w%d", got, last)
	}
	reader.Run(`kept = kept.filter( ( msg ) => typeof msg === 'number' )`)
	if !wikitest.Eval[bool](writer, `kept.every( ( msg ) => typeof msg === 'number' )`) {
		t.Error("the sender got its own messages")
	}
	s.complete()
}

// counted is prefix1,prefix2 and so on.
func counted(prefix string, n int) (text string) {
	for i := range n {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprint(prefix, i+1)
	}
	return text
}
