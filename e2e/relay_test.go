package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// TestRelayKilled: the pages notice, stay usable, and are back as soon as the next page view has started the relay again.
func TestRelayKilled(t *testing.T) {
	t.Parallel()
	w := wikitest.Start(t, wikitest.Options{Server: "nginx"})
	c := browser(t)
	tabs := []*wikitest.Tab{connect(t, c, w, "Main_Page"), connect(t, c, w, "Main_Page"), connect(t, browser(t), w, "Main_Page")}
	for _, tab := range tabs {
		collect(tab, "first", `'AfterRestart'`)
		tab.Run(`window.lost = 0; webSocket.disconnected( () => lost++ )`)
	}
	old := w.RelayPID()
	w.KillRelay(t, syscall.SIGKILL)
	for _, tab := range tabs {
		tab.WaitFor(`lost === 1`)
		if wikitest.Eval[bool](tab, `webSocket.connected()`) {
			t.Error("connected without a relay")
		}
		if !wikitest.Eval[bool](tab, `document.querySelector( '#searchInput, [name="search"]' ) && !!mw.config.get( 'wgPageName' )`) {
			t.Error("the page is not usable")
		}
	}
	if status, _ := w.Get(t, "/index.php/Main_Page"); status != 200 {
		t.Fatalf("page view: %d", status)
	}
	if now := w.WaitRelay(t).PID; now == old {
		t.Errorf("still process %d", now)
	}
	for _, tab := range tabs {
		tab.WaitFor(`webSocket.connected()`)
	}
	waitSubscribers(t, tabs, "AfterRestart")
	if s := w.Stats(t); s.Connections != 2 || s.Clients != 3 {
		t.Errorf("%d connections, %d clients", s.Connections, s.Clients)
	}
}

// TestManyViewsStartOneRelay: twenty parallel page views with no relay running.
func TestManyViewsStartOneRelay(t *testing.T) {
	for _, server := range []string{"php", "nginx", "apache"} {
		t.Run(server, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Server: server})
			if w.RelayPID() != 0 {
				w.KillRelay(t, syscall.SIGKILL)
			}
			var views sync.WaitGroup
			for range 20 {
				views.Go(func() {
					if status, _ := w.Get(t, "/index.php/Main_Page"); status != 200 {
						t.Errorf("page view: %d", status)
					}
				})
			}
			views.Wait()
			w.WaitRelay(t)
			if pids := relays(t, w); len(pids) != 1 {
				t.Errorf("relays: %v", pids)
			}
		})
	}
}

// relays lists the processes whose command line names the wiki's folder and a relay.
func relays(t *testing.T, w *wikitest.Wiki) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, _ := os.ReadFile(file) // processes come and go
		if strings.Contains(string(line), "websocket-relay") && strings.Contains(string(line), w.Dir) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// TestWithoutRelay: no binary, or PHP that may start no program: the wiki works and the log says what to do.
func TestWithoutRelay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options wikitest.Options
		log     string
	}{
		"no binary":    {wikitest.Options{Server: "nginx", NoRelayBinary: true}, "websocket-relay; run \"make build\""},
		"no proc_open": {wikitest.Options{Server: "php", PHPIni: []string{"disable_functions=proc_open"}}, "proc_open"},
	} {
		t.Run(name, func(t *testing.T) {
			w := wikitest.Start(t, c.options)
			w.Edit(t, "A page", "Text.")
			tab := browser(t).Tab(t)
			tab.OpenPage(w, "A_page")
			tab.WaitFor(`window.webSocket && webSocket.connect()`)
			wikitest.Eventually(t, "the log says what to do", func() bool { return strings.Contains(w.Log(), c.log) })
			if w.RelayPID() != 0 {
				t.Error("a relay runs")
			}
			if wikitest.Eval[bool](tab, `webSocket.connected()`) {
				t.Error("connected without a relay")
			}
		})
	}
}

// TestTwoWikisOneRelay: what belongs to one wiki never reaches the other; plain types reach both.
func TestTwoWikisOneRelay(t *testing.T) {
	t.Parallel()
	a := wikitest.Start(t, wikitest.Options{Server: "nginx", Name: "wikia", ScriptPath: "/a"})
	b := a.AddWiki(t, "b", "wikib", "")
	tabA, tabB := connect(t, browser(t), a, "Main_Page"), connect(t, browser(t), b, "Main_Page")
	writer := connect(t, browser(t), a, "Main_Page")
	for _, tab := range []*wikitest.Tab{tabA, tabB} {
		collect(tab, "own", `mw.config.get( 'wsWikiID' ) + 'Own'`)
		collect(tab, "plain", `'Plain'`)
		tab.AllowErrors("the type belongs to another wiki")
		for _, id := range []string{"wikia:", "wikib:"} {
			tab.Run(fmt.Sprintf(`window.foreign = window.foreign || []; if ( mw.config.get( 'wsWikiID' ) !== %q ) {
				[ 'Own', '@changes', '@page/1' ].forEach( ( t ) => webSocket.subscribe( %q + t, ( d ) => foreign.push( d ) ) ); }`, id, id))
		}
	}
	wikitest.Eventually(t, "both wikis are connected", func() bool {
		s := a.Stats(t)
		return s.Wikis["wikia:"].Connections == 2 && s.Wikis["wikib:"].Connections == 1
	})
	wikitest.Eventually(t, "both hear plain types", func() bool {
		writer.Run(`webSocket.send( 'Plain', 'hello' )`)
		return wikitest.Eval[bool](tabA, `plain.length > 0`) && wikitest.Eval[bool](tabB, `plain.length > 0`)
	})
	writer.Run(`webSocket.send( 'wikia:Own', 'for a' )`)
	a.Edit(t, "Main Page", "A new main page.")
	writer.Run(`webSocket.send( 'Plain', 'last' )`)
	tabA.WaitFor(`own.some( ( d ) => d.msg === 'for a' )`)
	tabB.WaitFor(`plain.some( ( d ) => d.msg === 'last' )`)
	for name, tab := range map[string]*wikitest.Tab{"a": tabA, "b": tabB} {
		if got := wikitest.Eval[string](tab, `JSON.stringify( foreign )`); got != "[]" {
			t.Errorf("wiki %s got from the other: %s", name, got)
		}
	}
	if got := wikitest.Eval[string](tabB, `JSON.stringify( own )`); got != "[]" {
		t.Errorf("wiki b got %s", got)
	}
}
