package server_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
)

// Client ids are seen as senders, and are free again some time after their user has gone. Whoever takes one then gets nothing that was meant for the user before.
func TestMessageForAnotherComesOutOfTheHistory(t *testing.T) {
	keep := map[string]any{"count": 100, "seconds": 30 * 86400}
	set := func(cfg *config.Config) {
		generous(cfg)
		cfg.Wikis[0] = relaytest.Wiki("a:", publicOrigin, false, map[string]any{"types": []map[string]any{{"pattern": "a:Feed/*", "send": "user", "history": keep}}})
	}
	inBubbleWith(t, set, func(t *testing.T, r *relaytest.Relay) {
		time.Sleep(30 * time.Second)
		read := fmt.Sprintf(`{"time":%d}`, time.Now().Unix())
		for _, user := range []string{"Ann", ""} {
			c := r.V1(t, connectToken("a:", user), "WS"+user)
			c.Subscribe("a:Feed/1")
			r.Publish(t, "a:", fmt.Sprintf(`[{"type":"a:Feed/1","msg":"secret","to":["WS%s"]}]`, user))
			if got := c.Next(); !strings.Contains(got, "secret") {
				t.Errorf("live delivery: %s", got)
			}
			c.CloseNow()
		}
		// come waits until nobody else has the ids, nor may come back for them.
		come := func(user string, want bool, ids ...string) *relaytest.Client {
			t.Helper()
			for {
				c, got := r.V1(t, connectToken("a:", user)), 0
				for _, id := range ids {
					if code(c.Ask(`{"id":3,"op":"register","client":"`+id+`"}`)) == "ok" {
						got++
					}
				}
				if got == len(ids) {
					if _, recovered := subscribeSince(t, c, "a:Feed/1", read); recovered != want {
						t.Errorf("%q with %q: recovered %t", user, ids, recovered)
					}
					return c
				}
				c.CloseNow()
				time.Sleep(6 * time.Minute)
			}
		}
		for _, user := range []string{"Bob", ""} {
			for _, ids := range [][]string{{"WSAnn"}, {"WS"}, {"other", "WSAnn"}, {"WS", "WSAnn"}} {
				c := come(user, false, ids...)
				c.ExpectNothing()
				c.CloseNow()
			}
		}
		come("Bob", true, "another").ExpectNothing()
		ann := come("Ann", true, "WSAnn")
		if got := ann.Next(); !strings.Contains(got, "secret") {
			t.Error(got)
		}
		ann.ExpectNothing()
		_, _, text := r.HTTP(t, "GET", "http://relay/api/history?type=a:Feed/1&since=0", "", publishToken("a:", nil))
		if strings.Contains(text, "Ann\",\"user") || strings.Contains(text, "owner") {
			t.Errorf("the wiki is told who had the ids: %s", text)
		}
	})
}

// A message that may have been for the page that comes back is not left out in silence.
func TestMessageForAnUnknownPageIsMissedInSilence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := func(cfg *config.Config) {
		withHistory(cfg)
		cfg.State = filepath.Join(dir, "wikis.json")
	}
	r := relaytest.Start(t, kept)
	ann := r.V1(t, connectToken("a:", "Ann"), "ann")
	since, _ := subscribeSince(t, ann, "a:Feed/1", "")
	r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":1,"to":["ann","nobody"]}]`)
	one := `{"type":"a:Feed/1","msg":1,"to":["ann","nobody"],"wiki":true}`
	expect(t, ann, one)
	r.Close()
	r = relaytest.Start(t, kept) // knows from its file whom that was for
	comes := func(want bool, ids ...string) *relaytest.Client {
		t.Helper()
		c := r.V1(t, connectToken("a:", "Ann"), ids...)
		if _, recovered := subscribeSince(t, c, "a:Feed/1", since); recovered != want {
			t.Errorf("%q: recovered %t", ids, recovered)
		}
		return c
	}
	first := comes(true, "ann")
	expect(t, first, one)
	comes(false, "nobody").ExpectNothing()
	both := comes(true, "ann", "nobody") // it was for one of them
	expect(t, both, one)
	both.ExpectNothing()
	r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":2,"to":["later"]}]`)
	comes(false, "later").ExpectNothing()
	first.ExpectNothing()
}
