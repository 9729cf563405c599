package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// shortLife is the shortest life of tokens that the wiki takes, in a setting and as a time.
const (
	shortLife     = "$wgWebSocketTokenLife = 10;"
	shortLifeTime = 10 * time.Second
)

func tokenRequests(tab *wikitest.Tab) (n int) {
	for _, url := range tab.Requests() {
		if strings.Contains(url, "action=websocket-token") {
			n++
		}
	}
	return n
}

// TestExpiredTokenEndsTheConnection: one tab gets the new token for all before the old one has run out; and a browser that slept past the end of its
// token, while the relay was restarted and the token revoked, is back without a reload.
func TestExpiredTokenEndsTheConnection(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: "$wgWebSocketPageBar = false;" + shortLife})
	u := w.NewUser(t, "Sleeper")
	b := wikitest.OwnBrowser(t)
	c := b.NewContext(t)
	first := c.Tab(t)
	first.SignIn(w, u, "Main_Page")
	waitConnected(first)
	last := connect(t, c, w, "Main_Page")
	tabs := []*wikitest.Tab{first, last}
	for _, tab := range tabs {
		tab.Run(`window.lost = 0; webSocket.disconnected( () => lost++ )`)
		collect(tab, "heard", `'Awake'`)
	}
	before := tokenRequests(first)
	wikitest.Eventually(t, "two more tokens", func() bool { return tokenRequests(last) >= 2 })
	if n := tokenRequests(first); n > before+1 { // one may have been under way
		t.Errorf("the first tab asked %d times, although the other did", n-before)
	}
	for _, tab := range tabs {
		if n := wikitest.Eval[int](tab, `lost`); n != 0 || !wikitest.Eval[bool](tab, `webSocket.connected()`) {
			t.Errorf("the connection was lost %d times", n)
		}
	}

	thaw := b.Freeze(t)
	asleep := time.Now()
	w.KillRelay(t, syscall.SIGKILL)
	w.StartRelay(t)
	w.OwnMaintenance(t, "WebSocketRelay", "--revoke", u.Name)
	time.Sleep(time.Until(asleep.Add(shortLifeTime + time.Second)))
	thaw()
	for _, tab := range tabs {
		wikitest.Eventually(t, "the tab is back", func() bool {
			w.PHP(t, `WebSocket::send( 'Awake', 'good morning' );`)
			return wikitest.Eval[bool](tab, `webSocket.connected() && heard.length > 0`)
		})
		if n := wikitest.Eval[int](tab, `lost`); n == 0 {
			t.Error("the tab did not notice that the relay was gone")
		}
	}
}

// TestSubscriptionTokenThatRunsOutLosesMessages: the page asks for the next one in time, and what is sent meanwhile arrives.
func TestSubscriptionTokenThatRunsOutLosesMessages(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: `$wgWebSocketPageBar = false;
		$wgWebSocketTypes = [ 'Inbox/{user}' => [] ];` + shortLife})
	u := w.NewUser(t, "Reader")
	tab := browser(t).Tab(t)
	tab.SignIn(w, u, "Main_Page")
	tab.Run(`window.problems = 0; mw.hook( 'webSocket.error' ).add( () => problems++ )`)
	collect(tab, "got", `'testwiki:Inbox/Reader'`)
	settle(t, w, 1)
	sent := 0
	wikitest.Eventually(t, "two more tokens", func() bool {
		w.PHP(t, fmt.Sprintf(`WebSocket::send( WebSocket::wikiID() . 'Inbox/Reader', %d );`, sent))
		sent++
		return subscribeRequests(tab) >= 3
	})
	tab.WaitFor(fmt.Sprintf(`got.length >= %d`, sent))
	got := wikitest.Eval[[]int](tab, `got.map( ( data ) => data.msg )`)
	for i, n := range got {
		if n != i {
			t.Fatalf("of %d messages came %v", sent, got)
		}
	}
	if n := wikitest.Eval[int](tab, `problems`); n != 0 || len(got) != sent {
		t.Errorf("%d problems, %d of %d messages", n, len(got), sent)
	}
}

