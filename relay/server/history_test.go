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

func TestWhoComesBackGetsWhatIsForHim(t *testing.T) {
	r := relaytest.Start(t, withHistory)
	c := r.V1(t, connectToken("a:", "Ann"), "ann", "carl")
	since, _ := subscribeSince(t, c, "a:Feed/1", "")
	c.CloseNow()
	r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":1},{"type":"a:Feed/2","msg":2},{"type":"a:Feed/1","msg":3,"to":["ann"]},
		{"type":"a:Feed/1","msg":4,"to":["bob","carl"]},{"type":"a:Feed/1","msg":5,"from":"ann"},{"type":"a:Feed/1","msg":6,"from":"bob","to":"ann,bob"}]`)
	bob := r.V1(t, connectToken("a:", "Bob"), "bob")
	bob.Ask(`{"id":2,"op":"send","type":"a:Feed/1","msg":{"7":"é"}}`)
	one, three := `{"type":"a:Feed/1","msg":1,"wiki":true}`, `{"type":"a:Feed/1","msg":3,"to":["ann"],"wiki":true}`
	four, five := `{"type":"a:Feed/1","msg":4,"to":["bob","carl"],"wiki":true}`, `{"type":"a:Feed/1","msg":5,"from":"ann","wiki":true}`
	six, seven := `{"type":"a:Feed/1","msg":6,"from":"bob","to":"ann,bob","wiki":true}`, `{"type":"a:Feed/1","msg":{"7":"é"},"from":"bob","user":"Bob"}`
	for name, row := range map[string]struct {
		clients []string
		want    []string
	}{
		"one page":         {[]string{"ann"}, []string{one, three, six, seven}},
		"two pages":        {[]string{"ann", "ann2"}, []string{one, three, five, six, seven}},
		"another page":     {[]string{"else"}, []string{one, five, seven}},
		"without a client": {nil, []string{one, five, seven}},
		"three pages":      {[]string{"ann", "carl", "x"}, []string{one, three, four, five, six, seven}},
	} {
		c := r.V1(t, connectToken("a:", "Ann"), row.clients...)
		if _, recovered := subscribeSince(t, c, "a:Feed/1", since); !recovered {
			t.Errorf("%s: not recovered", name)
		}
		expect(t, c, row.want...)
		c.ExpectNothing()
		c.CloseNow()
		r.Await(t, "end", func(s relaytest.Stats) bool { return s.Connections == 1 })
	}
	c = r.V1(t, connectToken("a:", "Ann"), "ann")
	if _, recovered := subscribeSince(t, c, "a:Feed/1", `{"epoch":"another","offset":1}`); recovered {
		t.Error("another epoch")
	}
	c.ExpectNothing()
	if _, recovered := subscribeSince(t, c, "a:Feed/1", ""); !recovered {
		t.Error("a subscription that asks for nothing")
	}
	c.ExpectNothing()
}

func TestWhoComesBackSinceATime(t *testing.T) {
	inBubbleWith(t, withHistory, func(t *testing.T, r *relaytest.Relay) {
		time.Sleep(time.Minute)
		r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":1}]`)
		time.Sleep(time.Minute)
		read := time.Now().Unix()
		r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":2}]`)
		one, two := `{"type":"a:Feed/1","msg":1,"wiki":true}`, `{"type":"a:Feed/1","msg":2,"wiki":true}`
		c := r.V1(t, connectToken("a:", "Ann"), "ann")
		for ago, want := range map[int64][]string{-1: {two}, 0: {two}, 60: {one, two}, 59: {two}} {
			if _, recovered := subscribeSince(t, c, "a:Feed/1", fmt.Sprintf(`{"time":%d}`, read-ago)); !recovered {
				t.Errorf("%d s ago: not recovered", ago)
			}
			expect(t, c, want...)
			c.ExpectNothing()
			_, _, text := r.HTTP(t, "GET", fmt.Sprintf("http://relay/api/history?type=a:Feed/1&since=%d", read-ago), "", publishToken("a:", nil))
			if strings.Count(text, `"wiki":true`) != len(want) || !strings.Contains(text, `"recovered":true`) {
				t.Errorf("%d s ago: %s", ago, text)
			}
		}
		if _, recovered := subscribeSince(t, c, "a:Feed/1", fmt.Sprintf(`{"time":%d}`, read-600)); recovered {
			t.Error("nobody knows what was there before the relay")
		}
		c.ExpectNothing()
	})
}

