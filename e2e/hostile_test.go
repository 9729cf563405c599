package e2e

import (
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// evil is markup that would run in every place in which markup is interpreted: text, an attribute in either quote, a link, a script.
const evil = `</script><script>pwned++</script><img src=x onerror="pwned++">"'><svg onload=pwned++>` +
	`<a href="javascript:pwned++">x</a>{{int:x}}[javascript:pwned++ x]`

// trap makes a page notice what runs and what changes the objects that all others inherit from.
const trap = `window.pwned = 0; window.inherited = () => JSON.stringify( [ Object, Array, Function, Map, Promise ].map(
	( c ) => Object.getOwnPropertyNames( c.prototype ).concat( Object.getOwnPropertyNames( c ) ) ) ); window.clean = inherited();`

func checkTrap(t *testing.T, tab *wikitest.Tab) {
	t.Helper()
	// What an image or a timer would run is run by now.
	tab.Run(`new Promise( ( resolve ) => requestAnimationFrame( () => setTimeout( resolve, 50 ) ) )`)
	if n := wikitest.Eval[int](tab, `pwned`); n != 0 {
		t.Errorf("%d pieces of a message ran as script", n)
	}
	if !wikitest.Eval[bool](tab, `inherited() === clean && ( {} ).user === undefined && ( {} ).polluted === undefined`) {
		t.Error("a message changed the objects that all others inherit from")
	}
}

// TestMessageRunsInThePage: markup and the names of JavaScript's own properties, in every field that a message has, are data for
// the page's callbacks.
func TestMessageRunsInThePage(t *testing.T) {
	w := plain(t)
	tab := connect(t, browser(t), w, "Main_Page")
	tab.Run(trap)
	sender := w.Dial(t, wikitest.Handshake{})
	if reply := sender.Connect("", "WSsender"); !strings.HasPrefix(reply, `"ok"`) {
		t.Fatalf("connect: %s", reply)
	}
	types := []string{evil, "__proto__", "constructor", "prototype", "toString", "__defineGetter__", "hasOwnProperty", "valueOf"}
	known := w.Stats(t).Types
	for _, typ := range types {
		tab.Run(fmt.Sprintf(`window.all = window.all || []; webSocket.subscribe( %q, ( data ) => all.push( data ) )`, typ))
	}
	settle(t, w, known+len(types))
	for _, typ := range types {
		for _, fields := range []string{
			fmt.Sprintf(`"msg":%q`, evil),
			`"msg":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`,
			`"msg":[{"__proto__":{"polluted":1}}],"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}`,
			`"msg":1,"from":"__proto__"`,
			fmt.Sprintf(`"msg":1,"from":%q`, evil),
			fmt.Sprintf(`"msg":1,"to":[%q,"__proto__"]`, evil),
			fmt.Sprintf(`"msg":1,"%s":1,"user":%q`, "<img src=x onerror=pwned++>", evil),
		} {
			sender.Ask(fmt.Sprintf(`"op":"send","type":%q,%s`, typ, fields)) // what is no client id is refused
		}
		if reply := sender.Ask(fmt.Sprintf(`"op":"send","type":%q,"msg":"last"`, typ)); !strings.HasPrefix(reply, `"ok"`) {
			t.Errorf("send %q: %s", typ, reply)
		}
	}
	tab.WaitFor(fmt.Sprintf(`all.filter( ( d ) => d.msg === 'last' ).length === %d`, len(types)))
	if n := wikitest.Eval[int](tab, fmt.Sprintf(`all.filter( ( d ) => d.msg === %q ).length`, evil)); n != len(types) {
		t.Errorf("markup arrived as it was %d times, want %d", n, len(types))
	}
	checkTrap(t, tab)
}

// TestTitleOrNameRunsInTheBar: what people write into titles and summaries, and what a wiki could call its users, is text in the bar.
func TestTitleOrNameRunsInTheBar(t *testing.T) {
	w := plain(t)
	page := topics(t, w, "Hostile page")[0]
	tab := connect(t, browser(t), w, "Hostile_page")
	tab.Run(trap)
	settle(t, w, 1)
	interpreted := func(what string) {
		t.Helper()
		if wikitest.Eval[bool](tab, bar+`.querySelector( 'img, script, svg, [onerror], a[href^="javascript"]' ) !== null`) {
			t.Errorf("%s: markup of a message was interpreted: %s", what, wikitest.Eval[string](tab, bar+`.outerHTML`))
		}
	}
	w.API(t, wikitest.Params{"action": "edit", "title": "Hostile page", "text": "More.", "summary": evil})
	tab.WaitFor(bar)
	interpreted("summary")
	w.API(t, wikitest.Params{"action": "move", "from": "Hostile page", "to": `Hostile "'&page`, "noredirect": "1", "reason": evil})
	tab.WaitFor(barText + `.includes( 'Hostile "' )`)
	interpreted("title")
	for i, event := range []string{
		`'event' => 'edit', 'rev' => 900001, 'user' => $evil, 'time' => $evil, 'title' => $evil, 'comment' => $evil`,
		`'event' => 'edit', 'rev' => 900002, 'user' => $evil, 'time' => [ $evil ], 'parent' => $evil, 'minor' => $evil`,
		`'event' => 'move', 'rev' => 900003, 'user' => $evil, 'title' => $evil, 'target' => $evil`,
		`'event' => 'delete', 'user' => $evil, 'time' => '2026-01-01T00:00:00Z', 'comment' => $evil`,
		`'event' => 'restore', 'user' => [ '__proto__' => [ 'polluted' => 1 ], 'x' => $evil ], 'time' => '__proto__'`,
		`'event' => 'delete', 'user' => $evil . 'the last', 'time' => null`,
	} {
		w.PHP(t, fmt.Sprintf("$evil = <<<'TEXT'\n%s\nTEXT;\nWebSocket::send( WebSocket::wikiID() . '@page/%s', [ %s ] );", evil, page, event))
		if i == 2 || i == 5 { // the others may be no news
			tab.WaitFor(barText + `.includes( 'onload=pwned' )`)
		}
		interpreted(event)
	}
	tab.WaitFor(barText + `.includes( 'the last' )`)
	checkTrap(t, tab)
	tab.Run(fmt.Sprintf(`document.body.insertAdjacentHTML( 'beforeend', %q )`, evil))
	tab.WaitFor(`pwned > 0`) // so the trap would have caught it
}
