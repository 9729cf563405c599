package server_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/relaytest"
)

// withPresence is the farm, with types of the wiki a: about which may be asked who is there.
func withPresence(cfg *config.Config) {
	farm(cfg)
	cfg.Wikis[0] = relaytest.Wiki("a:", publicOrigin, false, map[string]any{"types": []map[string]any{
		{"pattern": "a:Room/*", "presence": true}, {"pattern": "a:Edit", "presence": true, "read": "right:edit"}, {"pattern": "a:Quiet"},
		{"pattern": "a:@page/*", "presence": true, "token": true}}})
}

func seer(user string) string {
	return relaytest.Token("a:", "connect", user, map[string]any{"exp": time.Now().Add(time.Hour).Unix(),
		"allow": map[string]any{"subscribe": []string{"*"}, "send": []string{"*"}, "presence": []string{"a:*"}}})
}

func whoIs(t *testing.T, c *relaytest.Client, typ string) string {
	t.Helper()
	got := c.Ask(`{"id":4,"op":"presence","type":"` + typ + `"}`)
	return strings.TrimSuffix(strings.TrimPrefix(got, `{"id":4,"ok":`), "}")
}

// expectPast expects frames behind changes that may have been in a reply already.
func expectPast(t *testing.T, c *relaytest.Client, old string, want ...string) {
	t.Helper()
	for _, want := range want {
		got := c.Next()
		for got == old {
			got = c.Next()
		}
		if got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

func TestWhoIsThere(t *testing.T) {
	inBubbleWith(t, withPresence, func(t *testing.T, r *relaytest.Relay) {
		watcher := r.V1(t, seer("Watcher"))
		if got := whoIs(t, watcher, "a:Room/1"); got != `{"users":[],"anonymous":0,"count":0}` {
			t.Error(got)
		}
		var visitors []*relaytest.Client
		for _, user := range []string{"Zoë", "Ann", "Ann", "", ""} {
			c := r.V1(t, relaytest.Token("a:", "connect", user, nil))
			c.Subscribe("a:Room/1", "a:Quiet")
			visitors = append(visitors, c)
		}
		stranger := r.V1(t, "") // of no wiki
		stranger.Subscribe("a:Room/1")
		synctest.Wait()
		if got := whoIs(t, watcher, "a:Room/1"); got != `{"users":["Ann","Zoë"],"anonymous":3,"count":5}` {
			t.Error(got)
		}
		if got := whoIs(t, watcher, "a:Room/2"); got != `{"users":[],"anonymous":0,"count":0}` {
			t.Error("another type:", got)
		}
		time.Sleep(2 * time.Second) // the number of visitors has been told to nobody
		watcher.Ask(`{"id":5,"op":"presence","type":"a:Room/1","follow":true}`)
		visitors[0].CloseNow() // Zoë is loading her page anew
		time.Sleep(4 * time.Second)
		zoe := r.V1(t, connectToken("a:", "Zoë"))
		zoe.Subscribe("a:Room/1")
		time.Sleep(10 * time.Second)
		visitors[1].CloseNow() // Ann has another page
		visitors[3].CloseNow()
		stranger.Ask(`{"id":5,"op":"unsubscribe","type":"a:Room/1"}`)
		watcher.Expect(`{"op":"leave","type":"a:Room/1","anonymous":1}`)
		zoe.Ask(`{"id":5,"op":"unsubscribe","type":"a:Room/1"}`)
		gone := time.Now()
		watcher.Expect(`{"op":"leave","type":"a:Room/1","user":"Zoë"}`)
		if d := time.Since(gone); d < 5*time.Second || d > 6*time.Second {
			t.Errorf("told after %s", d)
		}
		visitors[2].CloseNow()
		watcher.Expect(`{"op":"leave","type":"a:Room/1","user":"Ann"}`)
		zoe.Subscribe("a:Room/1")
		watcher.Expect(`{"op":"join","type":"a:Room/1","user":"Zoë"}`)
		stranger.Subscribe("a:Room/1")
		watcher.Expect(`{"op":"join","type":"a:Room/1","anonymous":2}`)
		if got := whoIs(t, watcher, "a:Room/1"); got != `{"users":["Zoë"],"anonymous":2,"count":3}` {
			t.Error(got)
		}
		watcher.Ask(`{"id":5,"op":"presence","type":"a:Room/1","follow":false}`)
		zoe.Ask(`{"id":5,"op":"unsubscribe","type":"a:Room/1"}`)
		time.Sleep(10 * time.Second)
		watcher.ExpectNothing()
	})
}

func TestStrangerSeesWhoIsThere(t *testing.T) {
	r := relaytest.Start(t, withPresence)
	seer, token := seer("Watcher"), connectToken("a:", "Ann")
	editor := relaytest.Token("a:", "connect", "Ed", map[string]any{"rights": []string{"edit"}})
	none := relaytest.Token("a:", "connect", "Bob", map[string]any{"allow": map[string]any{"subscribe": []string{"*"}, "send": []string{"*"}}})
	for name, row := range map[string]struct{ token, typ, want string }{
		"allowed":               {seer, "a:Room/1", "ok"},
		"everything":            {token, "a:Room/1", "ok"},
		"not declared":          {seer, "a:Quiet", "forbidden"},
		"no policy":             {seer, "a:other", "forbidden"},
		"shared":                {seer, "Shared", "forbidden"},
		"not allowed":           {none, "a:Room/1", "forbidden"},
		"without a token":       {"", "a:Room/1", "unauthorized"},
		"may not read":          {seer, "a:Edit", "forbidden"},
		"may read":              {editor, "a:Edit", "ok"},
		"another wiki":          {connectToken("b:", "Ann"), "a:Room/1", "forbidden"},
		"no subscription token": {token, "a:@page/1", "unauthorized"},
		"a private wiki's":      {token, "p:Room", "forbidden"},
	} {
		c := r.V1(t, row.token)
		for _, follow := range []string{"", `,"follow":true`, `,"follow":false`} {
			if got := c.Ask(`{"id":4,"op":"presence","type":"` + row.typ + `"` + follow + `}`); code(got) != row.want {
				t.Errorf("%s: %s, want %s", name, got, row.want)
			}
		}
	}
	c := r.V1(t, token)
	c.Ask(subscribeWith("a:@page/1", subscription("a:", "Ann", "a:@page/1")))
	if got := c.Ask(`{"id":4,"op":"presence","type":"a:@page/1","follow":true}`); got != `{"id":4,"ok":{"users":["Ann"],"anonymous":0,"count":1}}` {
		t.Error(got)
	}
	disconnect(t, r, "a:", `{"type":"a:@page/1"}`)
	old := `{"op":"join","type":"a:@page/1","user":"Ann"}`
	expectPast(t, c, old, `{"op":"revoked","type":"a:@page/1"}`)
	later := r.V1(t, connectToken("a:", "Bob"))
	later.Ask(subscribeWith("a:@page/1", relaytest.Token("a:", "subscribe", "Bob", map[string]any{"type": "a:@page/1", "iat": time.Now().Unix() + 1})))
	if got := code(c.Ask(`{"id":4,"op":"presence","type":"a:@page/1"}`)); got != "unauthorized" {
		t.Error(got)
	}
	if got := whoIs(t, later, "a:@page/1"); !strings.Contains(got, `"Bob"`) {
		t.Error(got)
	}
	c.ExpectNothing()
}

func TestWikiAsksWhoIsThere(t *testing.T) {
	r := relaytest.Start(t, withPresence)
	for _, user := range []string{"Ann", ""} {
		r.V1(t, connectToken("a:", user)).Subscribe("a:Room/1")
	}
	for query, want := range map[string]int{"a: type=a:Room/1": 200, "b: type=a:Room/1": 403, "a: type=a:Quiet": 403, "a: type=Shared": 403, "a: type=": 400, "b: type=b:T": 403} {
		wiki, query, _ := strings.Cut(query, " ")
		status, _, text := r.HTTP(t, "GET", "http://relay/api/presence?"+query, "", publishToken(wiki, nil))
		if status != want || want == 200 && text != `{"users":["Ann"],"anonymous":1,"count":2}`+"\n" {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
}

func TestNewPolicyGoesOnTellingWhoIsThere(t *testing.T) {
	r := relaytest.Start(t, nil)
	policy := func(presence bool) map[string]any {
		return map[string]any{"types": []map[string]any{{"pattern": "a:Room", "presence": presence}, {"pattern": "a:Hall", "presence": true}}}
	}
	put(t, r, "a:", false, policy(false))
	ann := r.V1(t, connectToken("a:", "Ann"), "ann")
	ann.Subscribe("a:Room")
	if got := code(ann.Ask(`{"id":4,"op":"presence","type":"a:Room"}`)); got != "forbidden" {
		t.Error(got)
	}
	put(t, r, "a:", false, policy(true)) // who is there already is seen
	if got := ann.Ask(`{"id":4,"op":"presence","type":"a:Room","follow":true}`); got != `{"id":4,"ok":{"users":["Ann"],"anonymous":0,"count":1}}` {
		t.Error(got)
	}
	bob := r.V1(t, connectToken("a:", "Bob"), "bob")
	bob.Subscribe("a:Room")
	expectPast(t, ann, `{"op":"join","type":"a:Room","user":"Ann"}`, `{"op":"join","type":"a:Room","user":"Bob"}`)
	put(t, r, "a:", false, policy(false))
	put(t, r, "a:", false, policy(true))
	carl := r.V1(t, connectToken("a:", "Carl"), "carl")
	carl.Subscribe("a:Room", "a:Hall")
	if got := carl.Ask(`{"id":4,"op":"presence","type":"a:Room"}`); got != `{"id":4,"ok":{"users":["Ann","Bob","Carl"],"anonymous":0,"count":3}}` {
		t.Error(got)
	}
	witness := r.V1(t, connectToken("a:", "Witness"))
	witness.Ask(`{"id":4,"op":"presence","type":"a:Room","follow":true}`)
	carl.Ask(`{"id":4,"op":"presence","type":"a:Hall","follow":true}`)
	refreshed := relaytest.Token("a:", "connect", "Carl", map[string]any{"allow": map[string]any{"subscribe": []string{"*"}}, "iat": time.Now().Unix() + 1})
	carl.Send(`{"id":5,"op":"refresh","token":"` + refreshed + `"}`)
	for got := ""; !strings.HasPrefix(got, `{"id":5,"ok":{"expires":`); got = carl.Next() {
		if code(got) != "ok" {
			t.Fatal(got)
		}
	}
	r.V1(t, connectToken("a:", "Dora"), "dora").Subscribe("a:Hall", "a:Room")
	expectPast(t, witness, `{"op":"join","type":"a:Room","user":"Carl"}`, `{"op":"join","type":"a:Room","user":"Dora"}`)
	ann.ExpectNothing() // it has to ask again
	carl.Send(`{"id":8,"op":"unsubscribe","type":"nothing"}`)
	expectPast(t, carl, `{"op":"join","type":"a:Hall","user":"Carl"}`, `{"id":8,"ok":{}}`)
}

func TestFollowedTypesAtTheLimitAndOnePast(t *testing.T) {
	r := relaytest.Start(t, func(cfg *config.Config) {
		withPresence(cfg)
		cfg.Limits.Types = 2
	})
	c := r.V1(t, seer("Ann"))
	c.Subscribe("a:Quiet", "Plain")
	follow := func(n int, on bool) string {
		return code(c.Ask(fmt.Sprintf(`{"id":4,"op":"presence","type":"a:Room/%d","follow":%t}`, n, on)))
	}
	for n, want := range []string{"ok", "ok", "limit"} {
		if got := follow(n, true); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	if got := follow(1, true); got != "ok" {
		t.Error("one that it follows already:", got)
	}
	follow(0, false)
	if got := follow(2, true); got != "ok" {
		t.Error("in place of another:", got)
	}
	if got := code(c.Ask(`{"id":4,"op":"subscribe","type":"a:Room/3"}`)); got != "limit" {
		t.Error("third subscription:", got)
	}
	_, _, text := r.HTTP(t, "GET", "http://relay/api/stats", "", publishToken("a:", nil))
	if !strings.Contains(text, `"subscriptions":2,`) {
		t.Error(text)
	}
	for _, typ := range []string{"\\u0000a:Room/1", "\\u0000"} { // the name under which followers are kept
		if got := code(c.Ask(`{"id":4,"op":"subscribe","type":"` + typ + `"}`)); got != "bad-request" {
			t.Errorf("%s: %s", typ, got)
		}
	}
	c.Ask(`{"id":4,"op":"unsubscribe","type":"a:Room/2"}`)
	r.V1(t, connectToken("a:", "Bob")).Subscribe("a:Room/2")
	c.Expect(`{"op":"join","type":"a:Room/2","user":"Bob"}`)
	c.CloseNow()
	r.Await(t, "end", func(s relaytest.Stats) bool { return s.Connections == 1 && s.Types == 1 })
}

// Names of a crowd would be as many frames as there are users, for each of them.
func TestCrowdIsToldByName(t *testing.T) {
	inBubbleWith(t, withPresence, func(t *testing.T, r *relaytest.Relay) {
		watcher := r.V1(t, seer("Watcher"))
		watcher.Ask(`{"id":5,"op":"presence","type":"a:Room/1","follow":true}`)
		room := engine.Key{Wiki: "a:", Type: "a:Room/1"}
		user := func(n int) engine.Person {
			return engine.Person{User: fmt.Sprintf("User %04d", n), Connection: uint64(1000 + n)}
		}
		for n := range engine.PresentMost {
			r.Engine().Enter(room, user(n))
		}
		for n := range engine.PresentMost {
			watcher.Expect(fmt.Sprintf(`{"op":"join","type":"a:Room/1","user":"User %04d"}`, n))
		}
		time.Sleep(10 * time.Second)
		for n := engine.PresentMost; n < 5000; n++ {
			r.Engine().Enter(room, user(n))
		}
		r.Engine().Enter(room, engine.Person{Connection: 9})
		watcher.Expect(`{"op":"join","type":"a:Room/1","anonymous":1,"count":5001}`)
		for n := range 4999 {
			r.Engine().Exit(room, user(n))
		}
		watcher.Expect(`{"op":"leave","type":"a:Room/1","anonymous":1,"count":2}`)
		r.Engine().Enter(room, user(0))
		watcher.Expect(`{"op":"join","type":"a:Room/1","user":"User 0000"}`)
		if got := whoIs(t, watcher, "a:Room/1"); got != `{"users":["User 0000","User 4999"],"anonymous":1,"count":3}` {
			t.Error(got)
		}
	})
}
