package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// plain returns the frame without its offset, which depends on what else was sent.
func plain(frame string) string {
	head, tail, ok := strings.Cut(frame, `,"offset":`)
	if !ok {
		return frame
	}
	return head + strings.TrimLeft(tail, "0123456789")
}

func expect(t *testing.T, c *relaytest.Client, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := plain(c.Next()); got != w {
			t.Fatalf("got  %s\nwant %s", got, w)
		}
	}
}

func TestMessageReachesBothModesUnchanged(t *testing.T) {
	r := relaytest.Start(t, farm)
	oldStyle := r.Classic(t, "old")
	newStyle := r.V1(t, "", "new")
	newStyle.Subscribe("News")
	for _, msg := range []string{`"text"`, `{ "b" : 1,"a":[1 , 2.50e+3, "ü\u00fc\ud83d\ude00"] }`, `null`, `0`, `[]`, `"\u2028</script>"`} {
		oldStyle.Send(`{"msg": ` + msg + ` , "type":"News","from":"old","extra":true}`)
		expect(t, newStyle, `{"type":"News","msg":`+msg+`,"from":"old"}`)
		newStyle.Send(`{"op":"send","type":"News","msg":` + msg + `,"to":[]}`)
		expect(t, oldStyle, `{"type":"News","msg":`+msg+`,"from":"new","to":[]}`)
		r.Publish(t, "a:", `[{"type":"News","msg":`+msg+`}]`)
		want := `{"type":"News","msg":` + msg + `,"wiki":true}`
		expect(t, newStyle, want)
		expect(t, oldStyle, want)
	}
	newStyle.ExpectNothing()
}

func TestClassicMessageWithoutMsgOrFrom(t *testing.T) {
	r := relaytest.Start(t, farm)
	script, page := r.Classic(t, ""), r.V1(t, "", "WS1")
	page.Subscribe("Ping")
	script.Send(`{"type":"Ping"}`)
	expect(t, page, `{"type":"Ping"}`)
}

func TestOnlySubscribedTypesArrive(t *testing.T) {
	r := relaytest.Start(t, farm)
	page, sender := r.V1(t, "", "WS1"), r.V1(t, "", "WS2")
	page.Subscribe("One", "Two")
	sender.Ask(`{"id":2,"op":"send","type":"Three","msg":3}`)
	page.ExpectNothing()
	sender.Ask(`{"id":3,"op":"send","type":"Two","msg":2}`)
	expect(t, page, `{"type":"Two","msg":2,"from":"WS2"}`)
}

func TestRecipients(t *testing.T) {
	r := relaytest.Start(t, farm)
	sender := r.V1(t, "", "S")
	one, two, deaf := r.V1(t, "", "WS1"), r.V1(t, "", "WS2", "WS3"), r.V1(t, "", "WS4")
	script := r.Classic(t, "script")
	one.Subscribe("T")
	two.Subscribe("T")
	all := []*relaytest.Client{one, two, script}
	for _, c := range []struct {
		to   string
		gets []bool
	}{
		{`["WS1"]`, []bool{true, false, false}},
		{`["WS2","WS3"]`, []bool{false, true, false}},
		{`"WS3, script"`, []bool{false, true, true}},
		{`["WS4","nobody"]`, []bool{false, false, false}},
		{`["S"]`, []bool{false, false, false}},
		{`[]`, []bool{true, true, true}},
		{`[0]`, []bool{true, true, true}},
		{`null`, []bool{true, true, true}},
		{`""`, []bool{true, true, true}},
		{`false`, []bool{true, true, true}},
		{`0`, []bool{true, true, true}},
	} {
		sender.Ask(`{"id":2,"op":"send","type":"T","msg":1,"to":` + c.to + `}`)
		r.Publish(t, "a:", `[{"type":"T","msg":"end"}]`)
		for i, receiver := range all {
			if c.gets[i] {
				expect(t, receiver, `{"type":"T","msg":1,"from":"S","to":`+c.to+`}`)
			}
			expect(t, receiver, `{"type":"T","msg":"end","wiki":true}`)
		}
		deaf.ExpectNothing()
	}
}

func TestSenderDoesNotGetItsOwnMessage(t *testing.T) {
	r := relaytest.Start(t, farm)
	one, tabs, script := r.V1(t, "", "WS1"), r.V1(t, "", "WS2", "WS3"), r.Classic(t, "WS4")
	one.Subscribe("T")
	tabs.Subscribe("T")
	if got := one.Ask(`{"id":5,"op":"send","type":"T","msg":1}`); !strings.HasPrefix(got, `{"id":5,"ok":{"offset":`) {
		t.Fatal(got)
	}
	one.ExpectNothing()
	expect(t, tabs, `{"type":"T","msg":1,"from":"WS1"}`)
	expect(t, script, `{"type":"T","msg":1,"from":"WS1"}`)

	tabs.Send(`{"id":6,"op":"send","type":"T","msg":2,"from":"WS3"}`)
	if got := tabs.Next(); !strings.HasPrefix(got, `{"id":6,"ok":`) {
		t.Fatal(got)
	}
	expect(t, tabs, `{"type":"T","msg":2,"from":"WS3"}`) // its other tab wants it
	expect(t, one, `{"type":"T","msg":2,"from":"WS3"}`)
	expect(t, script, `{"type":"T","msg":2,"from":"WS3"}`)

	script.Send(`{"type":"T","msg":3}`) // without "from" it is still the sender
	expect(t, one, `{"type":"T","msg":3}`)
	expect(t, tabs, `{"type":"T","msg":3}`)
	r.Publish(t, "a:", `[{"type":"T","msg":4,"from":"WS4"},{"type":"T","msg":5}]`)
	expect(t, script, `{"type":"T","msg":5,"wiki":true}`)
	expect(t, one, `{"type":"T","msg":4,"from":"WS4","wiki":true}`, `{"type":"T","msg":5,"wiki":true}`)
}