// A page that has seen less than the others of its browser asks again, on the connection that they share.
func TestSecondPageGetsWhatItMissed(t *testing.T) {
	r := relaytest.Start(t, withHistory)
	c := r.V1(t, connectToken("a:", "Ann"), "one", "two")
	since, _ := subscribeSince(t, c, "a:Feed/1", "")
	r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":1},{"type":"a:Feed/1","msg":2}]`)
	one, two := `{"type":"a:Feed/1","msg":1,"wiki":true}`, `{"type":"a:Feed/1","msg":2,"wiki":true}`
	expect(t, c, one, two)
	if _, recovered := subscribeSince(t, c, "a:Feed/1", since); !recovered {
		t.Error("not recovered")
	}
	expect(t, c, one, two)
	if _, recovered := subscribeSince(t, c, "a:Feed/1", `{"epoch":"another","offset":1}`); recovered {
		t.Error("another epoch")
	}
	r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":3}]`)
	expect(t, c, `{"type":"a:Feed/1","msg":3,"wiki":true}`)
	c.ExpectNothing()
}

func TestHistoryIsForgottenWithTheRelay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := func(cfg *config.Config) {
		withHistory(cfg)
		cfg.State = filepath.Join(dir, "wikis.json")
	}
	r := relaytest.Start(t, kept)
	c := r.V1(t, connectToken("a:", "Ann"), "ann")
	since, _ := subscribeSince(t, c, "a:Feed/1", "")
	quiet, _ := subscribeSince(t, c, "a:Feed/quiet", "")
	shared, _ := subscribeSince(t, c, "a:None", "")
	r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":1,"key":"k1"},{"type":"a:Feed/1","msg":2}]`)
	r.Close()
	r = relaytest.Start(t, kept)
	r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":"again","key":"k1"},{"type":"a:Feed/1","msg":3}]`)
	c = r.V1(t, connectToken("a:", "Ann"), "ann")
	if _, recovered := subscribeSince(t, c, "a:Feed/1", since); !recovered {
		t.Error("not recovered")
	}
	expect(t, c, `{"type":"a:Feed/1","msg":1,"wiki":true}`, `{"type":"a:Feed/1","msg":2,"wiki":true}`, `{"type":"a:Feed/1","msg":3,"wiki":true}`)
	if _, recovered := subscribeSince(t, c, "a:Feed/quiet", quiet); !recovered {
		t.Error("a type in which nothing happened")
	}
	if _, recovered := subscribeSince(t, c, "a:None", shared); recovered {
		t.Error("nobody knows what was published of a type without history")
	}
	c.ExpectNothing()
	if n := r.Stats(t).Repeated; n != 1 {
		t.Errorf("%d repeated", n)
	}
}

func TestHistoryIsReadWithoutTheRight(t *testing.T) {
	r := relaytest.Start(t, nil)
	keep := map[string]any{"count": 10, "seconds": 60}
	policies := func(read string) map[string]any {
		return map[string]any{"types": []map[string]any{{"pattern": "a:Edit", "read": read, "history": keep}, {"pattern": "a:@page/*", "token": true, "history": keep}}}
	}
	put(t, r, "a:", false, policies("anyone"))
	put(t, r, "b:", false)
	put(t, r, "p:", true, map[string]any{"types": []map[string]any{{"pattern": "p:News", "history": keep}, {"pattern": "News", "history": keep}}})
	since := fmt.Sprintf(`{"time":%d}`, time.Now().Unix()+1)
	r.Publish(t, "a:", `[{"type":"a:Edit","msg":"secret"},{"type":"a:@page/1","msg":"secret"}]`)
	r.Publish(t, "p:", `[{"type":"p:News","msg":"secret"},{"type":"News","msg":"secret"}]`)
	past := `{"time":1}`
	token := subscription("a:", "Ann", "a:@page/1")
	ann := r.V1(t, connectToken("a:", "Ann"), "ann")
	if got := code(ann.Ask(subscribeWith("a:@page/1", token))); got != "ok" {
		t.Fatal(got)
	}
	put(t, r, "a:", false, policies("right:edit"))
	disconnect(t, r, "a:", `{"type":"a:@page/1"}`)
	ann.Expect(`{"op":"revoked","type":"a:@page/1"}`)
	for name, c := range map[string]*relaytest.Client{"user": ann, "nobody": r.V1(t, ""), "of another wiki": r.V1(t, connectToken("b:", "Ann"))} {
		for _, typ := range []string{"a:Edit", "a:@page/1", "p:News"} {
			for _, since := range []string{since, past} {
				command := fmt.Sprintf(`{"id":5,"op":"subscribe","type":%q,"token":%q,"since":%s}`, typ, token, since)
				if got := c.Ask(command); code(got) != "forbidden" && code(got) != "unauthorized" || strings.Contains(got, "secret") {
					t.Errorf("%s, %s: %s", name, typ, got)
				}
			}
		}
		if h := hear(t, c.Ask(`{"id":5,"op":"subscribe","type":"News","since":{"time":1}}`)); h.Ok == nil {
			t.Errorf("%s: %+v", name, h)
		}
		c.ExpectNothing()
	}
	ed := r.V1(t, relaytest.Token("a:", "connect", "Ed", map[string]any{"rights": []string{"edit"}}), "ed")
	ed.Ask(`{"id":5,"op":"subscribe","type":"a:Edit","since":{"time":` + fmt.Sprint(time.Now().Unix()-30) + `}}`)
	ed.ExpectNothing() // nobody knows what was there before the wiki came
}

