package wikitest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A Tab is one page in a browser. Ctx is for chromedp, where the methods do
// not suffice.
type Tab struct {
	Ctx context.Context

	t     testing.TB
	close func()

	mu       sync.Mutex
	console  []string
	errors   []string
	requests []string
	broken   []string // why requests failed
	allowed  []string
}

func newTab(t testing.TB, ctx context.Context, cancel context.CancelFunc) *Tab {
	t.Helper()
	tab := &Tab{Ctx: ctx, t: t, close: sync.OnceFunc(cancel)}
	t.Cleanup(func() {
		tab.checkErrors()
		tab.close()
	})
	if err := chromedp.Listen(ctx, tab.event); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return tab
}

// event notes what the page does. It must return at once.
func (tab *Tab) event(ev any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		tab.errors = append(tab.errors, (&chromedp.ExceptionError{ExceptionDetails: ev.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		line := fmt.Sprintf("%s: %s", ev.Type, consoleText(ev.Args))
		tab.console = append(tab.console, line)
		// ResourceLoader catches what a module throws and says so by console.log.
		if ev.Type == runtime.ConsoleAPICalledTypeError || strings.HasPrefix(line, "log: Exception in ") || strings.HasPrefix(line, "log: Error in ") {
			tab.errors = append(tab.errors, line)
		}
	case *network.EventRequestWillBeSent:
		tab.requests = append(tab.requests, ev.Request.URL)
	case *network.EventLoadingFailed:
		tab.broken = append(tab.broken, fmt.Sprintf("%s: %s", ev.Type, ev.ErrorText))
	case *network.EventWebSocketCreated:
		tab.requests = append(tab.requests, ev.URL)
	}
}

func consoleText(args []*runtime.RemoteObject) string {
	var words []string
	for _, arg := range args {
		switch {
		case arg.Description != "":
			words = append(words, arg.Description)
		case len(arg.Value) > 0:
			words = append(words, strings.Trim(string(arg.Value), `"`))
		default:
			words = append(words, string(arg.Type))
		}
	}
	return strings.Join(words, " ")
}

func (tab *Tab) checkErrors() {
	tab.t.Helper()
	errs := tab.Errors()
	for _, e := range errs {
		tab.t.Errorf("in the browser: %s", e)
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if len(errs) > 0 && len(tab.broken) > 0 {
		tab.t.Logf("requests of the browser that failed: %q", tab.broken)
	}
}

// Errors returns the uncaught exceptions and console errors of the tab that
// have not been declared. They fail the test when it ends.
func (tab *Tab) Errors() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	var errs []string
	for _, e := range tab.errors {
		if !slices.ContainsFunc(tab.allowed, func(a string) bool { return strings.Contains(e, a) }) {
			errs = append(errs, e)
		}
	}
	return errs
}

// AllowErrors declares that uncaught exceptions and console errors that
// contain the text do not fail the test.
func (tab *Tab) AllowErrors(text string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.allowed = append(tab.allowed, text)
}

// Console returns what was written to the console, as "log: text".
func (tab *Tab) Console() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.console)
}

// Requests returns the addresses that the page has requested so far,
// WebSockets included, its SharedWorker's requests not.
func (tab *Tab) Requests() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.requests)
}

// Open goes to an address and waits until the page has loaded.
func (tab *Tab) Open(url string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.Ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		tab.t.Fatalf("open %s: %v", url, err)
	}
}

// OpenPage opens a page of a wiki and waits until MediaWiki's JavaScript is
// there.
func (tab *Tab) OpenPage(w *Wiki, title string) {
	tab.t.Helper()
	tab.Open(w.PageURL(title))
	tab.WaitFor("window.mw && mw.loader && mw.loader.using")
}

// Run runs JavaScript in the page and waits for a promise that it returns.
func (tab *Tab) Run(js string) {
	tab.t.Helper()
	if _, err := eval[chromedp.Void](tab, js); err != nil {
		tab.t.Fatalf("run %s: %v", js, err)
	}
}

// Eval returns the value of a JavaScript expression in the page, or what the
// promise resolves to that it is. It must be JSON that fits into T.
func Eval[T any](tab *Tab, js string) T {
	tab.t.Helper()
	value, err := eval[T](tab, js)
	if err != nil {
		tab.t.Fatalf("evaluate %s: %v", js, err)
	}
	return value
}

func eval[T any](tab *Tab, js string) (T, error) {
	return evalWithin[T](tab, js, patience)
}

func evalWithin[T any](tab *Tab, js string, limit time.Duration) (T, error) {
	ctx, cancel := context.WithTimeout(tab.Ctx, limit)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
}

// glance is how long WaitFor waits for the answer to one question: the answer
// that a page takes with it when it is left must not use up all of patience.
const glance = 5 * time.Second

// WaitFor waits until a JavaScript expression is true in the page, which may
// be a new one by then.
func (tab *Tab) WaitFor(js string) {
	tab.t.Helper()
	var last error
	ok := holdsWithin(patience, func() bool {
		var ok bool
		ok, last = evalWithin[bool](tab, "!!("+js+")", glance)
		return last == nil && ok
	})
	if !ok {
		where, err := evalWithin[string](tab, "location.href + ', ' + document.readyState", glance)
		tab.mu.Lock()
		defer tab.mu.Unlock()
		tab.t.Fatalf("waited in vain: %s; the page: %s %v; the last error: %v; requests that failed: %q", js, where, err, last, tab.broken)
	}
}

// Login logs a user in, for this tab and the others of its context. The tab
// must show a page of the wiki, whose scripts do not run as that user before
// the next page is opened.
func (tab *Tab) Login(user, password string) {
	tab.t.Helper()
	tab.Run(fmt.Sprintf(`mw.loader.using( 'mediawiki.api' ).then( () => new mw.Api().login( %q, %q ) )`, user, password))
}

// Screenshot saves what the tab shows as e2e/screenshots/NAME.png.
func (tab *Tab) Screenshot(name string) {
	tab.t.Helper()
	image, err := chromedp.Run(tab.Ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tab.t.Fatalf("screenshot: %v", err)
	}
	root, err := ProjectRoot()
	if err != nil {
		tab.t.Fatal(err)
	}
	dir := filepath.Join(root, "e2e", "screenshots")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tab.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), image, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}

// Close closes the tab before the test ends.
func (tab *Tab) Close() { tab.close() }