// TestOldTokenInCachedPage: a page that a cache has kept for longer than its token is good, or from before the wiki changed its keys, connects with
// one that it asks for.
func TestOldTokenInCachedPage(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]string{
		"run out": `\Wikimedia\Timestamp\ConvertibleTimestamp::setFakeTime( time() - 7 * 86400 );
			$token = $services->getService( 'WebSocket.ConnectTokens' )->forPublic()['token'];
			\Wikimedia\Timestamp\ConvertibleTimestamp::setFakeTime( false );`,
		"signed with another key": `$token = $services->getService( 'WebSocket.ConnectTokens' )->forPublic()['token'];
			$token = substr( $token, 0, -43 ) . str_repeat( 'A', 43 );`,
	} {
		t.Run(name, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: `
$wgHooks['MakeGlobalVariablesScript'][] = static function ( &$vars, $out ) {
	$services = \MediaWiki\MediaWikiServices::getInstance();
	` + token + `
	$out->addJsConfigVars( 'wsConfig', [ 'token' => $token ] + $out->getJsConfigVars()['wsConfig'] );
};`})
			tab := connect(t, browser(t), w, "Main_Page")
			if n := tokenRequests(tab); n != 1 {
				t.Errorf("%d requests for a token, want 1", n)
			}
			old := wikitest.Eval[string](tab, `mw.config.get( 'wsConfig' ).token`)
			if strings.HasPrefix(w.Dial(t, wikitest.Handshake{}).Connect(old), `"ok"`) {
				t.Error("the page's token is good, so the test proves nothing")
			}
		})
	}
}

// TestRotatedKeyDropsReaders: a new key of the wiki interrupts nobody, and pages from before it connect; what the script prints holds no key.
func TestRotatedKeyDropsReaders(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: "$wgWebSocketPageBar = false;"})
	u := w.NewUser(t, "Reader")
	visitor, reader := connect(t, browser(t), w, "Main_Page"), browser(t).Tab(t)
	reader.SignIn(w, u, "Main_Page")
	waitConnected(reader)
	tabs := []*wikitest.Tab{visitor, reader}
	for _, tab := range tabs {
		tab.Run(`window.lost = 0; webSocket.disconnected( () => lost++ )`)
		collect(tab, "heard", `'Rotated'`)
	}
	settle(t, w, 1)
	old := wikitest.Eval[string](visitor, `mw.config.get( 'wsConfig' ).token`)

	said := w.OwnMaintenance(t, "WebSocketRelay", "--rotate-key")
	said += w.OwnMaintenance(t, "WebSocketRelay") + w.OwnMaintenance(t, "WebSocketRelay", "--json", "--status")
	if leaks := wikitest.SecretsIn(said); len(leaks) != 0 {
		t.Errorf("%v: %s", leaks, said)
	}
	if !strings.Contains(said, "testwiki:") || !strings.Contains(said, `"keys": 2`) {
		t.Errorf("the script does not tell of the wiki and its two keys: %s", said)
	}
	w.PHP(t, `WebSocket::send( 'Rotated', 'with the new key' );`)
	for _, tab := range tabs {
		tab.WaitFor(`heard.length > 0`)
		if n := wikitest.Eval[int](tab, `lost`); n != 0 {
			t.Errorf("the connection was lost %d times", n)
		}
	}
	fresh := w.Anonymous().Token(t)
	for restart := range 2 {
		for name, token := range map[string]string{"old": old, "new": fresh} {
			if reply := w.Dial(t, wikitest.Handshake{Origin: w.URL}).Connect(token); !strings.HasPrefix(reply, `"ok"`) {
				t.Errorf("the %s token, %d restarts later: %s", name, restart, reply)
			}
		}
		if restart == 0 {
			w.KillRelay(t, syscall.SIGKILL)
			w.StartRelay(t)
		}
	}

	w.OwnMaintenance(t, "WebSocketRelay", "--rotate-key", "--force")
	opensNothing(t, w, "a token signed two keys ago", old)
	for _, tab := range tabs {
		tab.WaitFor(`webSocket.connected()`)
	}
}