func TestWikiReadsTheHistoryOfAnother(t *testing.T) {
	keep := map[string]any{"count": 10, "seconds": 60}
	r := relaytest.Start(t, func(cfg *config.Config) {
		cfg.Wikis = append(cfg.Wikis,
			relaytest.Wiki("a:", publicOrigin, false, map[string]any{"types": []map[string]any{{"pattern": "Feed", "history": keep}, {"pattern": "a:T", "history": keep}}}),
			relaytest.Wiki("b:", otherOrigin, false, map[string]any{"types": []map[string]any{{"pattern": "Feed", "history": keep}}}))
	})
	start := make(map[string]string)
	for _, wiki := range []string{"a:", "b:"} {
		start[wiki], _ = subscribeSince(t, r.V1(t, connectToken(wiki, "Ann")), "Feed", "")
		r.Publish(t, wiki, `[{"type":"Feed","msg":"of `+wiki+`","key":"same"}]`)
	}
	if n := r.Stats(t).Repeated; n != 0 {
		t.Error("one wiki's keys keep back another's messages")
	}
	for _, wiki := range []string{"a:", "b:"} {
		c := r.V1(t, connectToken(wiki, "Ann"))
		subscribeSince(t, c, "Feed", start[wiki])
		expect(t, c, `{"type":"Feed","msg":"of `+wiki+`","wiki":true}`)
		c.ExpectNothing()
		_, _, text := r.HTTP(t, "GET", "http://relay/api/history?type=Feed&since=0", "", publishToken(wiki, nil))
		if strings.Contains(text, "of a:") && wiki == "b:" || strings.Contains(text, "of b:") && wiki == "a:" {
			t.Errorf("%s reads %s", wiki, text)
		}
	}
	stranger := r.V1(t, "")
	subscribeSince(t, stranger, "Feed", start["a:"])
	stranger.ExpectNothing()
}

func TestHistoryAtTheLimitAndOnePast(t *testing.T) {
	r := relaytest.Start(t, withHistory)
	c := r.V1(t, connectToken("a:", "Ann"), "ann")
	for n, want := range map[int]bool{3: true, 4: false} {
		since, _ := subscribeSince(t, c, "a:Few", "")
		c.Ask(`{"id":7,"op":"unsubscribe","type":"a:Few"}`)
		r.Publish(t, "a:", "["+strings.Repeat(`,{"type":"a:Few"}`, n)[1:]+"]")
		if _, recovered := subscribeSince(t, c, "a:Few", since); recovered != want {
			t.Errorf("%d messages: recovered %t", n, recovered)
		}
		if want {
			expect(t, c, `{"type":"a:Few","wiki":true}`, `{"type":"a:Few","wiki":true}`, `{"type":"a:Few","wiki":true}`)
		}
		c.ExpectNothing()
	}
}

