package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"mediawiki-websocket/e2e/wikitest"
)

// watchPolicy makes a page note what its Content-Security-Policy has stopped.
const watchPolicy = `window.stopped = []; document.addEventListener( 'securitypolicyviolation', ( e ) => stopped.push( e.violatedDirective + ' ' + e.blockedURI ) )`

// appTab opens the page of an app, and checks at the end that nothing in it was stopped by its policy and nothing of what strangers wrote ran.
func appTab(t *testing.T, c *wikitest.Context, url string) *wikitest.Tab {
	t.Helper()
	tab := c.Tab(t)
	before(t, tab, watchPolicy+"\n"+trap)
	tab.Open(url)
	t.Cleanup(func() {
		checkTrap(t, tab)
		if stopped := wikitest.Eval[[]string](tab, `stopped`); len(stopped) > 0 {
			t.Errorf("the page's own policy stopped %q", stopped)
		}
	})
	return tab
}

// keys types text into a field, as a person does who sees it; "\r" is the Enter key.
func keys(t *testing.T, tab *wikitest.Tab, id, text string) {
	t.Helper()
	use(t, tab, id, chromedp.SendKeys(chromedp.ID(id), text))
}

func click(t *testing.T, tab *wikitest.Tab, id string) {
	t.Helper()
	use(t, tab, id, chromedp.Click(chromedp.ID(id)))
}

func use(t *testing.T, tab *wikitest.Tab, id string, action chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab.Ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		t.Fatalf("use %s: %v", id, err)
	}
}

// phone makes a tab a phone's, and dark what prefers to be.
func phone(t *testing.T, tab *wikitest.Tab) {
	t.Helper()
	if err := chromedp.Do(tab.Ctx, chromedp.EmulateViewport(390, 780, chromedp.EmulateMobile, chromedp.EmulateTouch)); err != nil {
		t.Fatal(err)
	}
	dark(t, tab)
}

func dark(t *testing.T, tab *wikitest.Tab) {
	t.Helper()
	p := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	if _, err := chromedp.Call(tab.Ctx, emulation.SetEmulatedMedia, p); err != nil {
		t.Fatal(err)
	}
}

const (
	isThere  = `document.getElementById( 'status' ).dataset.state === 'there'`
	isAway   = `document.getElementById( 'status' ).dataset.state !== 'there'`
	chatText = `[ ...document.querySelectorAll( '#lines .text' ) ].map( ( e ) => e.textContent )`
	chatFrom = `[ ...document.querySelectorAll( '#lines .from' ) ].map( ( e ) => e.firstChild.data )`
	chatHere = `[ ...document.querySelectorAll( '#here li' ) ].map( ( e ) => e.textContent )`
)

// rename gives a person in a chat a name.
func rename(t *testing.T, tab *wikitest.Tab, name string) {
	t.Helper()
	tab.Run(`document.getElementById( 'name' ).value = ''`)
	keys(t, tab, "name", name+"\r")
}

