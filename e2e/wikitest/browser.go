package wikitest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// A Browser is the one Chromium of a test run. It is headless unless
// E2E_HEADFUL is set.
type Browser struct {
	ctx context.Context
}

var browser struct {
	once  sync.Once
	b     *Browser
	err   error
	close []context.CancelFunc
}

// StartBrowser returns the browser and starts it if this is the first call.
// Main ends it.
func StartBrowser(t testing.TB) *Browser {
	t.Helper()
	browser.once.Do(func() { browser.b, browser.err = startBrowser() })
	if browser.err != nil {
		t.Fatalf("start Chromium: %v", browser.err)
	}
	return browser.b
}

func startBrowser() (*Browser, error) {
	// Chromium keeps files below HOME, which a user of tests need not have, and leaves some in TMPDIR.
	scratch.Lock()
	home, err := scratchDir("chromium")
	scratch.Unlock()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // of no use as root; it sees only the tests' own pages
		chromedp.DisableGPU,
		chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(home+"/profile"),
		chromedp.Env("HOME="+home, "TMPDIR="+home),
		chromedp.WindowSize(1200, 800),
	)
	if os.Getenv("E2E_HEADFUL") != "" {
		options = append(options, chromedp.VisibleWindow)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	browser.close = append(browser.close, cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	browser.close = append(browser.close, cancel)
	return &Browser{ctx: ctx}, chromedp.Do(ctx)
}

func stopBrowser() {
	if browser.b != nil {
		chromedp.Cancel(browser.b.ctx)
	}
	for i := len(browser.close) - 1; i >= 0; i-- {
		browser.close[i]()
	}
}

// A Context is like a browser of its own: no cookies, storage or workers in
// common with another one.
type Context struct {
	ctx context.Context
	id  cdp.BrowserContextID
}

// NewContext makes a context, which is gone when the test ends.
func (b *Browser) NewContext(t testing.TB) *Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("new browser context: %v", err)
	}
	return &Context{ctx: ctx, id: chromedp.FromContext(ctx).BrowserContextID}
}

// Tab opens an empty tab, which shares cookies and SharedWorkers with the
// other tabs of the context. The test fails for uncaught exceptions in it.
func (c *Context) Tab(t testing.TB) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(c.ctx)
	return newTab(t, ctx, cancel)
}

// SharedWorkers returns the addresses of the context's SharedWorkers.
func (c *Context) SharedWorkers(t testing.TB) []string {
	t.Helper()
	var urls []string
	for _, info := range c.workers(t) {
		urls = append(urls, info.URL)
	}
	return urls
}

func (c *Context) workers(t testing.TB) []*target.Info {
	t.Helper()
	targets, err := chromedp.Targets(c.ctx)
	if err != nil {
		t.Fatalf("list the browser's targets: %v", err)
	}
	var workers []*target.Info
	for _, info := range targets {
		if info.Type == "shared_worker" && info.BrowserContextID == c.id {
			workers = append(workers, info)
		}
	}
	return workers
}

// Worker waits for the context's only SharedWorker and returns it as a tab in
// which only Eval, WaitFor, Console and AllowErrors make sense.
func (c *Context) Worker(t testing.TB) *Tab {
	t.Helper()
	var found []*target.Info
	Eventually(t, "one SharedWorker", func() bool {
		found = c.workers(t)
		return len(found) == 1
	})
	ctx, cancel := chromedp.NewContext(c.ctx, chromedp.WithTargetID(found[0].TargetID))
	return newTab(t, ctx, cancel)
}

func (c *Context) String() string { return fmt.Sprintf("browser context %s", c.id) }
