package e2e

import (
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

const (
	bar     = `document.querySelector( '.ext-websocket-live-shown' )`
	barText = `( ` + bar + ` || { textContent: '' } ).textContent`
)

// TestEditAppearsOnOpenPage: an edit in one browser appears on the page that is open in another, for every version and web server.
func TestEditAppearsOnOpenPage(t *testing.T) {
	for _, version := range []string{"1.39", "1.43"} {
		for _, server := range []string{"php", "nginx", "apache"} {
			t.Run(version+" "+server, func(t *testing.T) {
				w := wikitest.Start(t, wikitest.Options{Version: version, Server: server})
				first := w.Edit(t, "Live page", "The first text.")
				reader := browser(t).Tab(t)
				reader.OpenPage(w, "Live_page")
				reader.WaitFor(`window.webSocket && webSocket.connected()`)
				settle(t, w, 1)

				writer := browser(t).Tab(t)
				writer.SignIn(w, wikitest.User{Name: wikitest.Admin, Password: wikitest.AdminPassword}, "Live_page")
				writer.Run(`mw.loader.using( 'mediawiki.api' ).then( () => new mw.Api().edit( mw.config.get( 'wgPageName' ), () => 'The second text.' ) )`)

				reader.WaitFor(bar)
				if got := wikitest.Eval[string](reader, barText); !strings.Contains(got, wikitest.Admin) {
					t.Errorf("the bar does not say who: %q", got)
				}
				if got := wikitest.Eval[bool](writer, `!!`+bar); got {
					t.Error("the writer is told about the own edit")
				}
				diff := wikitest.Eval[string](reader, bar+`.querySelector( 'a[href*="diff="]' ).href`)
				if !strings.Contains(diff, "oldid=") {
					t.Errorf("the link to the changes is %s", diff)
				}
				reader.Open(diff)
				reader.WaitFor(`document.querySelector( '.diff-addedline' ).textContent.includes( 'second' )`)
				if got := wikitest.Eval[int64](reader, `+new URL( location ).searchParams.get( 'oldid' )`); got != first {
					t.Errorf("the changes are shown since revision %d, want %d", got, first)
				}
			})
		}
	}
}

// TestBar goes through what a reader does with the bar. Its screenshot is the one in the README.
func TestBar(t *testing.T) {
	w := plain(t)
	w.Edit(t, "Night sky", "The '''night sky''' is what one sees above after sunset: stars, planets and, now and then, the Moon.")
	tab := connect(t, browser(t), w, "Night_sky")
	settle(t, w, 1)

	w.API(t, wikitest.Params{"action": "edit", "title": "Night sky", "text": "The '''night sky''' is what one sees above after sunset: stars, planets and, now and then, the Moon."}) // a null edit
	w.API(t, wikitest.Params{"action": "purge", "titles": "Night sky"})
	w.Edit(t, "Night sky", "The night sky is dark.")
	tab.WaitFor(bar)
	tab.Run(`Promise.all( document.getAnimations().map( ( animation ) => animation.finished ) )`)
	tab.Screenshot("page-changed")
	if got := wikitest.Eval[string](tab, barText); strings.Contains(got, "changes to this page") {
		t.Errorf("the null edit counted: %q", got)
	}
	if got := wikitest.Eval[bool](tab, `!!( `+bar+`.closest( '[role="status"], [aria-live="polite"]' ) || `+bar+`.querySelector( '[role="status"], [aria-live="polite"]' ) )`); !got {
		t.Error("screen readers are not told")
	}

	tab.Run(bar + `.querySelector( 'button[class*="dismiss"]' ).click()`)
	tab.WaitFor(`!` + bar)
	w.Edit(t, "Night sky", "The night sky is dark and full of stars.")
	tab.WaitFor(bar)
	w.Edit(t, "Night sky", "The night sky is dark, and full of stars and planets.")
	tab.WaitFor(barText + `.includes( '3 changes to this page' )`)

	old := wikitest.Eval[int64](tab, `mw.config.get( 'wgRevisionId' )`)
	tab.Run(bar + `.querySelector( 'a:not( [href*="diff="] )' ).click()`)
	tab.WaitFor(`window.mw && mw.config && mw.config.get( 'wgRevisionId' ) > ` + itoa(old))
}

// TestBarOnDeletionMoveAndInterfaceLanguage: other things than edits, and a reader whose interface is German, on a page that came from the cache.
func TestBarOnDeletionMoveAndInterfaceLanguage(t *testing.T) {
	w := wikitest.Shared(t, wikitest.Options{Server: "nginx", Settings: "$wgUseFileCache = true; $wgFileCacheDirectory = \"$IP/cache/html\"; $wgShowIPinHeader = false;"})
	w.Edit(t, "Old name", "Text.")
	w.Edit(t, "Doomed", "Text.")
	w.Get(t, "/index.php/Old_name") // fills the cache
	if _, body := w.Get(t, "/index.php/Old_name"); !strings.Contains(body, "<!-- Cached") {
		t.Fatal("the page does not come from the cache")
	}
	moved := connect(t, browser(t), w, "Old_name")
	deleted := connect(t, browser(t), w, "Doomed?uselang=de")
	settle(t, w, 2)
	w.API(t, wikitest.Params{"action": "move", "from": "Old name", "to": "New name", "noredirect": "1"})
	moved.WaitFor(barText + `.includes( 'New name' )`)
	w.API(t, wikitest.Params{"action": "delete", "title": "Doomed"})
	deleted.WaitFor(barText + `.includes( 'gelöscht' )`)
	if lang := wikitest.Eval[string](deleted, `mw.config.get( 'wgUserLanguage' )`); lang != "de" {
		t.Errorf("interface language %s", lang)
	}
}

// TestNoBarWhereItHasNoPlace: history, edit form, special pages and old revisions ask for nothing.
func TestNoBarWhereItHasNoPlace(t *testing.T) {
	w := plain(t)
	old := w.Edit(t, "Quiet page", "One.")
	w.Edit(t, "Quiet page", "Two.")
	for _, title := range []string{"Special:Version", "Quiet_page?action=history", "Quiet_page?oldid=" + itoa(old), "No_such_page"} {
		tab := browser(t).Tab(t)
		tab.OpenPage(w, title)
		tab.WaitFor(`window.webSocket`)
		if wikitest.Eval[bool](tab, `webSocket.active()`) {
			t.Errorf("%s connects", title)
		}
	}
}
