package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// TestMessages: what one browser sends arrives in another as it was, whatever its type is called.
func TestMessages(t *testing.T) {
	w := plain(t)
	sender, receiver := connect(t, browser(t), w, "Main_Page"), connect(t, browser(t), w, "Main_Page")
	types := []string{"Plain", "with spaces in it", "__proto__", "constructor", "emoji 🎉", "testwiki:12:UpdateComments", "Ünï:cöde", strings.Repeat("x", 255), `quo"te\`}
	messages := []string{`"text"`, `""`, `[1,[2,{"a":null}]]`, `{"name":"Ada","list":[{"id":1,"text":"<b>&amp;</b>"}],"__proto__x":{}}`, `12.5`, `true`, `null`, `"\u2028 and \u0000"`}
	known := w.Stats(t).Types
	for _, name := range types {
		js, _ := json.Marshal(name)
		receiver.Run(`window.all = window.all || []; webSocket.subscribe( ` + string(js) + `, ( data ) => all.push( data ) )`)
	}
	settle(t, w, known+len(types))
	n := 0
	for _, name := range types {
		for _, msg := range messages {
			js, _ := json.Marshal(name)
			sender.Run(`webSocket.send( ` + string(js) + `, ` + msg + ` )`)
			n++
		}
	}
	receiver.WaitFor(`all.length >= ` + itoa(int64(n)))
	id := wikitest.Eval[string](sender, `webSocket.clientID()`)
	i := 0
	for _, name := range types {
		for _, msg := range messages {
			js, _ := json.Marshal(name)
			want := wikitest.Eval[string](receiver, `JSON.stringify( [ `+string(js)+`, `+msg+`, "`+id+`", "" ] )`)
			got := wikitest.Eval[string](receiver, `( ( d ) => JSON.stringify( [ d.type, d.msg, d.from, d.to ] ) )( all[ `+itoa(int64(i))+` ] )`)
			if got != want {
				t.Errorf("message %d: %s, want %s", i, got, want)
			}
			i++
		}
	}
	if wikitest.Eval[bool](receiver, `( {} ).length !== undefined`) {
		t.Error("Object.prototype was changed")
	}
}

// TestTypeTooLong: a type of 256 bytes is refused with a reason, and nothing else suffers.
func TestTypeTooLong(t *testing.T) {
	w := plain(t)
	tab := connect(t, browser(t), w, "Main_Page")
	tab.AllowErrors("255")
	tab.Run(`webSocket.subscribe( 'x'.repeat( 256 ), () => {} )`)
	tab.WaitFor(`webSocket.connected()`)
	wikitest.Eventually(t, "the console says why", func() bool {
		return strings.Contains(strings.Join(tab.Console(), "\n"), "255")
	})
}

// TestRecipients: "to" as an array and as a comma-separated list, no echo to the sender, several callbacks a type.
func TestRecipients(t *testing.T) {
	w := plain(t)
	var tabs []*wikitest.Tab
	var ids []string
	known := w.Stats(t).Types
	for range 3 {
		tab := connect(t, browser(t), w, "Main_Page")
		collect(tab, "first", `'Recipients'`)
		collect(tab, "second", `'Recipients'`)
		tabs = append(tabs, tab)
		ids = append(ids, wikitest.Eval[string](tab, `webSocket.clientID()`))
	}
	settle(t, w, known+1)
	waitSubscribers(t, tabs, "Recipients")
	a := tabs[0]
	a.Run(`webSocket.send( 'Recipients', 1, [ '` + ids[1] + `' ] )`)
	a.Run(`webSocket.send( 'Recipients', 2, '` + ids[1] + `, ` + ids[2] + `' )`)
	a.Run(`webSocket.send( 'Recipients', 3, '` + ids[0] + `' )`)
	for _, everyone := range []string{`undefined`, `null`, `false`, `0`, `''`, `[]`, `[ 0 ]`} {
		a.Run(`webSocket.send( 'Recipients', 'all', ` + everyone + ` )`)
	}
	for i, want := range []string{`[]`, `[1,2,"all","all","all","all","all","all","all"]`, `[2,"all","all","all","all","all","all","all"]`} {
		for _, callback := range []string{"first", "second"} {
			get := `JSON.stringify( ` + callback + `.filter( ( d ) => d.msg !== 'ready' ).map( ( d ) => d.msg ) )`
			if i > 0 {
				tabs[i].WaitFor(get + `.length >= ` + itoa(int64(len(want))))
			}
			if got := wikitest.Eval[string](tabs[i], get); got != want {
				t.Errorf("tab %d, %s callback: %s, want %s", i, callback, got, want)
			}
		}
	}
}

// waitSubscribers waits until every tab hears every other.
func waitSubscribers(t *testing.T, tabs []*wikitest.Tab, name string) {
	t.Helper()
	for i, receiver := range tabs {
		wikitest.Eventually(t, "a tab hears the others", func() bool {
			tabs[(i+1)%len(tabs)].Run(`webSocket.send( '` + name + `', 'ready' )`)
			return wikitest.Eval[bool](receiver, `first.length > 0`)
		})
	}
}

// TestCallbacks: one that throws does not stop the others; unsubscribing; connected( cb ); hooks.
func TestCallbacks(t *testing.T) {
	w := plain(t)
	sender, tab := connect(t, browser(t), w, "Main_Page"), connect(t, browser(t), w, "Main_Page")
	tab.AllowErrors("on purpose")
	known := w.Stats(t).Types
	tab.Run(`window.calls = [];
		webSocket.subscribe( 'Callbacks', () => { calls.push( 'throws' ); throw new Error( 'on purpose' ); } );
		window.end = webSocket.subscribe( 'Callbacks', () => calls.push( 'ended' ) );
		window.named = () => calls.push( 'named' );
		webSocket.subscribe( 'Callbacks', named );
		webSocket.subscribe( 'Callbacks', () => calls.push( 'stays' ) );
		webSocket.connected( () => calls.push( 'connected' ) );
		mw.hook( 'webSocket.connected' ).add( () => calls.push( 'hook' ) );`)
	tab.WaitFor(`calls.includes( 'connected' ) && calls.includes( 'hook' )`)
	settle(t, w, known+1)
	sender.Run(`webSocket.send( 'Callbacks', 1 )`)
	tab.WaitFor(`calls.filter( ( c ) => c === 'stays' ).length === 1`)
	tab.Run(`end(); webSocket.unsubscribe( 'Callbacks', named )`)
	sender.Run(`webSocket.send( 'Callbacks', 2 )`)
	tab.WaitFor(`calls.filter( ( c ) => c === 'stays' ).length === 2`)
	if got := wikitest.Eval[string](tab, `calls.filter( ( c ) => c !== 'connected' && c !== 'hook' ).join()`); got != "throws,ended,named,stays,throws,stays" {
		t.Errorf("calls: %s", got)
	}
}

// TestSendBeforeConnected: what is sent while the connection is being made waits, and is not lost.
func TestSendBeforeConnected(t *testing.T) {
	w := plain(t)
	receiver := connect(t, browser(t), w, "Main_Page")
	known := w.Stats(t).Types
	collect(receiver, "early", `'Early'`)
	settle(t, w, known+1)
	sender := browser(t).Tab(t)
	sender.OpenPage(w, "Main_Page")
	sender.WaitFor(`window.webSocket`)
	sender.Run(`webSocket.connect(); [ 1, 2, 3 ].forEach( ( n ) => webSocket.send( 'Early', n ) )`)
	receiver.WaitFor(`early.length === 3`)
	if got := wikitest.Eval[string](receiver, `early.map( ( d ) => d.msg ).join()`); got != "1,2,3" {
		t.Errorf("got %s", got)
	}
}
