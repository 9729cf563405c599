package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

var wsTime = regexp.MustCompile(`"wsTime":\d+`)

// madeAt makes the HTML of a page say that the wiki made it then.
func madeAt(t *testing.T, html string, time int64) string {
	t.Helper()
	match := wsTime.FindString(html)
	if match == "" {
		t.Fatal("the page does not say when it was made")
	}
	return strings.Replace(html, match, `"wsTime":`+itoa(time), 1)
}

// questions counts how often a page has asked the wiki what has become of it.
func questions(tab *wikitest.Tab) (n int) {
	for _, url := range tab.Requests() {
		if strings.Contains(url, "api.php?action=query") && strings.Contains(url, "prop=revisions") {
			n++
		}
	}
	return n
}

// TestPageFromACacheTellsWhatHasHappened: a page that a cache gives out although it was changed since has the bar as soon as it is connected; one that was
// not changed has none. What the relay does not know any more the page asks the wiki for, once.
func TestPageFromACacheTellsWhatHasHappened(t *testing.T) {
	t.Parallel()
	const (
		week   = 7 * 24 * 3600 // the wiki's own types are kept so long
		margin = 60            // by which the bar asks for more, see resources/ext.websocket.live
	)
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", Settings: "$wgJobRunRate = 0;"})
			w.StartRelay(t)
			begun := time.Now().Unix() + 1 // for the time before nobody can vouch
			titles := []string{"Same", "Changed", "Old same", "Old changed", "Old deleted"}
			html := make(map[string]string)
			for _, title := range titles {
				w.Edit(t, title, "The first text.")
				_, html[title] = w.Get(t, "/index.php/"+strings.ReplaceAll(title, " ", "_"))
				made := begun + margin
				if strings.HasPrefix(title, "Old") {
					made = begun - 2*week
				}
				html[title] = madeAt(t, html[title], made)
			}
			wikitest.Eventually(t, "the next second", func() bool { return time.Now().Unix() > begun })
			w.Edit(t, "Changed", "The second text.")
			w.Edit(t, "Old changed", "The second text.")
			w.Edit(t, "Old changed", "The third text.")
			w.API(t, wikitest.Params{"action": "delete", "title": "Old deleted"})

			want := map[string]string{"Changed": wikitest.Admin, "Old changed": "2 changes to this page", "Old deleted": "deleted"}
			for _, title := range titles {
				c := browser(t)
				name := strings.ReplaceAll(title, " ", "_")
				c.Store(w.PageURL(name), html[title])
				tab := c.Tab(t)
				tab.OpenPage(w, name)
				waitConnected(tab)
				if text := want[title]; text != "" {
					tab.WaitFor(fmt.Sprintf(`%s.includes( %q )`, barText, text))
				} else {
					// The next change is the first that it tells.
					if strings.HasPrefix(title, "Old") {
						wikitest.Eventually(t, "the page asks the wiki", func() bool { return questions(tab) > 0 })
					}
					w.Edit(t, title, "The second text.")
					tab.WaitFor(fmt.Sprintf(`%s.includes( %q )`, barText, wikitest.Admin))
				}
				asked := 0
				if strings.HasPrefix(title, "Old") {
					asked = 1
				}
				if n := questions(tab); n != asked {
					t.Errorf("%s: the page has asked the wiki %d times, want %d", title, n, asked)
				}
				if got := wikitest.Eval[string](tab, barText); title != "Old changed" && strings.Contains(got, "changes to this page") {
					t.Errorf("%s: %s", title, got)
				}
			}
		})
	}
}

// TestBarAfterTheRelayForgot: a page that was away while the relay lost its memory has the bar as well.
func TestBarAfterTheRelayForgot(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx"})
	w.StartRelay(t)
	w.Edit(t, "Forgotten", "The first text.")
	c := browser(t)
	tab := connect(t, c, w, "Forgotten")
	settle(t, w, 1)
	// The relay began after what the page's HTML may have missed, so the page asks at first, too.
	wikitest.Eventually(t, "the wiki has answered", func() bool {
		return slices.ContainsFunc(w.AccessLog(), func(request string) bool { return strings.Contains(request, "prop=revisions") })
	})
	before := questions(tab)
	online := c.Offline(t)
	tab.WaitFor(`!webSocket.connected()`)
	w.Edit(t, "Forgotten", "The second text.")
	w.KillRelay(t, syscall.SIGKILL)
	if err := os.Remove(journal(w)); err != nil {
		t.Fatal(err)
	}
	w.StartRelay(t)
	online()
	tab.WaitFor(fmt.Sprintf(`%s.includes( %q )`, barText, wikitest.Admin))
	if n := questions(tab) - before; n != 1 {
		t.Errorf("the page has asked the wiki %d times", n)
	}
}
