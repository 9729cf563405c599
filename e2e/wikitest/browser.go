package wikitest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
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
	own   atomic.Int32
}

// StartBrowser returns the browser and starts it if this is the first call.
// Main ends it.
func StartBrowser(t testing.TB) *Browser {
	t.Helper()
	browser.once.Do(func() {
		browser.b, browser.close, browser.err = startBrowser("chromium")
	})
	if browser.err != nil {
		t.Fatalf("start Chromium: %v", browser.err)
	}
	return browser.b
}

// OwnBrowser starts a browser for one test, which may kill it.
func OwnBrowser(t testing.TB) *Browser {
	t.Helper()
	b, closers, err := startBrowser(fmt.Sprintf("chromium-%d", browser.own.Add(1)))
	t.Cleanup(func() {
		for _, end := range slices.Backward(closers) {
			end()
		}
	})
	if err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return b
}

// startBrowser starts a browser that keeps its files in a folder of that name.
// What is to be called at its end, the last first, is returned with an error,
// too.
func startBrowser(name string) (_ *Browser, closers []context.CancelFunc, err error) {
	// Chromium keeps files below HOME, which a user of tests need not have, and leaves some in TMPDIR.
	scratch.Lock()
	home, err := scratchDir(name)
	scratch.Unlock()
	if err != nil {
		return nil, nil, err
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
	closers = append(closers, cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	closers = append(closers, cancel)
	return &Browser{ctx: ctx}, closers, chromedp.Do(ctx)
}

func stopBrowser() {
	if browser.b != nil {
		chromedp.Cancel(browser.b.ctx)
	}
	for _, end := range slices.Backward(browser.close) {
		end()
	}
}

// Kill ends the browser's main process at once, as a crash does, and waits for
// its end; the others of the browser end with it.
func (b *Browser) Kill(t testing.TB) {
	t.Helper()
	b.mustBeOwn(t)
	pid := chromedp.FromContext(b.ctx).Browser.Process().Pid
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill the browser: %v", err)
	}
	Eventually(t, "the browser ends", func() bool { return !runs(pid) })
}

// mustBeOwn keeps a test from disturbing those that run beside it.
func (b *Browser) mustBeOwn(t testing.TB) {
	t.Helper()
	if b == browser.b {
		t.Fatal("other tests use this browser: take OwnBrowser")
	}
}

// Freeze stops all of the browser, as a laptop that is shut does, until it is
// thawed, and at the latest when the test ends.
func (b *Browser) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	b.mustBeOwn(t)
	pids := []int{chromedp.FromContext(b.ctx).Browser.Process().Pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children(pids[i])...)
	}
	signal := func(s syscall.Signal) {
		for _, pid := range pids {
			if err := syscall.Kill(pid, s); err != nil && err != syscall.ESRCH {
				t.Errorf("signal the browser: %v", err)
			}
		}
	}
	thaw = sync.OnceFunc(func() { signal(syscall.SIGCONT) })
	t.Cleanup(thaw)
	signal(syscall.SIGSTOP)
	return thaw
}

// A Context is like a browser of its own: no cookies, storage or workers in
// common with another one.
type Context struct {
	ctx context.Context
	id  cdp.BrowserContextID
	tap *wiretap // nil in benchmarks, which would measure it, unless they want one

	forgiven bool
}

// NewContext makes a context, which is gone when the test ends. The test
// fails if the key of a wiki, or a token that is not for it, has reached it.
func (b *Browser) NewContext(t testing.TB) *Context {
	t.Helper()
	_, bench := t.(*testing.B)
	return b.newContext(t, !bench)
}

// NewTappedContext is NewContext for benchmarks that need what a test can do to
// the network, and measure the proxy too.
func (b *Browser) NewTappedContext(t testing.TB) *Context {
	t.Helper()
	return b.newContext(t, true)
}

func (b *Browser) newContext(t testing.TB, tapped bool) *Context {
	t.Helper()
	c := new(Context)
	var options []chromedp.CreateBrowserContextOption
	if tapped {
		c.tap = newWiretap(t)
		options = append(options, func(p *target.CreateBrowserContextParams) {
			p.ProxyServer, p.ProxyBypassList = c.tap.address, "<-loopback>"
		})
		t.Cleanup(func() { c.checkSecrets(t) })
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(options...))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("new browser context: %v", err)
	}
	c.ctx, c.id = ctx, chromedp.FromContext(ctx).BrowserContextID
	return c
}

func (c *Context) checkSecrets(t testing.TB) {
	t.Helper()
	if c.forgiven {
		return
	}
	for _, leak := range c.Leaks() {
		t.Errorf("leaked to a browser: %s", leak)
	}
}

// Leaks returns where a key of a wiki that runs, or a token that should not,
// has reached the browser.
func (c *Context) Leaks() []string { return c.tap.leaks() }

// FromSockets returns all bytes that relays have sent to the browser.
func (c *Context) FromSockets() string {
	var all []byte
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	for _, s := range c.tap.sockets {
		all = append(all, s.bytes()...)
	}
	return string(all)
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

// EndWorker ends the context's only SharedWorker, as a browser does that needs
// its memory.
func (c *Context) EndWorker(t testing.TB) {
	t.Helper()
	found := c.workers(t)
	if len(found) != 1 {
		t.Fatalf("%d SharedWorkers", len(found))
	}
	if _, err := chromedp.CallBrowser(c.ctx, target.CloseTarget, target.CloseTargetParams{TargetID: found[0].TargetID}); err != nil {
		t.Fatalf("end the worker: %v", err)
	}
	Eventually(t, "the worker ends", func() bool {
		return !slices.ContainsFunc(c.workers(t), func(info *target.Info) bool { return info.TargetID == found[0].TargetID })
	})
}

func (c *Context) String() string { return fmt.Sprintf("browser context %s", c.id) }
