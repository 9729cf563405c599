package server_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// declared is the farm, with policies for the wiki a:.
func declared(cfg *config.Config) {
	farm(cfg)
	cfg.Wikis[0] = relaytest.Wiki("a:", publicOrigin, false, map[string]any{"types": []map[string]any{
		{"pattern": "a:News"}, {"pattern": "a:Talk", "send": "user"}, {"pattern": "a:Edit", "send": "right:edit", "read": "right:edit"},
		{"pattern": "a:Page/*", "send": "user", "token": true}, {"pattern": "a:@page/*", "token": true}}})
}

func disconnect(t *testing.T, r *relaytest.Relay, wiki, body string) (status int, answer string) {
	t.Helper()
	status, _, answer = r.HTTP(t, "POST", "http://relay/api/disconnect", body, jsonType, publishToken(wiki, nil))
	return status, answer
}

func subscription(wiki, user, typ string) string {
	return relaytest.Token(wiki, "subscribe", user, map[string]any{"type": typ})
}

func subscribeWith(typ, token string) string {
	return fmt.Sprintf(`{"id":5,"op":"subscribe","type":%q,"token":%q}`, typ, token)
}

func TestVisitorActsAboveItsRights(t *testing.T) {
	r := relaytest.Start(t, declared)
	ann := r.V1(t, connectToken("a:", "Ann"), "ann")
	ed := r.V1(t, relaytest.Token("a:", "connect", "Ed", map[string]any{"rights": []string{"edit"}}), "ed")
	anonymous := r.V1(t, connectToken("a:", ""), "anonymous")
	blocked := r.V1(t, relaytest.Token("a:", "connect", "Bad", map[string]any{"allow": map[string]any{"subscribe": []string{"*"}, "send": []string{}}}), "bad")
	for _, row := range []struct {
		who  *relaytest.Client
		name string
		want string // the codes of: subscribe and send News, Talk, Edit, Page/1, undeclared
	}{
		{ann, "user", "ok forbidden ok ok forbidden forbidden unauthorized ok ok ok"},
		{ed, "editor", "ok forbidden ok ok ok ok unauthorized ok ok ok"},
		{anonymous, "anonymous", "ok forbidden ok forbidden forbidden forbidden unauthorized forbidden ok ok"},
		{blocked, "blocked", "ok forbidden ok forbidden forbidden forbidden unauthorized forbidden ok forbidden"},
	} {
		var got []string
		for _, typ := range []string{"a:News", "a:Talk", "a:Edit", "a:Page/1", "a:undeclared"} {
			got = append(got, code(row.who.Ask(`{"id":2,"op":"subscribe","type":"`+typ+`"}`)))
			row.who.Ask(`{"id":3,"op":"unsubscribe","type":"` + typ + `"}`)
			got = append(got, code(row.who.Ask(`{"id":4,"op":"send","type":"`+typ+`","msg":1}`)))
		}
		if got := strings.Join(got, " "); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
	log := r.Log.String()
	for _, says := range []string{"msg=refused", "code=forbidden", "only the wiki may send", `user=Bad`, "needs a subscription token"} {
		if !strings.Contains(log, says) {
			t.Errorf("the log does not say %s:\n%s", says, log)
		}
	}
}

func TestReaderGoesOnAfterRevocation(t *testing.T) {
	r := relaytest.Start(t, declared)
	old := relaytest.Token("a:", "connect", "Ann", map[string]any{"iat": time.Now().Unix() - 5, "sid": "one"})
	ann, bob, other := r.V1(t, old, "ann"), r.V1(t, connectToken("a:", "Bob"), "bob"), r.V1(t, connectToken("b:", "Ann"), "other")
	script := r.Classic(t, "script", "Authorization: Bearer "+old)
	for _, c := range []*relaytest.Client{ann, bob, other} {
		c.Subscribe("Shared")
	}
	if status, answer := disconnect(t, r, "a:", `{"user":"Ann"}`); status != 200 || answer != "{\"closed\":2}\n" {
		t.Fatal(status, answer)
	}
	ann.ExpectClose(wire.CloseUnauthorized)
	script.ExpectClose(wire.CloseUnauthorized)
	r.Publish(t, "a:", `[{"type":"Shared","msg":"after"}]`)
	for _, c := range []*relaytest.Client{bob, other} {
		expect(t, c, `{"type":"Shared","msg":"after","wiki":true}`)
	}

	again := r.Dial(t, "/", wire.Subprotocol)
	if got := again.Ask(`{"id":1,"op":"connect","token":"` + old + `"}`); code(got) != "unauthorized" || !strings.Contains(got, "revoked") {
		t.Errorf("the old token: %s", got)
	}
	again.ExpectClose(wire.CloseUnauthorized)
	if _, answer, err := r.TryDial("/", "", "Authorization: Bearer "+old); err == nil || answer.StatusCode != 401 {
		t.Errorf("the old token in classic mode: %v %v", answer, err)
	}
	refreshed := r.V1(t, relaytest.Token("a:", "connect", "Ann", map[string]any{"iat": time.Now().Unix() + 1}), "ann2")
	if got := refreshed.Ask(`{"id":7,"op":"refresh","token":"` + old + `"}`); code(got) != "unauthorized" {
		t.Errorf("refresh with the old token: %s", got)
	}
	refreshed.ExpectClose(wire.CloseUnauthorized)
}

func TestRevocationIsForgottenWithTheRelay(t *testing.T) {
	state := filepath.Join(t.TempDir(), "wikis.json")
	keep := func(cfg *config.Config) {
		farm(cfg)
		cfg.State = state
	}
	old := relaytest.Token("a:", "connect", "Ann", map[string]any{"iat": time.Now().Unix() - 5})
	r := relaytest.Start(t, keep)
	disconnect(t, r, "a:", `{"user":"Ann"}`)
	r.Close()
	r = relaytest.Start(t, keep)
	c := r.Dial(t, "/", wire.Subprotocol)
	if got := c.Ask(`{"id":1,"op":"connect","token":"` + old + `"}`); code(got) != "unauthorized" {
		t.Error(got)
	}
}

func TestLoggedOutSessionGoesOn(t *testing.T) {
	r := relaytest.Start(t, farm)
	here := r.V1(t, relaytest.Token("a:", "connect", "Ann", map[string]any{"sid": "one"}), "here")
	there := r.V1(t, relaytest.Token("a:", "connect", "Ann", map[string]any{"sid": "two"}), "there")
	if status, answer := disconnect(t, r, "a:", `{"session":"one"}`); status != 200 || answer != "{\"closed\":1}\n" {
		t.Fatal(status, answer)
	}
	here.ExpectClose(wire.CloseUnauthorized)
	there.ExpectNothing()
	if status, answer := disconnect(t, r, "b:", `{"client":"there"}`); status != 200 || answer != "{\"closed\":0}\n" {
		t.Errorf("another wiki ends a connection: %d %s", status, answer)
	}
	disconnect(t, r, "a:", `{"client":"there"}`)
	there.ExpectClose(wire.CloseUnauthorized)
	r.V1(t, connectToken("a:", "Ann"), "there").ExpectNothing() // only ended, not revoked
}

func TestReaderOfAClosedPageGoesOn(t *testing.T) {
	r := relaytest.Start(t, declared)
	c := r.V1(t, connectToken("a:", "Ann"), "ann")
	c.Subscribe("a:News")
	early := relaytest.Token("a:", "subscribe", "Ann", map[string]any{"type": "a:@page/1", "iat": time.Now().Unix() - 5})
	for typ, token := range map[string]string{"a:@page/1": early, "a:@page/2": subscription("a:", "Ann", "a:@page/2")} {
		if got := c.Ask(subscribeWith(typ, token)); code(got) != "ok" {
			t.Fatal(got)
		}
	}
	for name, token := range map[string]string{"of another user": subscription("a:", "Bob", "a:@page/3"), "of another type": early, "": ""} {
		if got := c.Ask(subscribeWith("a:@page/3", token)); code(got) != "unauthorized" {
			t.Errorf("token %s: %s", name, got)
		}
	}
	if status, answer := disconnect(t, r, "a:", `{"type":"a:@page/1"}`); status != 200 || answer != "{\"closed\":1}\n" {
		t.Fatal(status, answer)
	}
	c.Expect(`{"op":"revoked","type":"a:@page/1"}`)
	r.Publish(t, "a:", `[{"type":"a:@page/1","msg":1},{"type":"a:@page/2","msg":2},{"type":"a:News","msg":3}]`)
	expect(t, c, `{"type":"a:@page/2","msg":2,"wiki":true}`, `{"type":"a:News","msg":3,"wiki":true}`)
	if got := c.Ask(subscribeWith("a:@page/1", early)); code(got) != "unauthorized" {
		t.Errorf("the old token: %s", got)
	}
	later := relaytest.Token("a:", "subscribe", "Ann", map[string]any{"type": "a:@page/1", "iat": time.Now().Unix() + 1})
	if got := c.Ask(subscribeWith("a:@page/1", later)); code(got) != "ok" {
		t.Errorf("a new token: %s", got)
	}
	if status, answer := disconnect(t, r, "b:", `{"type":"a:@page/2"}`); status != 403 {
		t.Errorf("another wiki: %d %s", status, answer)
	}
	if status, answer := disconnect(t, r, "a:", `{"type":"Shared"}`); status != 400 {
		t.Errorf("a shared type: %d %s", status, answer)
	}
}

func TestStrangerDisconnects(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.V1(t, connectToken("a:", "Ann"), "ann")
	for name, row := range map[string]struct {
		body    string
		headers []string
		status  int
	}{
		"no token":        {`{"user":"Ann"}`, []string{jsonType}, 401},
		"a user's token":  {`{"user":"Ann"}`, []string{jsonType, "Authorization: Bearer " + connectToken("a:", "Ann")}, 401},
		"another wiki":    {`{"user":"Ann"}`, []string{jsonType, publishToken("b:", nil)}, 200},
		"form":            {`user=Ann`, []string{"Content-Type: application/x-www-form-urlencoded", publishToken("a:", nil)}, 415},
		"nobody":          {`{}`, []string{jsonType, publishToken("a:", nil)}, 400},
		"empty user":      {`{"user":""}`, []string{jsonType, publishToken("a:", nil)}, 400},
		"two":             {`{"user":"Ann","session":"x"}`, []string{jsonType, publishToken("a:", nil)}, 400},
		"unknown member":  {`{"user":"Ann","all":true}`, []string{jsonType, publishToken("a:", nil)}, 400},
		"the far future":  {fmt.Sprintf(`{"user":"Ann","before":%d}`, time.Now().Unix()+3600), []string{jsonType, publishToken("a:", nil)}, 400},
		"long ago":        {`{"user":"Ann","before":5}`, []string{jsonType, publishToken("a:", nil)}, 200},
		"more after it":   {`{"user":"Ann"}{}`, []string{jsonType, publishToken("a:", nil)}, 400},
		"not JSON":        {`user`, []string{jsonType, publishToken("a:", nil)}, 400},
		"a long name":     {`{"user":"` + strings.Repeat("x", 1025) + `"}`, []string{jsonType, publishToken("a:", nil)}, 400},
		"a body too long": {`{"user":"` + strings.Repeat("x", 5000) + `"}`, []string{jsonType, publishToken("a:", nil)}, 413},
	} {
		if status, _, text := r.HTTP(t, "POST", "http://relay/api/disconnect", row.body, row.headers...); status != row.status {
			t.Errorf("%s: %d %s, want %d", name, status, text, row.status)
		}
	}
	c.ExpectNothing()
}

func TestWikiSeesAnothersNumbers(t *testing.T) {
	r := relaytest.Start(t, declared)
	c := r.V1(t, connectToken("a:", "Ann"), "ann")
	c.Subscribe("a:News")
	c.Ask(`{"id":2,"op":"send","type":"a:News"}`)
	r.V1(t, connectToken("b:", "Bob"), "bob")
	if status, _, text := r.HTTP(t, "GET", "http://relay/api/stats", ""); status != 401 {
		t.Errorf("without a token: %d %s", status, text)
	}
	for _, host := range []string{"relay", "control"} {
		status, _, text := r.HTTP(t, "GET", "http://"+host+"/api/stats", "", publishToken("a:", nil))
		var got struct {
			Wiki                                             string
			Connections, Clients, Users, Subscriptions, Keys int
			Types                                            []struct{ Pattern, Send, Read string }
			Refused                                          map[string]int
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 {
			t.Fatal(status, text)
		}
		if got.Wiki != "a:" || got.Connections != 1 || got.Clients != 1 || got.Users != 1 || got.Subscriptions != 1 || got.Keys != 1 || len(got.Types) != 5 ||
			got.Types[0].Send != "wiki" || got.Refused["forbidden"] != 1 || strings.Contains(text, "b:") {
			t.Errorf("%s: %s", host, text)
		}
	}
}

// An id that others have seen as a sender is nobody else's to take, not even while its owner reconnects.
func TestVisitorTakesAnothersClientID(t *testing.T) {
	r := relaytest.Start(t, farm)
	victim := r.V1(t, connectToken("a:", "Ann"), "victim")
	thieves := map[string]*relaytest.Client{"user": r.V1(t, connectToken("a:", "Mallory"), "victim"), "anonymous": r.V1(t, connectToken("a:", ""), "x"),
		"of another wiki": r.V1(t, connectToken("b:", "Ann"), "y"), "without token": r.V1(t, "", "z")}
	try := func(when string) {
		for name, c := range thieves {
			if got := code(c.Ask(`{"id":2,"op":"register","client":"victim"}`)); got != "forbidden" {
				t.Errorf("%s, %s: %s", when, name, got)
			}
			if got := code(c.Ask(`{"id":3,"op":"send","type":"T","from":"victim"}`)); got != "forbidden" {
				t.Errorf("%s, %s sends: %s", when, name, got)
			}
		}
	}
	try("while it is there")
	script := r.Dial(t, "/", "")
	script.Send(`{"type":"T","msg":"forged","from":"victim"}`)
	victim.Subscribe("T")
	r.Publish(t, "a:", `[{"type":"T","msg":"true","to":["victim"]}]`)
	expect(t, victim, `{"type":"T","msg":"true","to":["victim"],"wiki":true}`)
	victim.CloseNow()
	r.Await(t, "end", func(s relaytest.Stats) bool { return s.Connections == 5 })
	try("while it is away")
	back := r.V1(t, connectToken("a:", "Ann"), "victim")
	if got := code(back.Ask(`{"id":3,"op":"send","type":"T","from":"victim"}`)); got != "ok" {
		t.Errorf("its owner: %s", got)
	}
}

func TestClosedWikiTakesUndeclaredTypes(t *testing.T) {
	r := relaytest.Start(t, func(cfg *config.Config) {
		cfg.Wikis = append(cfg.Wikis, relaytest.Wiki("a:", publicOrigin, false, map[string]any{"open": false, "types": []map[string]any{{"pattern": "a:News", "send": "anyone"}}}))
	})
	c := r.V1(t, connectToken("a:", "Ann"), "ann")
	for typ, want := range map[string]string{"a:News": "ok", "a:Other": "forbidden", "Other": "forbidden", "a:@changes": "ok"} {
		if got := code(c.Ask(`{"id":2,"op":"subscribe","type":"` + typ + `"}`)); got != want {
			t.Errorf("subscribe %s: %s", typ, got)
		}
	}
	script := r.Classic(t, "script")
	script.Send(`{"type":"a:Other","msg":1}`)
	script.Send(`{"type":"a:News","msg":2}`)
	expect(t, c, `{"type":"a:News","msg":2}`)
}

func TestNewPolicyLeavesOldReaders(t *testing.T) {
	r := relaytest.Start(t, nil)
	put := func(more map[string]any) {
		t.Helper()
		if status, _, text := r.HTTP(t, "PUT", "http://control/api/wikis/a:", string(relaytest.Registration("a:", publicOrigin, false, more)), jsonType); status != 200 {
			t.Fatal(status, text)
		}
	}
	put(nil)
	reader, other := r.V1(t, connectToken("a:", "Ann"), "ann"), r.V1(t, connectToken("a:", "Bob"), "bob")
	reader.Subscribe("a:Secret")
	other.Subscribe("a:Open")
	put(map[string]any{"types": []map[string]any{{"pattern": "a:Secret", "read": "right:x"}}})
	reader.ExpectClose(wire.CloseUnauthorized)
	other.ExpectNothing()
}

func TestWikiExhaustsTheRelayOfAnother(t *testing.T) {
	r := relaytest.Start(t, func(cfg *config.Config) {
		farm(cfg)
		cfg.Limits.WikiPublishes.Burst, cfg.Limits.WikiPublishes.PerSecond = 3, 0.001
		cfg.Limits.WikiMessages.Burst, cfg.Limits.WikiMessages.PerSecond = 2, 0.001
	})
	post := func(wiki, messages string) int {
		t.Helper()
		status, headers, _ := r.HTTP(t, "POST", "http://relay/api/publish", `{"messages":`+messages+`}`, jsonType, publishToken(wiki, nil))
		if (status == 429) != (headers.Get("Retry-After") == "1") {
			t.Errorf("%d with Retry-After %q", status, headers.Get("Retry-After"))
		}
		return status
	}
	got := []int{post("a:", `[{"type":"T"},{"type":"T"}]`), post("a:", `[{"type":"T"},{"type":"T"}]`), post("a:", `[{"type":"T"}]`), post("a:", `[{"type":"T"}]`), post("b:", `[{"type":"T"}]`)}
	if want := []int{200, 429, 200, 429, 200}; !slices.Equal(got, want) {
		t.Errorf("publishes: %v, want %v", got, want)
	}
	var codes []string
	for _, wiki := range []string{"a:", "a:", "b:"} {
		c := r.V1(t, connectToken(wiki, ""))
		for range 2 {
			codes = append(codes, code(c.Ask(`{"id":2,"op":"send","type":"T"}`)))
		}
	}
	if got := strings.Join(codes, " "); got != "ok ok rate-limited rate-limited ok ok" {
		t.Errorf("messages: %s", got)
	}
}

// A page that edits with another page's client id would keep that one from hearing of the edit.
func TestEditorSilencesAnotherPage(t *testing.T) {
	r := relaytest.Start(t, farm)
	victim := r.V1(t, connectToken("a:", "Ann"), "victim")
	victim.Subscribe("a:@changes")
	r.Publish(t, "a:", `[{"type":"a:@changes","msg":1,"from":"victim","actor":"Mallory"},{"type":"a:@changes","msg":2,"from":"victim","actor":""},
		{"type":"a:@changes","msg":3,"from":"victim","actor":"Ann"},{"type":"a:@changes","msg":4,"from":"stranger","actor":"Mallory"}]`)
	expect(t, victim, `{"type":"a:@changes","msg":1,"wiki":true}`, `{"type":"a:@changes","msg":2,"wiki":true}`, `{"type":"a:@changes","msg":4,"from":"stranger","wiki":true}`)
}
