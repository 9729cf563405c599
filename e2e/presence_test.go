package e2e

import (
	"fmt"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// whoIsThere is what presence answers, as JSON.
const whoIsThere = `webSocket.presence( '` + keptType + `' ).then( ( { users, anonymous, count } ) => JSON.stringify( [ users, anonymous, count ] ), ( e ) => e.code )`

// attend subscribes a tab to the type, and notes who comes and goes.
func attend(tab *wikitest.Tab) {
	tab.WaitFor(`window.webSocket`)
	tab.Run(`window.events = [];
		webSocket.subscribe( '` + keptType + `', () => {} );
		webSocket.joined( '` + keptType + `', ( { user, anonymous } ) => events.push( 'joined ' + ( user || anonymous ) ) );
		webSocket.left( '` + keptType + `', ( { user, anonymous } ) => events.push( 'left ' + ( user || anonymous ) ) );`)
	waitConnected(tab)
}

func presence(tab *wikitest.Tab) string { return wikitest.Eval[string](tab, whoIsThere) }

// TestWhoReadsAPage: users with any number of tabs are one, visitors without an account a number. Who closes the last tab and whose browser
// dies has left; who reloads a page has not.
func TestWhoReadsAPage(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Workers: 8, Settings: keeping + "$wgWebSocketPageBar = false;"})
	users := w.NewUsers(t, nil, "Ann", "Bob", "Cid")
	w.StartRelay(t)

	bob := browser(t).Tab(t)
	bob.SignIn(w, users[1], "Main_Page")
	attend(bob)
	anns := browser(t)
	var ann []*wikitest.Tab
	for range 3 {
		tab := anns.Tab(t)
		if len(ann) == 0 {
			tab.SignIn(w, users[0], "Main_Page")
		} else {
			tab.OpenPage(w, "Main_Page")
		}
		attend(tab)
		ann = append(ann, tab)
	}
	bob.WaitFor(`events.includes( 'joined Ann' )`)
	nobody := browser(t)
	visitor := nobody.Tab(t)
	visitor.AllowErrors("the right websocket-presence is missing") // it is not told who comes and goes
	visitor.OpenPage(w, "Main_Page")
	attend(visitor)
	bob.WaitFor(`events.includes( 'joined 1' )`)
	crashing := wikitest.OwnBrowser(t)
	cid := crashing.NewContext(t).Tab(t)
	cid.SignIn(w, users[2], "Main_Page")
	attend(cid)
	ann[1].WaitFor(`events.includes( 'joined Cid' )`)
	for name, tab := range map[string]*wikitest.Tab{"Ann": ann[2], "Bob": bob, "Cid": cid} {
		if got := presence(tab); got != `[["Ann","Bob","Cid"],1,4]` {
			t.Errorf("%s is told %s", name, got)
		}
	}
	if got := presence(visitor); got != "forbidden" {
		t.Errorf("a visitor without the right is told %s", got)
	}

	// A reload and the end of some of the tabs are no leave.
	ann[0].OpenPage(w, "Main_Page")
	attend(ann[0])
	ann[1].Close()
	ann[2].Close()
	goes := func(what, event string, leave func()) {
		t.Helper()
		begun := time.Now()
		leave()
		bob.WaitFor(fmt.Sprintf(`events.includes( %q )`, event))
		t.Logf("%s: told after %.1f s", what, time.Since(begun).Seconds())
	}
	goes("a browser that was killed", "left Cid", func() { crashing.Kill(t) })
	goes("a visitor who closes the tab", "left 0", visitor.Close)
	if got := presence(bob); got != `[["Ann","Bob"],0,2]` {
		t.Errorf("then there are %s", got)
	}
	goes("a user who closes the last tab", "left Ann", ann[0].Close)
	if got := wikitest.Eval[string](bob, `events.filter( ( e ) => e.includes( 'Ann' ) ).join()`); got != "joined Ann,left Ann" {
		t.Errorf("Bob heard %s", got)
	}
	if got := presence(bob); got != `[["Bob"],0,1]` {
		t.Errorf("at last there are %s", got)
	}
}
