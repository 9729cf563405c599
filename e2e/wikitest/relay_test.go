package wikitest_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

func TestRelayOfAWiki(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx"})
	if pid := w.RelayPID(); pid != 0 {
		t.Fatalf("relay %d runs before the first page view", pid)
	}
	w.Get(t, "/index.php/Main_Page")
	stats := w.WaitRelay(t)
	if stats.PID == 0 || stats.PID != w.RelayPID() || stats.Version == "" {
		t.Errorf("stats %+v", stats)
	}
	wikitest.Eventually(t, "the wiki is registered", func() bool { return len(w.Stats(t).Wikis) == 1 })
	if status, body, err := w.Control(http.MethodGet, "/healthz", ""); err != nil || status != http.StatusOK {
		t.Errorf("healthz: %d %s %v", status, body, err)
	}
	w.Edit(t, "Main Page", "changed")
	wikitest.Eventually(t, "the edit is published", func() bool { return w.Stats(t).Published > stats.Published })

	second := w.AddWiki(t, "second", "otherdb", "")
	second.Get(t, "/index.php/Main_Page")
	wikitest.Eventually(t, "both wikis are registered", func() bool { return len(w.Stats(t).Wikis) == 2 })
	second.Edit(t, "Main Page", "changed in the second")

	w.KillRelay(t, syscall.SIGTERM)
	if pid := w.RelayPID(); pid != 0 {
		t.Errorf("relay %d answers after its end", pid)
	}
	wikitest.Eventually(t, "a page view starts another relay", func() bool {
		w.Get(t, "/index.php/Main_Page")
		return w.RelayPID() != 0
	})
}

func TestWikiWithoutRelay(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Version: "1.39", Load: "include", NoRelayBinary: true})
	if status, _ := w.Get(t, "/index.php/Main_Page"); status != http.StatusOK {
		t.Errorf("Main_Page: %d", status)
	}
	wikitest.Eventually(t, "the log says what is missing", func() bool { return strings.Contains(w.Log(), "bin/websocket-relay") })
}

func TestSharedWorker(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{})
	context := wikitest.StartBrowser(t).NewContext(t)
	tab, other := context.Tab(t), context.Tab(t)
	for _, tab := range []*wikitest.Tab{tab, other} {
		tab.OpenPage(w, "Main_Page")
		tab.WaitFor("window.webSocket && webSocket.connect() && webSocket.connected()")
	}
	if workers := context.SharedWorkers(t); len(workers) != 1 || !strings.Contains(workers[0], "/worker-") {
		t.Errorf("two tabs have the SharedWorkers %v", workers)
	}
	worker := context.Worker(t)
	if name := wikitest.Eval[string](worker, "self.constructor.name"); name != "SharedWorkerGlobalScope" {
		t.Errorf("the worker is a %s", name)
	}
	wikitest.Eventually(t, "two tabs are two clients of one connection", func() bool {
		stats := w.Stats(t)
		return stats.Connections == 1 && stats.Clients == 2
	})
}

func TestErrorsFailTheTest(t *testing.T) {
	w := wikitest.Shared(t, wikitest.Options{Version: "1.39", Load: "none"})
	tab := wikitest.StartBrowser(t).NewContext(t).Tab(t)
	tab.OpenPage(w, "Main_Page")
	tab.Run("setTimeout( () => { throw new Error( 'thrown on purpose' ); } ); console.error( 'logged', 'on purpose' ); console.log( 'told' )")
	wikitest.Eventually(t, "both errors are noticed", func() bool { return len(tab.Errors()) == 2 })
	if got := strings.Join(tab.Errors(), "\n"); !strings.Contains(got, "thrown on purpose") || !strings.Contains(got, "error: logged on purpose") {
		t.Errorf("errors: %s", got)
	}
	if got := strings.Join(tab.Console(), "\n"); !strings.Contains(got, "log: told") {
		t.Errorf("console: %s", got)
	}
	tab.AllowErrors("on purpose")
	if got := tab.Errors(); len(got) != 0 {
		t.Errorf("errors after they were allowed: %v", got)
	}
	if got := strings.Join(tab.Requests(), "\n"); !strings.Contains(got, w.PageURL("Main_Page")) {
		t.Errorf("requests: %s", got)
	}
}