// TestChatBetweenTwoBrowsers: two people talk, one on a phone, under names that nobody can take; who comes later sees what was said; the relay is started
// anew and both go on without doing anything.
func TestChatBetweenTwoBrowsers(t *testing.T) {
	p := wikitest.NewProgram(t, "--app", "chat=/websocket/chat,/websocket/other")
	ann := appTab(t, browser(t), p.URL+"/websocket/chat")
	ann.WaitFor(isThere)
	if name := wikitest.Eval[string](ann, `document.getElementById( 'name' ).value`); !strings.HasPrefix(name, "guest-") || strings.Contains(name, "127") {
		t.Errorf("who has chosen no name is %q", name)
	}
	rename(t, ann, "Ann")
	ann.WaitFor(chatHere + `.join() === 'Ann'`)
	keys(t, ann, "text", "Good morning! Has anybody seen the new edition?\r")
	ann.WaitFor(chatText + `.length === 1 && document.getElementById( 'text' ).value === ''`)

	bob := appTab(t, browser(t), p.URL+"/websocket/chat/") // with a slash at its end
	phone(t, bob)
	bob.WaitFor(isThere + ` && ` + chatText + `.length === 1`)
	click(t, bob, "show-people")
	rename(t, bob, "АNN") // the first letter is Cyrillic
	bob.WaitFor(`!document.getElementById( 'trouble' ).hidden`)
	rename(t, bob, "ann")
	bob.WaitFor(`document.getElementById( 'trouble' ).textContent.includes( 'The name ann is somebody else' )`)
	rename(t, bob, "Bob Miller")
	ann.WaitFor(chatHere + `.join() === 'Ann,Bob Miller'`)
	click(t, bob, "show-people")
	keys(t, bob, "text", "Yes, it came with the post today.\r")
	keys(t, bob, "text", "مرحبا بكم في المحادثة\r")
	ann.WaitFor(chatText + `.length === 3`)
	keys(t, ann, "text", "Then let us read it together. 😀\r")
	bob.WaitFor(chatText + `.length === 4`)
	ann.Screenshot("chat")
	bob.Screenshot("chat-phone")
	keys(t, bob, "text", evil+"\r")
	for _, tab := range []*wikitest.Tab{ann, bob} {
		tab.WaitFor(chatText + `.length === 5`)
		if got := wikitest.Eval[[]string](tab, chatText)[4]; got != evil {
			t.Errorf("markup has come as %q", got)
		}
		if got := strings.Join(wikitest.Eval[[]string](tab, chatFrom), ","); got != "Ann,Bob Miller,Bob Miller,Ann,Bob Miller" {
			t.Errorf("who has said it: %s", got)
		}
	}
	if wide := wikitest.Eval[bool](bob, `document.documentElement.scrollWidth > innerWidth`); wide {
		t.Error("the page is wider than the phone")
	}
	other := appTab(t, browser(t), p.URL+"/websocket/other")
	other.WaitFor(isThere)
	if lines := wikitest.Eval[[]string](other, chatText); len(lines) > 0 {
		t.Errorf("said in another chat: %q", lines)
	}
	p.Stop(t)
	ann.WaitFor(isAway)
	keys(t, ann, "text", "Are you back?\r") // stays where it is
	p.Start(t)
	ann.WaitFor(isThere)
	bob.WaitFor(isThere)
	bob.WaitFor(chatHere + `.join() === 'Ann,Bob Miller'`)
	keys(t, ann, "text", "\r")
	bob.WaitFor(chatText + `.pop() === 'Are you back?'`)
}

// TestChatByKeyboardAlone: everything can be reached with the Tab key, in an order that makes sense, and the messages are announced.
func TestChatByKeyboardAlone(t *testing.T) {
	p := wikitest.NewProgram(t, "--app", "chat=/chat")
	tab := appTab(t, browser(t), p.URL+"/chat")
	tab.WaitFor(isThere)
	var order []string
	for range 6 {
		if err := chromedp.Do(tab.Ctx, chromedp.KeyEvent("\t")); err != nil {
			t.Fatal(err)
		}
		order = append(order, wikitest.Eval[string](tab, `document.activeElement.id || document.activeElement.textContent`))
	}
	if got := strings.Join(order, " "); got != "lines text send name Change lines" && !strings.HasPrefix(got, "lines text send name Change") {
		t.Errorf("Tab goes to %s", got)
	}
	unlabelled := `[ ...document.querySelectorAll( 'input, textarea, select' ) ].filter( ( e ) => !e.labels.length ).map( ( e ) => e.id )`
	if ids := wikitest.Eval[[]string](tab, unlabelled); len(ids) > 0 {
		t.Errorf("fields without a label: %q", ids)
	}
	if role := wikitest.Eval[string](tab, `document.getElementById( 'lines' ).getAttribute( 'role' )`); role != "log" {
		t.Errorf("the messages are a %q", role)
	}
}

const logText = `[ ...document.querySelectorAll( '#lines > div:not( .word )' ) ].filter( ( e ) => !e.hidden ).map( ( e ) => e.textContent )`

