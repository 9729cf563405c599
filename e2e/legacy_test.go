package e2e

import (
	"syscall"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// TestExistingExtension: an extension written only from the original documentation polls, stops while connected, gets its messages, and polls again
// when the connection is lost; the documented include and settings.
func TestExistingExtension(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{
				Version: version, Server: "nginx", Load: "include", Extensions: []string{fooData(t)},
				Settings: `WebSocket::$perl = '/usr/bin/perl';
WebSocket::$log = dirname( $IP ) . '/log/relay.log';
WebSocket::$ssl_cert = false;
$wgWebSocketPageBar = false;
wfLoadExtension( 'FooData' );`,
			})
			tab := browser(t).Tab(t)
			tab.OpenPage(w, "Main_Page")
			tab.WaitFor(`window.ws === true && webSocket.connected()`)
			tab.WaitFor(`fooPolls > 0`)
			stopped(t, tab)
			settle(t, w, 1)

			w.Edit(t, "Some page", "Text.")
			tab.WaitFor(`fooMessages.length > 0`)
			if got := wikitest.Eval[string](tab, `fooMessages.join()`); got != "Some page has been changed" {
				t.Errorf("messages: %s", got)
			}

			n := wikitest.Eval[int](tab, `fooPolls`)
			w.KillRelay(t, syscall.SIGKILL)
			tab.WaitFor(`fooPolls > ` + itoa(int64(n)+2))
			w.Get(t, "/index.php/Main_Page")
			tab.WaitFor(`webSocket.connected()`)
			stopped(t, tab)

			for name, want := range map[string]string{"wsPort": itoa(int64(w.RelayPort)), "wsRewrite": "false", "wsWikiID": "testwiki:"} {
				if got := wikitest.Eval[string](tab, `String( mw.config.get( '`+name+`' ) )`); got != want {
					t.Errorf("%s is %s, want %s", name, got, want)
				}
			}
			if !wikitest.Eval[bool](tab, `mw.config.get( 'wsClientID' ) === webSocket.clientID() && /^WS[0-9a-f]{30}$/.test( webSocket.clientID() )`) {
				t.Error("wsClientID is not the page's id")
			}
		})
	}
}

// stopped waits until the page has not polled for three of its intervals.
func stopped(t *testing.T, tab *wikitest.Tab) {
	t.Helper()
	wikitest.Eventually(t, "polling stops", func() bool {
		n := wikitest.Eval[int](tab, `fooPolls`)
		tab.Run(`new Promise( ( resolve ) => setTimeout( resolve, 750 ) )`)
		return wikitest.Eval[int](tab, `fooPolls`) == n
	})
}

// TestSenderIsNotTold: a page that passes its id with its Ajax request does not get the message that the request causes; the others do.
func TestSenderIsNotTold(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Extensions: []string{fooData(t)}, Settings: "$wgWebSocketPageBar = false; wfLoadExtension( 'FooData' );"})
	c := browser(t)
	login := c.Tab(t)
	login.SignIn(w, wikitest.User{Name: wikitest.Admin, Password: wikitest.AdminPassword}, "Main_Page")
	login.Close()
	writer, neighbour, other := connect(t, c, w, "Main_Page"), connect(t, c, w, "Main_Page"), connect(t, browser(t), w, "Main_Page")
	settle(t, w, 1)
	wikitest.Eventually(t, "both browsers subscribe", func() bool { return w.Stats(t).Connections == 2 })
	writer.Run(`mw.loader.using( 'mediawiki.api' ).then( () => new mw.Api().postWithToken( 'csrf',
		{ action: 'edit', title: 'Told', text: 'Text.', clientID: webSocket.clientID() } ) )`)
	neighbour.WaitFor(`fooMessages.length === 1`)
	other.WaitFor(`fooMessages.length === 1`)
	neighbour.Run(`webSocket.send( 'FooDataChanged', 'last' )`)
	writer.WaitFor(`fooMessages.includes( 'last' )`)
	if got := wikitest.Eval[string](writer, `fooMessages.join()`); got != "last" {
		t.Errorf("the writer got %s", got)
	}

	// Nobody hides what he does from somebody else by passing that page's id.
	w.Anonymous().Write(t, wikitest.Params{"action": "edit", "title": "Hidden", "text": "Text.", "clientID": wikitest.Eval[string](writer, `webSocket.clientID()`)})
	writer.WaitFor(`fooMessages.includes( 'Hidden has been changed' )`)
}
