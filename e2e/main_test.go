// Package e2e has the tests that need a real MediaWiki, a real web server, the real relay and a real browser.
package e2e

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"mediawiki-websocket/e2e/wikitest"
)

func TestMain(m *testing.M) { wikitest.Main(m) }

// plain is the wiki that most tests share.
func plain(t *testing.T) *wikitest.Wiki {
	return wikitest.Shared(t, wikitest.Options{Server: "nginx"})
}

// browser returns a browser of its own: no cookies or workers in common with others.
func browser(t testing.TB) *wikitest.Context { return wikitest.StartBrowser(t).NewContext(t) }

// connect opens a page and connects it.
func connect(t testing.TB, c *wikitest.Context, w *wikitest.Wiki, title string) *wikitest.Tab {
	t.Helper()
	tab := c.Tab(t)
	tab.OpenPage(w, title)
	waitConnected(tab)
	return tab
}

func waitConnected(tab *wikitest.Tab) {
	tab.WaitFor(`window.webSocket && webSocket.connect() && webSocket.connected()`)
}

// collect subscribes to a type and keeps its messages in an array of that name.
func collect(tab *wikitest.Tab, name, typeJS string) {
	tab.Run(`window.` + name + ` = []; webSocket.subscribe( ` + typeJS + `, ( data ) => ` + name + `.push( data ) )`)
}

// settle waits until the relay has subscriptions to so many types.
func settle(t testing.TB, w *wikitest.Wiki, types int) {
	t.Helper()
	wikitest.Eventually(t, "the relay has the subscriptions", func() bool { return w.Stats(t).Types >= types })
}

// before runs a script in every page of the tab before the page's own.
func before(t *testing.T, tab *wikitest.Tab, script string) {
	t.Helper()
	_, err := chromedp.Call(tab.Ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	if err != nil {
		t.Fatal(err)
	}
}

func fooData(t *testing.T) string { return testExtension(t, "FooData") }

// testExtension returns what [wikitest.Options] call an extension of testdata.
func testExtension(t *testing.T, name string) string {
	t.Helper()
	folder, err := filepath.Abs("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return name + "=" + folder
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// clientRequests counts the requests for the worker and the WebAssembly that the web server has seen.
func clientRequests(w *wikitest.Wiki) int {
	n := 0
	for _, request := range w.AccessLog() {
		if strings.Contains(request, "/dist/worker-") || strings.Contains(request, "/dist/client-") {
			n++
		}
	}
	return n
}