// appendTo adds to a file as a program does that keeps a log.
func appendTo(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestLogViewFollowsFiles: behind its token, the page shows what is added to a file, also after the file was rotated; it filters, pauses, clears and
// changes to another file; 50,000 lines at once neither stop it nor fill it.
func TestLogViewFollowsFiles(t *testing.T) {
	dir := t.TempDir()
	access, errors, tokens := filepath.Join(dir, "access.log"), filepath.Join(dir, "error.log"), filepath.Join(dir, "tokens")
	const token = "0123456789abcdef-of-the-test"
	appendTo(t, access, "from before\n")
	appendTo(t, tokens, token+"\n")
	p := wikitest.NewProgram(t, "--app", "logview=/admin/websocket/log-view", "--log-file", "access="+access, "--log-file", "error="+errors,
		"--log-refresh", "0", "--log-tokens", tokens)
	tab := appTab(t, browser(t), p.URL+"/admin/websocket/log-view?log=access")
	tab.WaitFor(`!document.getElementById( 'token' ).hidden`)
	keys(t, tab, "secret", "not the right one\r")
	tab.WaitFor(`document.getElementById( 'why' ).textContent === 'Not let in: wrong token.'`)
	tab.Screenshot("log-view-token")
	keys(t, tab, "secret", token+"\r")
	tab.WaitFor(isThere)
	if strings.Contains(wikitest.Eval[string](tab, `location.href`), token) {
		t.Error("the token is in the address")
	}

	request := `192.0.2.%d - - [21/Nov/2026:10:00:%02d +0000] "GET /wiki/Page_%d HTTP/1.1" %d 5120 "-" "Mozilla/5.0"` + "\n"
	for i := range 12 {
		appendTo(t, access, fmt.Sprintf(request, i+1, i, i, []int{200, 200, 304, 404, 200, 500}[i%6]))
	}
	tab.WaitFor(logText + `.length === 12`)
	tab.Screenshot("log-view")
	appendTo(t, access, evil+" \xff \x1b[31mred\x1b[0m \x07\n")
	tab.WaitFor(logText + `.length === 13`)
	if got := wikitest.Eval[[]string](tab, logText)[12]; got != evil+" \ufffd red \u2407" {
		t.Errorf("a hostile line: %q", got)
	}
	if err := os.Rename(access, access+".1"); err != nil {
		t.Fatal(err)
	}
	appendTo(t, access+".1", "late in the old file\n")
	appendTo(t, access, "first in the new file\n")
	tab.WaitFor(logText + `.slice( 13 ).join() === 'late in the old file,first in the new file'`)
	classes := `[ ...document.querySelectorAll( '#lines > div' ) ].slice( 0, 6 ).map( ( e ) => e.className ).join()`
	if got := wikitest.Eval[string](tab, classes); got != ",,,warning,,error" {
		t.Errorf("levels: %s", got)
	}
	dark(t, tab)
	tab.Screenshot("log-view-dark")

	keys(t, tab, "filter", "page_3 ")
	tab.WaitFor(logText + `.length === 1`)
	tab.Run(`document.getElementById( 'filter' ).value = ''; document.getElementById( 'filter' ).dispatchEvent( new Event( 'input' ) )`)
	click(t, tab, "pause")
	appendTo(t, access, "while it is paused\n")
	tab.WaitFor(`document.getElementById( 'pause' ).textContent === 'Resume (1)'`)
	if n := wikitest.Eval[int](tab, logText+`.length`); n != 15 {
		t.Errorf("%d lines while it is paused", n)
	}
	click(t, tab, "pause")
	tab.WaitFor(logText + `.length === 16`)
	click(t, tab, "clear")
	tab.WaitFor(logText + `.length === 0`)

	const many = 50000
	var b strings.Builder
	for i := range many {
		fmt.Fprintf(&b, request, i%250, i%60, i, 200)
	}
	appendTo(t, access, b.String()+"the last one\n")
	tab.WaitFor(logText + `.pop() === 'the last one'`)
	if n := wikitest.Eval[int](tab, `document.querySelectorAll( '#lines > div' ).length`); n > 5000 {
		t.Errorf("the page holds %d lines", n)
	}
	if counts := wikitest.Eval[string](tab, `document.getElementById( 'counts' ).textContent`); !strings.HasPrefix(counts, fmt.Sprint(many+1, " lines")) {
		t.Errorf("counted: %s", counts)
	}

	tab.Run(`document.getElementById( 'log' ).value = 'error'; document.getElementById( 'log' ).dispatchEvent( new Event( 'change' ) )`)
	tab.WaitFor(isThere + ` && document.title.startsWith( 'error' )`)
	appendTo(t, errors, "[error] it is there now\n")
	tab.WaitFor(logText + `.join() === '[error] it is there now'`)
	if !strings.Contains(wikitest.Eval[string](tab, `location.search`), "log=error") {
		t.Error("the address does not say which log is shown")
	}
}
