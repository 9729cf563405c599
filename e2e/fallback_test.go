package e2e

import (
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// TestWithoutWorkers: the client runs in a dedicated worker, or in the page.
func TestWithoutWorkers(t *testing.T) {
	w := plain(t)
	for name, script := range map[string]string{
		"no SharedWorker":     `delete window.SharedWorker`,
		"SharedWorker throws": `window.SharedWorker = function () { throw new DOMException( 'no', 'SecurityError' ); }`,
		"no Worker":           `delete window.SharedWorker; delete window.Worker`,
	} {
		t.Run(name, func(t *testing.T) {
			c := browser(t)
			tab := c.Tab(t)
			before(t, tab, script)
			tab.OpenPage(w, "Main_Page")
			waitConnected(tab)
			collect(tab, "first", `'Fallback'`)
			other := connect(t, browser(t), w, "Main_Page")
			wikitest.Eventually(t, "a message arrives", func() bool {
				other.Run(`webSocket.send( 'Fallback', 'hello' )`)
				return wikitest.Eval[bool](tab, `first.length > 0`)
			})
			if workers := c.SharedWorkers(t); len(workers) != 0 {
				t.Errorf("workers: %v", workers)
			}
		})
	}
}

// TestWithoutWebAssembly: connect() says no, and the page has no errors.
func TestWithoutWebAssembly(t *testing.T) {
	w := plain(t)
	for _, script := range []string{`delete window.WebAssembly`, `delete window.WebSocket`} {
		tab := browser(t).Tab(t)
		before(t, tab, script)
		tab.OpenPage(w, "Main_Page")
		tab.WaitFor(`window.webSocket`)
		tab.Run(`webSocket.subscribe( 'Anything', () => {} ); webSocket.send( 'Anything', 1 )`)
		if wikitest.Eval[bool](tab, `webSocket.connect() || webSocket.active() || webSocket.connected()`) {
			t.Errorf("%s: the page thinks that it can connect", script)
		}
	}
}

// TestStrictCSP: under the strictest policy that MediaWiki sends, the page connects and gets subscription tokens without a violation.
func TestStrictCSP(t *testing.T) {
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", Extensions: []string{testExtension(t, "DeclaredTypes")},
				Settings: "$wgCSPHeader = [ 'default-src' => true ]; wfLoadExtension( 'DeclaredTypes' );"})
			typ := "testwiki:Comments/" + topics(t, w, "Strict")[0]
			for i, script := range []string{``, `delete window.SharedWorker; delete window.Worker`} {
				tab := browser(t).Tab(t)
				before(t, tab, script+`; window.violations = []; addEventListener( 'securitypolicyviolation', ( e ) => violations.push( e.violatedDirective + ' ' + e.blockedURI ) )`)
				tab.OpenPage(w, "Strict")
				waitConnected(tab)
				collect(tab, "heard", "'"+typ+"'")
				wikitest.Eventually(t, "the page hears", func() bool {
					w.PHP(t, fmt.Sprintf("WebSocket::send( %q, %d );", typ, i))
					return wikitest.Eval[bool](tab, `heard.length > 0`)
				})
				if n := subscribeRequests(tab); n != 1 {
					t.Errorf("%d requests for subscription tokens, want 1", n)
				}
				if got := wikitest.Eval[string](tab, `violations.join()`); got != "" {
					t.Errorf("violations: %s", got)
				}
			}
		})
	}
}

// TestClientCannotRun: where a policy forbids WebAssembly the page works, and the console has one line that says why.
func TestClientCannotRun(t *testing.T) {
	w := plain(t)
	tab := browser(t).Tab(t)
	tab.AllowErrors("forbidden by policy")
	before(t, tab, `delete window.SharedWorker; delete window.Worker; WebAssembly.instantiate = WebAssembly.instantiateStreaming = WebAssembly.compile = WebAssembly.compileStreaming = () => Promise.reject( new WebAssembly.CompileError( 'forbidden by policy' ) )`)
	tab.OpenPage(w, "Main_Page")
	tab.WaitFor(`window.webSocket`)
	tab.Run(`webSocket.connect()`)
	wikitest.Eventually(t, "the console says why", func() bool {
		return strings.Contains(strings.Join(tab.Console(), "\n"), "forbidden by policy")
	})
	if n := strings.Count(strings.Join(tab.Console(), "\n"), "WebSocket:"); n != 1 {
		t.Errorf("%d lines in the console: %q", n, tab.Console())
	}
	if wikitest.Eval[bool](tab, `webSocket.connected()`) {
		t.Error("connected")
	}
}