func TestUnregisteredClassicConnectionReceivesNothing(t *testing.T) {
	r := relaytest.Start(t, farm)
	script := r.Classic(t, "")
	r.Publish(t, "a:", `[{"type":"T","msg":"before"}]`)
	script.Send(`{"type":"Register","from":7}`)
	r.Await(t, "registration", func(s relaytest.Stats) bool { return s.Clients == 1 })
	r.Publish(t, "a:", `[{"type":"T","msg":"after"}]`)
	expect(t, script, `{"type":"T","msg":"after","wiki":true}`)
}

func TestClassicConnectionIsWhoItLastSaid(t *testing.T) {
	r := relaytest.Start(t, farm)
	script := r.Classic(t, "first")
	script.Send(`{"type":"T","msg":0,"from":"second"}`)
	r.Await(t, "message", func(s relaytest.Stats) bool { return s.Published == 1 })
	r.Publish(t, "a:", `[{"type":"T","msg":1,"to":"first"},{"type":"T","msg":2,"to":"second"},{"type":"T","msg":3,"from":"second"}]`)
	r.Publish(t, "a:", `[{"type":"T","msg":4,"from":"first"}]`)
	expect(t, script, `{"type":"T","msg":2,"to":"second","wiki":true}`, `{"type":"T","msg":4,"from":"first","wiki":true}`)
}

func TestMalformedClassicFrameIsDropped(t *testing.T) {
	r := relaytest.Start(t, farm)
	script, page := r.Classic(t, "s"), r.V1(t, "", "p")
	page.Subscribe("T")
	for _, frame := range []string{"", "hello", "[]", `{"type":1}`, `{"type":"T","type":"T"}`, `{"Type":"T"}`, `{"type":"T","from":{}}`, strings.Repeat("[", 50)} {
		script.Send(frame)
	}
	script.Send(`{"type":"T","msg":"fine"}`)
	expect(t, page, `{"type":"T","msg":"fine"}`)
	if log := r.Log.String(); strings.Count(log, "malformed envelope") != 1 {
		t.Errorf("not sampled: %s", log)
	}
}

func TestEverySpellingOfTheURL(t *testing.T) {
	r := relaytest.Start(t, farm)
	for _, url := range []string{"/", "/websocket", "/websocket:1729", "/websocket:1730", "/?x=1", "/websocket?x"} {
		for _, mode := range []string{"", wire.Subprotocol} {
			if got := r.Dial(t, url, mode).Subprotocol(); got != mode {
				t.Errorf("%s: subprotocol %q, want %q", url, got, mode)
			}
		}
	}
	for _, url := range []string{"/websocket/", "/websocket:", "/websocket:x", "/ws", "//", "/metrics", "/healthz", "/readyz", "/api/wikis/a:", "/debug/pprof/"} {
		if _, answer, err := r.TryDial(url, ""); err == nil || answer == nil || answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v %v, want 404", url, answer, err)
		}
	}
}

// Order: the messages of one type reach every connection in one order.
func TestOneOrderForEveryReceiver(t *testing.T) {
	r := relaytest.Start(t, farm)
	const senders, each = 8, 100
	var receivers []*relaytest.Client
	for i := range 5 {
		c := r.V1(t, "", fmt.Sprintf("R%d", i))
		c.Subscribe("T")
		receivers = append(receivers, c)
	}
	for i := range senders {
		c := r.V1(t, "", fmt.Sprintf("S%d", i))
		go func() {
			for n := range each {
				c.Send(fmt.Sprintf(`{"op":"send","type":"T","msg":%d}`, n))
			}
		}()
	}
	var first []string
	for i, c := range receivers {
		last := uint64(0)
		for n := range senders * each {
			frame := c.Next()
			var m struct{ Offset uint64 }
			if err := json.Unmarshal([]byte(frame), &m); err != nil || m.Offset <= last {
				t.Fatalf("offset %d after %d: %v", m.Offset, last, err)
			}
			if last = m.Offset; i == 0 {
				first = append(first, frame)
			} else if frame != first[n] {
				t.Fatalf("receiver %d got %s where the first got %s", i, frame, first[n])
			}
		}
	}
}

func TestOpenRelayNeedsNeitherOriginNorWiki(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) { c.Open = true })
	page := r.Dial(t, "/", wire.Subprotocol, "Origin: https://anything.example")
	page.Ask(`{"id":1,"op":"connect","clients":["WS1"]}`)
	page.Subscribe("T", "no:such")
	if got := page.Ask(`{"id":2,"op":"send","type":"no:@page/1"}`); !strings.Contains(got, `"code":"forbidden"`) {
		t.Errorf("a visitor sent a system type: %s", got)
	}
	script := r.Classic(t, "s")
	script.Send(`{"type":"no:such","msg":1}`)
	expect(t, page, `{"type":"no:such","msg":1}`)
}
