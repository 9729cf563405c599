package e2e

import (
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// TestTabsShareOneSocket: three tabs of a browser are one connection with three clients.
func TestTabsShareOneSocket(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: "$wgWebSocketPageBar = false;"})
	c := browser(t)
	var tabs []*wikitest.Tab
	count := func(connections, clients int) {
		t.Helper()
		wikitest.Eventually(t, "connections and clients", func() bool {
			s := w.Stats(t)
			return s.Connections == connections && s.Clients == clients
		})
	}
	for i := range 3 {
		tabs = append(tabs, connect(t, c, w, "Main_Page"))
		count(1, i+1)
	}
	if workers := c.SharedWorkers(t); len(workers) != 1 {
		t.Errorf("workers: %v", workers)
	}
	ids := map[string]bool{}
	for _, tab := range tabs {
		ids[wikitest.Eval[string](tab, `webSocket.clientID()`)] = true
	}
	if len(ids) != 3 {
		t.Errorf("client ids: %v", ids)
	}

	// Tabs of one browser reach each other, and not themselves.
	for _, tab := range tabs {
		collect(tab, "got", `'Tabs'`)
	}
	settle(t, w, 1)
	tabs[0].Run(`webSocket.send( 'Tabs', 'from the first' )`)
	tabs[1].WaitFor(`got.length`)
	tabs[2].WaitFor(`got.length`)
	tabs[1].Run(`webSocket.send( 'Tabs', 'to the first only', [ '` + wikitest.Eval[string](tabs[0], `webSocket.clientID()`) + `' ] )`)
	tabs[0].WaitFor(`got.length`)
	if got := wikitest.Eval[[]string](tabs[0], `got.map( ( d ) => d.msg )`); len(got) != 1 || got[0] != "to the first only" {
		t.Errorf("the first tab got %q", got)
	}
	if got := wikitest.Eval[[]string](tabs[2], `got.map( ( d ) => d.msg )`); len(got) != 1 || got[0] != "from the first" {
		t.Errorf("the third tab got %q", got)
	}

	for i := range 2 {
		tabs[i].Close()
		count(1, 2-i)
	}
	tabs[2].Close()
	count(0, 0)
}

// TestSecondTabNeedsNoDownload: another tab joins the worker that is there.
func TestSecondTabNeedsNoDownload(t *testing.T) {
	w := plain(t)
	c := browser(t)
	connect(t, c, w, "Main_Page")
	loads := clientRequests(w)
	connect(t, c, w, "Main_Page")
	if now := clientRequests(w); now != loads {
		t.Errorf("%d requests for the client, and %d after the second tab", loads, now)
	}
}

// TestPageWithoutSubscribersLoadsNothing: neither worker nor WebAssembly is requested before a page uses the connection.
func TestPageWithoutSubscribersLoadsNothing(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: "$wgWebSocketPageBar = false;"})
	c := browser(t)
	tab := c.Tab(t)
	tab.OpenPage(w, "Main_Page")
	tab.WaitFor(`window.webSocket && document.readyState === 'complete'`)
	// What the page does after its load is idle work of ResourceLoader; wait until it is through.
	tab.Run(`new Promise( ( resolve ) => requestIdleCallback( () => requestIdleCallback( resolve ) ) )`)
	if n, workers := clientRequests(w), c.SharedWorkers(t); n != 0 || len(workers) != 0 {
		t.Errorf("%d requests, workers %v", n, workers)
	}
	waitConnected(tab)
	if n := clientRequests(w); n == 0 {
		t.Error("the requests of a page that connects are not seen, so the test proves nothing")
	}
}
