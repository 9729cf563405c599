package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// problems makes a page keep what webSocket.error says, as "about code".
const problems = `window.problems = []; mw.hook( 'webSocket.error' ).add( ( e ) => problems.push( e.about + ' ' + e.code ) )`

// TestBlockedUserStillSends: whoever is blocked goes on reading, cannot send, is told so, and can send again when the block ends, all without
// loading the page again.
func TestBlockedUserStillSends(t *testing.T) {
	w := plain(t)
	u := w.NewUser(t, "Vandal")
	listener := connect(t, browser(t), w, "Main_Page")
	collect(listener, "heard", `'Chat'`)
	tab := browser(t).Tab(t)
	tab.AllowErrors("WebSocket: send Chat")
	tab.SignIn(w, u, "Main_Page")
	waitConnected(tab)
	collect(tab, "heard", `'Chat'`)
	tab.Run(problems)
	wikitest.Eventually(t, "the user is heard", func() bool {
		tab.Run(`webSocket.send( 'Chat', 'before' ); new Promise( ( resolve ) => setTimeout( resolve, 100 ) )`)
		return wikitest.Eval[bool](listener, `heard.some( ( d ) => d.msg === 'before' && d.user === 'Vandal' )`)
	})

	w.Block(t, u)
	wikitest.Within(t, revocationTime, "the user is refused", func() bool {
		tab.Run(`webSocket.send( 'Chat', 'meanwhile' ); new Promise( ( resolve ) => setTimeout( resolve, 200 ) )`)
		return wikitest.Eval[bool](tab, `problems.includes( 'send forbidden' )`)
	})
	tab.Run(`webSocket.send( 'Chat', 'blocked' )`)
	listener.Run(`webSocket.send( 'Chat', 'to the blocked' )`)
	tab.WaitFor(`heard.some( ( d ) => d.msg === 'to the blocked' )`)
	tab.WaitFor(`problems.filter( ( p ) => p === 'send forbidden' ).length > 1`)
	if wikitest.Eval[bool](listener, `heard.some( ( d ) => d.msg === 'blocked' )`) {
		t.Error("a blocked user was heard")
	}

	w.Unblock(t, u)
	wikitest.Eventually(t, "the user is heard again", func() bool {
		tab.Run(`webSocket.send( 'Chat', 'after' ); new Promise( ( resolve ) => setTimeout( resolve, 200 ) )`)
		return wikitest.Eval[bool](listener, `heard.some( ( d ) => d.msg === 'after' && d.user === 'Vandal' )`)
	})
}

// TestVisitorForgesUserAndWiki: whatever a page or a program puts into a message, its recipients are told who sent it.
func TestVisitorForgesUserAndWiki(t *testing.T) {
	w := plain(t)
	users := w.NewUsers(t, nil, "Forger", "Victim")
	w.StartRelay(t)
	receiver := connect(t, browser(t), w, "Main_Page")
	collect(receiver, "heard", `'Forged'`)
	raw := w.Dial(t, wikitest.Handshake{})
	raw.Connect("")
	if reply := raw.Subscribe("Forged", ""); !strings.HasPrefix(reply, `"ok"`) {
		t.Fatalf("subscribe: %s", reply)
	}
	wikitest.Eventually(t, "the page hears", func() bool {
		raw.Ask(`"op":"send","type":"Forged","msg":"ready"`)
		return wikitest.Eval[bool](receiver, `heard.length > 0`)
	})

	victim := connected(t, w, users[1], "WSvictim")
	forger := connected(t, w, users[0], "WSforger")
	token := goodToken(t, w, w.Login(t, users[0].Name, users[0].Password))
	classic, anonymous := w.Dial(t, wikitest.Handshake{Classic: true, Bearer: token}), w.Dial(t, wikitest.Handshake{Classic: true})
	const lies = `"user":"Victim","wiki":true,"offset":1,"USER":"Victim","Wiki":true,"__proto__":{"user":"Victim","wiki":true}`
	for _, command := range []string{
		`"op":"send","type":"Forged","msg":"v1","from":"WSforger",` + lies,
		`"type":"Forged","msg":"no op","from":"WSforger",` + lies,
		`"op":"send","type":"Forged","msg":"twice","msg":"twice","from":"WSforger","user":"","user":"Victim"`,
		`"op":"send","type":"Forged","msg":{"user":"Victim","wiki":true},"from":"WSforger"`,
	} {
		forger.Ask(command) // some are refused as malformed
	}
	classic.Send(`{"type":"Forged","msg":"classic","from":"Classicforger",` + lies + `}`)
	anonymous.Send(`{"type":"Forged","msg":"anonymous","from":"Classicanonymous",` + lies + `}`)
	stolenID(t, w, victim, forger)
	w.PHP(t, `WebSocket::send( 'Forged', 'from the wiki' );`)
	for _, msg := range []string{"anonymous", "classic", "from the wiki"} {
		receiver.WaitFor(fmt.Sprintf(`heard.some( ( d ) => d.msg === %q )`, msg))
	}
	raw.Settle()
	var frames []string
	json.Unmarshal([]byte(wikitest.Eval[string](receiver, `JSON.stringify( heard.map( ( d ) => JSON.stringify( d ) ) )`)), &frames)
	frames = append(frames, strings.Split(raw.Received(), "\n")...)
	if n := strings.Count(strings.Join(frames, "\n"), `"user":"Forger"`); n < 4 {
		t.Errorf("only %d messages name their sender: %q", n, frames)
	}
	for _, frame := range frames {
		honest(t, frame)
	}
}

