package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// TestSuppressedNameIsShown: a name that has been hidden goes from open pages, and no later event brings it back.
func TestSuppressedNameIsShown(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", Workers: 1, Settings: `
foreach ( [ 'deleterevision', 'suppressrevision', 'viewsuppressed', 'hideuser' ] as $right ) {
	$wgGroupPermissions['sysop'][$right] = true;
}`})
			u := w.NewUser(t, "Mallory")
			page := topics(t, w, "Bio")[0]
			began := time.Now().Unix()
			reader := connect(t, browser(t), w, "Bio")
			settle(t, w, 1)
			listener := w.Dial(t, wikitest.Handshake{})
			listener.Connect("")
			for _, typ := range []string{"testwiki:@changes", "testwiki:@page/" + page} {
				if reply := listener.Subscribe(typ, ""); !strings.HasPrefix(reply, `"ok"`) {
					t.Fatalf("subscribe: %s", reply)
				}
			}
			mallory := w.Login(t, u.Name, u.Password)
			vandalise := func(text string) string {
				t.Helper()
				edit := mallory.Write(t, wikitest.Params{"action": "edit", "title": "Bio", "text": text, "summary": "dirt " + text})["edit"].(map[string]any)
				reader.WaitFor(barText + `.includes( 'Mallory' )`)
				return itoa(int64(edit["newrevid"].(float64)))
			}

			revision := vandalise("one")
			w.API(t, wikitest.Params{"action": "revisiondelete", "type": "revision", "ids": revision, "hide": "user|comment"})
			reader.WaitFor(bar + ` && !` + barText + `.includes( 'Mallory' )`)
			w.Edit(t, "Bio", "Clean.")
			reader.WaitFor(barText + `.includes( 'Admin' )`)
			revision = vandalise("two")
			w.API(t, wikitest.Params{"action": "revisiondelete", "type": "revision", "ids": revision, "hide": "user|comment", "suppress": "yes"})
			reader.WaitFor(bar + ` && !` + barText + `.includes( 'Mallory' )`)
			w.Edit(t, "Bio", "Clean again.")
			revision = vandalise("three")
			w.API(t, wikitest.Params{"action": "block", "user": u.Name, "expiry": "infinite", "hidename": "1"})
			reader.WaitFor(bar + ` && !` + barText + `.includes( 'Mallory' )`)

			w.Edit(t, "Before the silence", "Text.")
			heard := hear(listener, "Before_the_silence")
			w.API(t, wikitest.Params{"action": "edit", "title": "Bio", "undo": revision})
			w.Edit(t, "User:Mallory", "Who was that?")
			w.API(t, wikitest.Params{"action": "delete", "title": "User:Mallory"})
			w.API(t, wikitest.Params{"action": "protect", "title": "Bio", "protections": "edit=sysop"})
			w.Edit(t, "After the silence", "Text.")
			after := strings.TrimPrefix(hear(listener, "After_the_silence"), heard)
			if strings.Contains(after, "Mallory") || strings.Contains(after, "dirt") {
				t.Errorf("a name that is hidden stands in %s", after)
			}
			if !strings.Contains(after, `"event":"edit"`) {
				t.Errorf("no event of an edit among %s", after)
			}
			if got := wikitest.Eval[string](reader, barText); strings.Contains(got, "Mallory") {
				t.Errorf("the bar says %s", got)
			}
			// Nor is it told to who comes back from before.
			late := w.Dial(t, wikitest.Handshake{})
			late.Connect("")
			for _, typ := range []string{"testwiki:@changes", "testwiki:@page/" + page} {
				reply := late.Ask(fmt.Sprintf(`"op":"subscribe","type":%q,"since":{"time":%d}`, typ, began))
				if !strings.Contains(reply, `"recovered":false`) {
					t.Errorf("%s: %s", typ, reply)
				}
			}
			w.Edit(t, "After all", "Text.")
			if got := hear(late, "After_all"); strings.Contains(got, "Mallory") || strings.Contains(got, "dirt") {
				t.Errorf("the history has %s", got)
			}
		})
	}
}

// hear returns all that has arrived when something about a title has.
func hear(s *wikitest.Socket, title string) string {
	s.Wait("news of "+title, func(frame string) bool { return strings.Contains(frame, title) })
	return s.Received()
}
