package e2e

import (
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// members is a wiki that only the group "reader" and administrators may read.
const members = `
foreach ( [ '*', 'user' ] as $group ) {
	$wgGroupPermissions[$group]['read'] = false;
}
$wgGroupPermissions['reader']['read'] = $wgGroupPermissions['sysop']['read'] = true;
$wgBlockDisablesLogin = true;
`

// handshakes are the ways in which a program can knock at the relay.
func handshakes(w *wikitest.Wiki) []wikitest.Handshake {
	return []wikitest.Handshake{{}, {Classic: true}, {Origin: w.URL}, {Classic: true, Origin: w.URL}}
}

// TestStrangerReadsPrivateWiki: neither a browser nor a program without an account gets a byte of a title, a name or an event, while a member sees
// all of it.
func TestStrangerReadsPrivateWiki(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", Settings: members})
			reader := w.NewUser(t, "Rita", "reader")
			w.Edit(t, "Main Page", "Hello.")
			member := browser(t).Tab(t)
			member.SignIn(w, reader, "Main_Page")
			waitConnected(member)
			for name, typ := range map[string]string{"changes": "testwiki:@changes", "plain": "Plain"} {
				collect(member, name, "'"+typ+"'")
			}
			settle(t, w, 2)

			stranger, sockets := browser(t), strangers(t, w)
			tab := stranger.Tab(t)
			tab.AllowErrors("WebSocket:")
			tab.Open(w.PageURL("Main_Page"))
			tab.WaitFor(`window.webSocket`)
			tab.Run(`[ 'testwiki:@changes', 'testwiki:@page/1', 'testwiki:Own', 'Plain' ].forEach( ( type ) => webSocket.subscribe( type, () => {} ) )`)

			w.Edit(t, "Secret plans", "Text.")
			w.PHP(t, `WebSocket::send( 'Plain', 'secret word' ); WebSocket::send( WebSocket::wikiID() . 'Own', 'secret word' );`)
			w.Edit(t, "Main Page", "Hello, members.")
			member.WaitFor(barText + `.includes( 'Admin' )`)
			member.WaitFor(`changes.some( ( d ) => d.msg.title === 'Secret_plans' )`)
			member.WaitFor(`plain.some( ( d ) => d.msg === 'secret word' )`)

			if got := stranger.FromSockets(); overheard(got) != "" {
				t.Errorf("a browser without an account got %q", got)
			}
			if wikitest.Eval[bool](tab, `webSocket.connected()`) {
				t.Error("a browser without an account is connected")
			}
			for name, s := range sockets {
				s.Settle()
				if got := s.Received(); overheard(got) != "" {
					t.Errorf("%s got %q", name, got)
				}
			}
			for _, path := range []string{"/index.php/Main_Page", "/index.php/Secret_plans", "/index.php?title=Special:UserLogin",
				"/load.php?modules=startup&only=scripts&raw=1"} {
				if _, body := w.Get(t, path); strings.Contains(body, "eyJ") {
					t.Errorf("%s has a token in it", path)
				}
			}
			if _, err := w.Anonymous().Call(wikitest.Params{"action": "websocket-token"}); err == nil || !strings.Contains(err.Error(), "readapidenied") {
				t.Errorf("the wiki gives strangers a token: %v", err)
			}
			if status, body := w.Get(t, "/rest.php/websocket/v0/token"); status != 403 {
				t.Errorf("the wiki's REST API gives strangers a token: %d %s", status, body)
			}
		})
	}
}

// strangers opens all kinds of connections without an account that the relay takes, and subscribes to everything.
func strangers(t *testing.T, w *wikitest.Wiki) map[string]*wikitest.Socket {
	t.Helper()
	all := make(map[string]*wikitest.Socket)
	for _, h := range handshakes(w) {
		s, answer, err := w.TryDial(t, h)
		if err != nil {
			if answer == nil || answer.StatusCode != 401 && answer.StatusCode != 403 {
				t.Errorf("%+v: %v, %v", h, err, answer)
			}
			continue
		}
		all[fmt.Sprintf("%+v", h)] = s
		if h.Classic {
			s.Send(`{"type":"Register","from":"Stranger` + itoa(int64(len(all))) + `"}`)
			continue
		}
		if reply := s.Connect(""); strings.HasPrefix(reply, `"error"`) {
			continue
		}
		for _, typ := range []string{"testwiki:@changes", "testwiki:@page/1", "testwiki:Own", "Plain"} {
			s.Subscribe(typ, "")
		}
	}
	return all
}

// overheard returns what no stranger may hear that stands in a text.
func overheard(text string) string {
	for _, secret := range []string{"ecret", "Admin", "Rita", "Main", `"msg"`, `"event"`, "title"} {
		if strings.Contains(text, secret) {
			return secret
		}
	}
	return ""
}
