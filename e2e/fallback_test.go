package e2e

import (
	"fmt"
	"strings"
	"syscall"
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
	t.Parallel()
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

// TestNetworkWithoutWebSockets: web servers that let no WebSocket through, and those that also hold back what does not end: pages hear PHP and each other,
// and come back after an outage.
func TestNetworkWithoutWebSockets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ server, rewrite, transport string }{
		{"nginx", "blocked", "sse"}, {"nginx", "buffered", "poll"}, {"apache", "blocked", "sse"}, {"apache", "buffered", "poll"},
	} {
		t.Run(c.server+" "+c.rewrite, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Server: c.server, Rewrite: c.rewrite, Workers: 8, Settings: "$wgWebSocketRewrite = true; $wgWebSocketPageBar = false;"})
			w.StartRelay(t)
			// The context's worker is new: what it takes to find out which way works is in this.
			tabs := []*wikitest.Tab{connectTimed(t, w), connectTimed(t, w)}
			for _, tab := range tabs {
				collect(tab, "heard", `'Echo'`)
				tab.Run(`window.lost = 0; webSocket.disconnected( () => lost++ )`)
			}
			hear := func(text string, say func(), by ...*wikitest.Tab) {
				t.Helper()
				wikitest.Eventually(t, text, func() bool {
					say()
					for _, tab := range by {
						if !wikitest.Eval[bool](tab, fmt.Sprintf(`heard.some( ( data ) => data.msg === %q )`, text)) {
							return false
						}
					}
					return true
				})
			}
			hear("from PHP", func() { w.PHP(t, `WebSocket::send( 'Echo', 'from PHP' );`) }, tabs...)
			hear("from a page", func() { tabs[0].Run(`webSocket.send( 'Echo', 'from a page' )`) }, tabs[1])
			expectTransports(t, w, c.transport, len(tabs))
			for _, tab := range tabs {
				if got := wikitest.Eval[string](tab, `webSocket.transport()`); got != c.transport {
					t.Errorf("the page says %q, want %q", got, c.transport)
				}
			}

			tabs[0].AllowErrors("the connection was lost") // by a message whose answer is still on its way
			w.KillRelay(t, syscall.SIGKILL)
			for _, tab := range tabs {
				tab.WaitFor(`lost > 0 && !webSocket.connected()`)
			}
			w.StartRelay(t)
			for _, tab := range tabs {
				tab.WaitFor(`webSocket.connected()`)
			}
			hear("after the outage", func() { w.PHP(t, `WebSocket::send( 'Echo', 'after the outage' );`) }, tabs...)
			expectTransports(t, w, c.transport, len(tabs))
		})
	}
}

// connectTimed connects a page of a browser of its own and logs how long that took, the download of the client included.
func connectTimed(t *testing.T, w *wikitest.Wiki) *wikitest.Tab {
	t.Helper()
	tab := browser(t).Tab(t)
	tab.OpenPage(w, "Main_Page")
	tab.WaitFor(`window.webSocket`)
	took := wikitest.Eval[float64](tab, `new Promise( ( resolve ) => {
		const begun = performance.now();
		webSocket.connected( () => resolve( performance.now() - begun ) );
		webSocket.connect();
	} )`)
	t.Logf("connected after %.0f ms", took)
	return tab
}

// expectTransports fails the test unless the relay has so many connections, all of them of one way.
func expectTransports(t *testing.T, w *wikitest.Wiki, transport string, n int) {
	t.Helper()
	wikitest.Eventually(t, "connections by "+transport, func() bool {
		status, metrics, err := w.Control("GET", "/metrics", "")
		return err == nil && status == 200 && strings.Contains(metrics, fmt.Sprintf("fallback_connections{transport=%q} %d\n", transport, n)) &&
			strings.Contains(metrics, fmt.Sprintf("websocket_relay_connections %d\n", n))
	})
}

// TestWebSocketIsPreferred: where it works nothing else is tried.
func TestWebSocketIsPreferred(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Rewrite: "better", Settings: "$wgWebSocketRewrite = true;"})
	w.StartRelay(t)
	if got := wikitest.Eval[string](connectTimed(t, w), `webSocket.transport()`); got != "websocket" {
		t.Errorf("the page says %q", got)
	}
	for _, request := range w.AccessLog() {
		if strings.HasPrefix(request, "POST /websocket") {
			t.Error(request)
		}
	}
	if _, metrics, err := w.Control("GET", "/metrics", ""); err != nil || !strings.Contains(metrics, "websocket_relay_connections 1\n") ||
		strings.Count(metrics, "fallback_connections{") != 2 || strings.Count(metrics, "\"} 0\n") < 2 {
		t.Errorf("%v %s", err, metrics)
	}
}