// A replay must not end the connection that it is for.
func TestReplayFillsTheOutbox(t *testing.T) {
	const frames, each = 5, 4000
	for more, want := range map[int]bool{0: true, 1: false} {
		r := relaytest.Start(t, func(cfg *config.Config) {
			withHistory(cfg)
			cfg.Limits.OutboxBytes = 2 * frames * each
		})
		c := r.V1(t, connectToken("a:", "Ann"), "ann")
		since, _ := subscribeSince(t, c, "a:Feed/1", "")
		c.Ask(`{"id":7,"op":"unsubscribe","type":"a:Feed/1"}`)
		for i := range frames {
			n := each - 4 // its head
			if i == 0 {
				n += more
			}
			r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":"`+strings.Repeat("x", n-len(`{"type":"a:Feed/1","msg":"","offset":1,"wiki":true}`))+`"}]`)
		}
		if _, recovered := subscribeSince(t, c, "a:Feed/1", since); recovered != want {
			t.Errorf("%d bytes too many: recovered %t", more, recovered)
		}
		for i := range frames {
			if !want {
				break
			}
			if got := c.Next(); len(got) != each-4 {
				t.Errorf("frame %d has %d bytes", i, len(got))
			}
		}
		c.ExpectNothing()
	}
}

func TestNewPolicyTakesTheHistoryAway(t *testing.T) {
	r := relaytest.Start(t, nil)
	policy := func(history map[string]any) map[string]any {
		return map[string]any{"types": []map[string]any{{"pattern": "a:T", "history": history}}}
	}
	keep, none := map[string]any{"count": 10, "seconds": 60}, map[string]any{"count": 0, "seconds": 0}
	put(t, r, "a:", false, policy(keep))
	c := r.V1(t, connectToken("a:", "Ann"), "ann")
	since, _ := subscribeSince(t, c, "a:T", "")
	c.Ask(`{"id":7,"op":"unsubscribe","type":"a:T"}`)
	r.Publish(t, "a:", `[{"type":"a:T","msg":1}]`)
	put(t, r, "a:", false, policy(none))
	if _, recovered := subscribeSince(t, c, "a:T", since); recovered {
		t.Error("recovered without history")
	}
	c.Ask(`{"id":7,"op":"unsubscribe","type":"a:T"}`)
	r.Publish(t, "a:", `[{"type":"a:T","msg":2}]`)
	put(t, r, "a:", false, policy(keep))
	r.Publish(t, "a:", `[{"type":"a:T","msg":3}]`)
	if _, recovered := subscribeSince(t, c, "a:T", since); recovered {
		t.Error("recovered, but for what was published while there was no history")
	}
	c.ExpectNothing()
}

func TestWikiAsksForItsHistory(t *testing.T) {
	r := relaytest.Start(t, withHistory)
	get := func(wiki, query string) (int, string) {
		status, _, text := r.HTTP(t, "GET", "http://relay/api/history?"+query, "", publishToken(wiki, nil))
		return status, text
	}
	_, text := get("a:", "type=a:Feed/1")
	_, rest, _ := strings.Cut(text, `{"epoch":"`)
	epoch, rest, _ := strings.Cut(rest, `","offset":`)
	offset, rest, _ := strings.Cut(rest, ",")
	if rest != "\"recovered\":true,\"messages\":[]}\n" {
		t.Fatal(text)
	}
	r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":1,"to":["x"]},{"type":"a:Feed/1","msg":2,"from":"x"}]`)
	status, text := get("a:", "type=a:Feed/1&since="+epoch+":"+offset)
	if status != 200 || !strings.Contains(text, `"recovered":true,"messages":[{"type":"a:Feed/1","msg":1,"to":["x"],"offset":`) || strings.Count(text, `"wiki":true`) != 2 {
		t.Errorf("%d %s", status, text)
	}
	if status, text := get("a:", "type=a:Feed/1&since=other:1"); status != 200 || !strings.Contains(text, `"recovered":false,"messages":[]}`) {
		t.Errorf("another epoch: %d %s", status, text)
	}
	for query, want := range map[string]int{"": 400, "type=": 400, "type=a:T&since=x": 400, "type=a:T&since=:1": 400, "type=a:T&since=e:": 400, "type=a:T&since=-1": 400,
		"type=a:T&since=e:9007199254740992": 400, "type=b:T": 403, "type=p:T": 403, "type=x:@T": 403, "type=Shared": 200, "type=a:@page/1": 200, "type=a:%00": 400} {
		if status, text := get("a:", query); status != want {
			t.Errorf("%s: %d %s, want %d", query, status, text, want)
		}
	}
	if status, _, text := r.HTTP(t, "GET", "http://relay/api/history?type=a:Feed/1&since=0", "", "Authorization: Bearer "+connectToken("a:", "Ann")); status != 401 {
		t.Errorf("a user's token: %d %s", status, text)
	}
}

