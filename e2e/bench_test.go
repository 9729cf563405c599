package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"mediawiki-websocket/e2e/wikitest"
)

// BenchmarkConnect measures what a page pays for the connection. ms/first: from connect() to connected in a browser that has no worker yet, download
// and compilation included. ms/second-tab: the same in a further tab of that browser. ms/main-thread: the time that scripts ran on the page's main
// thread meanwhile, in the second tab, the polling of the test not counted.
func BenchmarkConnect(b *testing.B) {
	w := wikitest.Start(b, wikitest.Options{Server: "nginx", Settings: "$wgWebSocketPageBar = false;"})
	var first, second, script float64
	n := 0
	for b.Loop() {
		c := wikitest.StartBrowser(b).NewContext(b)
		ms, _ := timeConnect(b, c, w)
		first += ms
		ms, busy := timeConnect(b, c, w)
		second += ms
		script += busy
		n++
	}
	b.ReportMetric(first/float64(n), "ms/first")
	b.ReportMetric(second/float64(n), "ms/second-tab")
	b.ReportMetric(script/float64(n), "ms/main-thread")
	b.ReportMetric(0, "ns/op") // says nothing: most of it is opening tabs
}

// timeConnect opens a tab and connects it. It returns the milliseconds until the callback ran, and those that scripts ran on the main thread.
func timeConnect(b *testing.B, c *wikitest.Context, w *wikitest.Wiki) (elapsed, script float64) {
	tab := c.Tab(b)
	tab.OpenPage(w, "Main_Page")
	tab.WaitFor(`window.webSocket && document.readyState === 'complete'`)
	tab.Run(`new Promise( ( resolve ) => setTimeout( () => requestIdleCallback( resolve ), 500 ) )`)
	if _, err := chromedp.Call(tab.Ctx, performance.Enable, performance.EnableParams{}); err != nil {
		b.Fatal(err)
	}
	tab.Run(waitTurn) // so that neither run below is the first
	start := scriptSeconds(b, tab)
	tab.Run(waitTurn)
	before := scriptSeconds(b, tab)
	asking := before - start // what DevTools spend on evaluating and on a promise
	elapsed = wikitest.Eval[float64](tab, `new Promise( ( resolve ) => {
		const start = performance.now();
		webSocket.connected( () => resolve( performance.now() - start ) );
		webSocket.connect();
	} )`)
	return elapsed, 1000 * (scriptSeconds(b, tab) - before - asking)
}

const waitTurn = `new Promise( ( resolve ) => {
		const start = performance.now();
		setTimeout( () => resolve( performance.now() - start ) );
	} )`

func scriptSeconds(b *testing.B, tab *wikitest.Tab) float64 {
	result, err := chromedp.Call(tab.Ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range result.Metrics {
		if m.Name == "ScriptDuration" {
			return m.Value
		}
	}
	b.Fatal("Chromium does not report ScriptDuration")
	return 0
}

// BenchmarkSave measures how long a save takes through api.php on PHP's own server, where the client waits for everything that PHP does after the
// response: with the relay running, without one, and with one that hangs. ms/worst is the one save that finds out.
func BenchmarkSave(b *testing.B) {
	port, open := blackHole(b)
	for name, settings := range map[string]string{
		"running":    "",
		"none":       "$wgWebSocketAutostart = false;",
		"frozen":     "",
		"black hole": fmt.Sprintf("$wgWebSocketRelay = '127.0.0.1:%d';", port),
	} {
		b.Run(name, func(b *testing.B) {
			w := wikitest.Start(b, wikitest.Options{Server: "php", Settings: "$wgWebSocketPublishTimeout = 0.1;" + settings})
			w.Edit(b, "Saved", "The first save makes PHP read its code.")
			if name == "black hole" {
				open()
			} else if settings == "" {
				w.Get(b, "/index.php/Main_Page")
				pid := w.WaitRelay(b).PID
				if name == "frozen" {
					if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
				}
			}
			var worst time.Duration
			n := 0
			for b.Loop() {
				start := time.Now()
				w.Edit(b, "Saved", fmt.Sprintf("Text %d.", n))
				worst = max(worst, time.Since(start))
				n++
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "ms/worst")
		})
	}
}