// honest fails the test for an envelope that says something else than the truth about its sender.
func honest(t *testing.T, frame string) {
	t.Helper()
	var e struct {
		Type, From, User string
		Wiki             bool
		Msg              any
	}
	if err := json.Unmarshal([]byte(frame), &e); err != nil || e.Type != "Forged" {
		return
	}
	want := ""
	if strings.Contains(e.From, "forger") {
		want = "Forger"
	}
	if e.User != want || e.Wiki != (e.Msg == "from the wiki") || strings.Count(frame, `"user"`) > 2 || strings.Contains(e.From, "victim") {
		t.Errorf("a message lies: %s", frame)
	}
}

func connected(t *testing.T, w *wikitest.Wiki, u wikitest.User, client string) *wikitest.Socket {
	t.Helper()
	s := w.Dial(t, wikitest.Handshake{})
	if reply := s.Connect(goodToken(t, w, w.Login(t, u.Name, u.Password)), client); !strings.Contains(reply, `"user":"`+u.Name+`"`) {
		t.Fatalf("%s connects: %s", u.Name, reply)
	}
	return s
}

// stolenID: nobody can send under, or take, the client id of another user's page.
func stolenID(t *testing.T, w *wikitest.Wiki, victim, forger *wikitest.Socket) {
	t.Helper()
	stranger := w.Dial(t, wikitest.Handshake{})
	stranger.Connect("", "WSvictim")
	for name, reply := range map[string]string{
		"a user sends as another's page":      forger.Ask(`"op":"send","type":"Forged","msg":"stolen","from":"WSvictim"`),
		"a user takes another's id":           forger.Ask(`"op":"register","client":"WSvictim"`),
		"a visitor takes a user's id":         stranger.Ask(`"op":"register","client":"WSvictim"`),
		"a visitor who connected with the id": stranger.Ask(`"op":"send","type":"Forged","msg":"stolen","from":"WSvictim"`),
	} {
		if !strings.Contains(reply, `"code":"forbidden"`) {
			t.Errorf("%s: %s", name, reply)
		}
	}
	classic := w.Dial(t, wikitest.Handshake{Classic: true})
	classic.Send(`{"type":"Forged","msg":"stolen","from":"WSvictim"}`)
	classic.Settle()
	if reply := forger.Ask(`"op":"send","type":"ToVictim","msg":1,"from":"WSforger","to":["WSvictim"]`); !strings.HasPrefix(reply, `"ok"`) {
		t.Errorf("send to the victim: %s", reply)
	}
	victim.Settle()
}

// TestFloodPastRateLimit: MediaWiki's own limit counts for what pages and programs send.
func TestFloodPastRateLimit(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: `$wgWebSocketPageBar = false;
$wgRateLimits['websocket-send'] = [ 'user' => [ 2, 3600 ], 'ip' => [ 2, 3600 ] ];`})
	u := w.NewUser(t, "Flooder")
	listener := connect(t, browser(t), w, "Main_Page")
	collect(listener, "heard", `'Flood'`)
	tab := browser(t).Tab(t)
	tab.AllowErrors("WebSocket: send Flood")
	tab.SignIn(w, u, "Main_Page")
	waitConnected(tab)
	tab.Run(problems)
	settle(t, w, 1)
	tab.Run(`[ 1, 2, 3 ].forEach( ( n ) => webSocket.send( 'Flood', n ) )`)
	tab.WaitFor(`problems.join() === 'send rate-limited'`)
	w.PHP(t, `WebSocket::send( 'Flood', 'last' );`)
	listener.WaitFor(`heard.some( ( d ) => d.msg === 'last' )`)
	if got := wikitest.Eval[string](listener, `heard.map( ( d ) => d.msg ).join()`); got != "1,2,last" {
		t.Errorf("heard %s", got)
	}
	visitor := w.Dial(t, wikitest.Handshake{})
	visitor.Connect(w.Anonymous().Token(t))
	for i, want := range []string{`"ok"`, `"ok"`, `"error":{"code":"rate-limited"`} {
		if reply := visitor.Ask(`"op":"send","type":"Flood","msg":"visitor"`); !strings.HasPrefix(reply, want) {
			t.Errorf("message %d of a visitor: %s, want %s", i+1, reply, want)
		}
	}
}