// A message that is sent again because its answer was lost comes once.
func TestRepeatedMessageComesTwice(t *testing.T) {
	r := relaytest.Start(t, func(cfg *config.Config) {
		farm(cfg)
		cfg.Limits.Messages.Burst, cfg.Limits.Messages.PerSecond = 4, 0.001
	})
	reader := r.V1(t, connectToken("a:", "Reader"), "reader")
	reader.Subscribe("T", "U")
	ann := r.V1(t, connectToken("a:", "Ann"), "one", "two")
	send := func(c *relaytest.Client, typ, from, key string) string {
		t.Helper()
		return c.Ask(fmt.Sprintf(`{"id":3,"op":"send","type":%q,"msg":%q,"from":%q,"key":%q}`, typ, from, from, key))
	}
	first := send(ann, "T", "one", "k")
	expect(t, reader, `{"type":"T","msg":"one","from":"one","user":"Ann"}`)
	if again := send(ann, "T", "one", "k"); again != first || code(first) != "ok" {
		t.Errorf("%s after %s", again, first)
	}
	if other := send(ann, "T", "two", "k"); other == first || code(other) != "ok" { // another page has keys of its own
		t.Errorf("%s after %s", other, first)
	}
	expect(t, reader, `{"type":"T","msg":"two","from":"two","user":"Ann"}`)
	send(ann, "T", "one", "k")
	if got := code(send(ann, "T", "one", "k")); got != "rate-limited" {
		t.Errorf("repetitions cost nothing: %s", got)
	}
	ann.CloseNow()
	r.Await(t, "end", func(s relaytest.Stats) bool { return s.Connections == 1 })
	ann = r.V1(t, connectToken("a:", "Ann"), "one")
	if again := send(ann, "T", "one", "k"); again != first { // on the next connection
		t.Errorf("%s after %s", again, first)
	}
	ann.CloseNow()
	r.Await(t, "end", func(s relaytest.Stats) bool { return s.Connections == 1 })
	post := func(wiki, messages string) string {
		status, _, text := r.HTTP(t, "POST", "http://relay/api/publish", `{"messages":`+messages+"}", jsonType, publishToken(wiki, nil))
		if status != 200 {
			t.Errorf("%d %s", status, text)
		}
		return text
	}
	published := post("a:", `[{"type":"T","msg":1,"key":"k"},{"type":"T","msg":2,"key":"l"}]`)
	expect(t, reader, `{"type":"T","msg":1,"wiki":true}`, `{"type":"T","msg":2,"wiki":true}`)
	if again := post("a:", `[{"type":"T","msg":1,"key":"k"},{"type":"T","msg":2,"key":"l"}]`); again != published {
		t.Errorf("%s after %s", again, published)
	}
	post("b:", `[{"type":"T","msg":3,"key":"k"}]`)
	expect(t, reader, `{"type":"T","msg":3,"wiki":true}`)
	reader.ExpectNothing()
	if s := r.Stats(t); s.Repeated != 5 || s.Published != 5 {
		t.Errorf("%+v", s)
	}
}

func TestOperatorSeesTheHistory(t *testing.T) {
	r := relaytest.Start(t, withHistory)
	c := r.V1(t, connectToken("a:", "Ann"))
	since, _ := subscribeSince(t, c, "a:Feed/1", "")
	r.Publish(t, "a:", `[{"type":"a:Feed/1","key":"k"},{"type":"a:Feed/1","key":"k"}]`)
	c.Next()
	subscribeSince(t, c, "a:Feed/1", since)
	c.Next()
	subscribeSince(t, c, "a:Feed/1", `{"epoch":"x","offset":1}`)
	_, _, text := r.HTTP(t, "GET", "http://control/metrics", "")
	for _, want := range []string{"history_messages 1", "repeated_total 1", "recovered_total 1", "replayed_total 1", "lost_total 1", "present 0"} {
		if !strings.Contains(text, "\nwebsocket_relay_"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	status, _, text := r.HTTP(t, "GET", "http://control/readyz", "")
	if status != 200 || !strings.Contains(text, `"history":true,"messages":1,`) {
		t.Errorf("%d %s", status, text)
	}
	_, _, text = r.HTTP(t, "GET", "http://control/api/stats", "")
	for _, want := range []string{`"repeated":1`, `"lost":1`, `"recovered":1`, `"replayed":1`, `/history.log"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}
