package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// code returns the error code of a reply, or "ok".
func code(reply string) string {
	_, rest, failed := strings.Cut(reply, `"error":{"code":"`)
	if !failed {
		return "ok"
	}
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

// visitors opens one connection of each kind.
func visitors(t *testing.T, r *relaytest.Relay) map[string]*relaytest.Client {
	return map[string]*relaytest.Client{
		"nobody":      r.V1(t, "", "nobody"),
		"a anonymous": r.V1(t, connectToken("a:", ""), "aa"),
		"a user":      r.V1(t, connectToken("a:", "Ann"), "au"),
		"b user":      r.V1(t, connectToken("b:", "Bob"), "bu"),
		"p user":      r.V1(t, connectToken("p:", "Pat"), "pu"),
	}
}

func TestAttackerReadsOrWritesAnotherWiki(t *testing.T) {
	r := relaytest.Start(t, farm)
	for name, c := range visitors(t, r) {
		own := name[:1] + ":"
		for _, typ := range []string{"a:T", "b:T", "p:T", "Shared", "c:T", "A:T"} {
			owner := typ[:strings.IndexByte(typ, ':')+1]
			want := "ok"
			if registered := strings.Contains("a: b: p:", owner) && owner != ""; registered && owner != own && (name != "nobody" || owner == "p:") {
				want = "forbidden"
			}
			if got := code(c.Ask(`{"id":2,"op":"subscribe","type":"` + typ + `"}`)); got != want {
				t.Errorf("%s subscribes to %s: %s, want %s", name, typ, got, want)
			}
			c.Ask(`{"id":3,"op":"unsubscribe","type":"` + typ + `"}`)
			if got := code(c.Ask(`{"id":4,"op":"send","type":"` + typ + `"}`)); got != want {
				t.Errorf("%s sends %s: %s, want %s", name, typ, got, want)
			}
		}
		for _, typ := range []string{"a:@changes", "b:@page/1", "p:@x", "c:@x"} {
			if got := code(c.Ask(`{"id":5,"op":"send","type":"` + typ + `","msg":1}`)); got != "forbidden" {
				t.Errorf("%s sends the system type %s: %s", name, typ, got)
			}
		}
	}
}

func TestPrivateWikiLeaksToThePublic(t *testing.T) {
	r := relaytest.Start(t, farm)
	inside := r.V1(t, connectToken("p:", "Pat"), "pu")
	inside.Subscribe("Shared", "p:T")
	insideScript := r.Classic(t, "ps", "Authorization: Bearer "+connectToken("p:", ""))
	outside := map[string]*relaytest.Client{"nobody": r.V1(t, "", "n"), "a user": r.V1(t, connectToken("a:", "Ann"), "au")}
	for _, c := range outside {
		c.Subscribe("Shared")
	}
	outsideScript := r.Classic(t, "script")

	r.Publish(t, "p:", `[{"type":"Shared","msg":"secret"},{"type":"p:T","msg":"secret"},{"type":"p:@changes","msg":"secret"}]`)
	expect(t, inside, `{"type":"Shared","msg":"secret","wiki":true}`, `{"type":"p:T","msg":"secret","wiki":true}`)
	inside.Send(`{"op":"send","type":"Shared","msg":"whisper"}`)
	expect(t, insideScript, `{"type":"Shared","msg":"secret","wiki":true}`, `{"type":"p:T","msg":"secret","wiki":true}`,
		`{"type":"p:@changes","msg":"secret","wiki":true}`, `{"type":"Shared","msg":"whisper","from":"pu","user":"Pat"}`)

	r.Publish(t, "a:", `[{"type":"Shared","msg":"public"}]`)
	for name, c := range outside {
		if got := plain(c.Next()); got != `{"type":"Shared","msg":"public","wiki":true}` {
			t.Errorf("%s got %s", name, got)
		}
		c.ExpectNothing()
	}
	expect(t, outsideScript, `{"type":"Shared","msg":"public","wiki":true}`)
	inside.ExpectNothing()
}

func TestScriptSeesOnlyWhatItsTokenAllows(t *testing.T) {
	r := relaytest.Start(t, farm)
	of := func(id, token string) *relaytest.Client { return r.Classic(t, id, "Authorization: Bearer "+token) }
	scripts := map[string]*relaytest.Client{
		"nobody":  r.Classic(t, "n"),
		"a":       of("a", connectToken("a:", "")),
		"p":       of("p", connectToken("p:", "Pat")),
		"limited": of("l", relaytest.Token("a:", "connect", "", map[string]any{"allow": map[string]any{"subscribe": []string{"a:x*", "a:y"}}})),
	}
	wants := map[string][]string{
		"nobody":  {"a:x1", "a:y", "a:y1", "b:T", "Shared", "end"},
		"a":       {"a:x1", "a:y", "a:y1", "Shared", "end"},
		"limited": {"a:x1", "a:y", "a:xend"},
		"p":       {"p:T", "p:end"},
	}
	for _, typ := range []string{"a:x1", "a:y", "a:y1", "b:T", "p:T", "Shared"} {
		wiki := typ[:1] + ":"
		if typ == "Shared" {
			wiki = "a:"
		}
		r.Publish(t, wiki, `[{"type":"`+typ+`"}]`)
	}
	r.Publish(t, "a:", `[{"type":"end"},{"type":"a:xend"}]`)
	r.Publish(t, "p:", `[{"type":"p:end"}]`)
	for name, want := range wants {
		for _, typ := range want {
			if got := plain(scripts[name].Next()); got != `{"type":"`+typ+`","wiki":true}` {
				t.Errorf("%s got %s, want %s", name, got, typ)
			}
		}
	}
}

func TestSenderForgesUserOrWiki(t *testing.T) {
	r := relaytest.Start(t, farm)
	page := r.V1(t, "", "WS1")
	page.Subscribe("T")
	evil := r.V1(t, connectToken("a:", "Eve"), "WS2")
	evil.Send(`{"op":"send","type":"T","msg":1,"from":"WS2","user":"Admin","wiki":true,"offset":1}`)
	expect(t, page, `{"type":"T","msg":1,"from":"WS2","user":"Eve"}`)
	for reply, frame := range map[string]string{
		"forbidden":   `{"id":3,"op":"send","type":"T","from":"WS1"}`,
		"bad-request": `{"id":3,"op":"send","type":"T","From":"WS2"}`,
	} {
		if got := code(evil.Ask(frame)); got != reply {
			t.Errorf("%s: %s, want %s", frame, got, reply)
		}
	}
	script := r.Classic(t, "WS9")
	script.Send(`{"type":"T","msg":2,"user":"Admin","wiki":true}`)
	expect(t, page, `{"type":"T","msg":2}`)
}

func TestTokenAllowsPatterns(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.V1(t, relaytest.Token("a:", "connect", "Ann", map[string]any{"allow": map[string]any{"subscribe": []string{"a:1:*", "News"}, "send": []string{"News"}}}), "WS1")
	for typ, want := range map[string][2]string{"a:1:": {"ok", "forbidden"}, "a:1:x": {"ok", "forbidden"}, "a:10": {"forbidden", "forbidden"}, "News": {"ok", "ok"}, "News2": {"forbidden", "forbidden"}} {
		subscribe, send := code(c.Ask(`{"id":2,"op":"subscribe","type":"`+typ+`"}`)), code(c.Ask(`{"id":3,"op":"send","type":"`+typ+`"}`))
		if subscribe != want[0] || send != want[1] {
			t.Errorf("%s: subscribe %s, send %s, want %v", typ, subscribe, send, want)
		}
	}
}

func TestForeignPageOpensTheSocket(t *testing.T) {
	r := relaytest.Start(t, farm)
	for _, origin := range []string{publicOrigin, otherOrigin, privateOrigin} {
		r.Dial(t, "/", wire.Subprotocol, "Origin: "+origin)
	}
	foreign := [][]string{
		{"https://a.example.evil.com"}, {"https://evila.example"}, {"http://a.example"}, {"https://a.example:8443"}, {"https://a.example:443"}, {"null"},
		{"https://a.example."}, {"https://A.example"}, {"https://x@a.example"}, {"https://a.example/"}, {"https://sub.a.example"}, {"*"},
		{"https://a.example", "https://a.example"}, {"https://a.example, https://evil.com"}, {""},
	}
	for _, origins := range foreign {
		var headers []string
		for _, o := range origins {
			headers = append(headers, "Origin: "+o)
		}
		for _, mode := range []string{"", wire.Subprotocol} {
			if _, answer, err := r.TryDial("/", mode, headers...); err == nil || answer == nil || answer.StatusCode != http.StatusForbidden {
				t.Errorf("%q: %v %v, want 403", origins, answer, err)
			}
		}
	}
	log := r.Log.String()
	if want := `forbidden origin: add it to $wgWebSocketOrigins of the wiki whose pages have it" origin=https://evila.example`; strings.Count(log, want) != 1 {
		t.Errorf("not exactly once in the log: %s\n%s", want, log)
	}
}

func TestForeignPageUsesAToken(t *testing.T) {
	r := relaytest.Start(t, farm)
	for _, c := range []struct {
		origin, wiki string
		close        wire.Close
	}{{publicOrigin, "a:", wire.Close{}}, {otherOrigin, "a:", wire.CloseOrigin}, {privateOrigin, "a:", wire.CloseOrigin}} {
		page := r.Dial(t, "/", wire.Subprotocol, "Origin: "+c.origin)
		got := code(page.Ask(`{"id":1,"op":"connect","token":"` + connectToken(c.wiki, "Ann") + `"}`))
		if c.close.Code == 0 {
			if got != "ok" {
				t.Errorf("%s: %s", c.origin, got)
			}
			continue
		}
		if got != "forbidden" {
			t.Errorf("%s: %s", c.origin, got)
		}
		page.ExpectClose(c.close)
		if _, answer, err := r.TryDial("/", "", "Origin: "+c.origin, "Authorization: Bearer "+connectToken(c.wiki, "")); err == nil || answer.StatusCode != 403 {
			t.Errorf("classic from %s: %v", c.origin, err)
		}
	}
}

func TestAnonymousBelongsToTheOnlyPublicWikiOfItsOrigin(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) {
		farm(c)
		c.Wikis = append(c.Wikis, relaytest.Wiki("b2:", otherOrigin, false), relaytest.Wiki("p2:", publicOrigin, true))
	})
	for _, c := range []struct{ origin, wiki string }{{publicOrigin, "a:"}, {otherOrigin, ""}, {"", ""}} {
		var headers []string
		if c.origin != "" {
			headers = []string{"Origin: " + c.origin}
		}
		page := r.Dial(t, "/", wire.Subprotocol, headers...)
		if got := page.Ask(`{"id":1,"op":"connect"}`); !strings.Contains(got, fmt.Sprintf(`"wiki":%q,"user":"","ping":25}}`, c.wiki)) {
			t.Errorf("%q: %s", c.origin, got)
		}
	}
}

func TestPrivateWikiRefusesTheAnonymous(t *testing.T) {
	r := relaytest.Start(t, farm)
	page := r.Dial(t, "/", wire.Subprotocol, "Origin: "+privateOrigin)
	if got := code(page.Ask(`{"id":1,"op":"connect"}`)); got != "unauthorized" {
		t.Error(got)
	}
	page.ExpectClose(wire.CloseUnauthorized)
	if _, answer, err := r.TryDial("/", "", "Origin: "+privateOrigin); err == nil || answer.StatusCode != 401 {
		t.Errorf("classic: %v %v", answer, err)
	}
}
