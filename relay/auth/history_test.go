package auth_test

import (
	"strings"
	"testing"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/relaytest"
)

// Whoever sends to a type or reads it goes by the same policy: what some take for kept, and others do not keep, would be missed unseen.
func TestTypeIsKeptForSomeOnly(t *testing.T) {
	a := &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false, types(
		`{"pattern":"a:Feed/*","send":"user","history":{"count":5,"seconds":60}},{"pattern":"a:Feed/none","send":"user"},
		{"pattern":"Plain","send":"user","history":{"count":7,"seconds":70}}`)), relaytest.Wiki("b:", "https://b.example", false))}
	ann, _ := a.Verify(relaytest.Token("a:", "connect", "Ann", nil), "connect")
	for typ, want := range map[string]engine.History{"a:Feed/1": {Count: 5, Seconds: 60}, "a:Feed/none": {}, "Plain": {Count: 7, Seconds: 70}, "a:Other": {}, "Other": {}} {
		read, err1 := a.Subscribe(&ann, typ)
		sent, err2 := a.Send(&ann, typ)
		published, err3 := a.Publish("a:", typ)
		if err1 != nil || err2 != nil || err3 != nil || read.Keep != want || sent.Keep != want || published.Keep != want || sent.Key != read.Key || published.Key != read.Key {
			t.Errorf("%s: %+v %+v %+v", typ, read, sent, published)
		}
	}
	if other, err := a.Publish("b:", "Plain"); err != nil || other.Keep != (engine.History{}) {
		t.Errorf("another wiki keeps %+v, %v", other, err)
	}
}

func TestPoliciesChangeUnseen(t *testing.T) {
	feed := `{"pattern":"a:Feed/*","history":{"count":5,"seconds":60}}`
	histories := func(list ...string) string {
		return relaytest.Wiki("a:", "https://a.example", false, types(strings.Join(list, ","))).Histories()
	}
	was := histories(feed)
	for name, row := range map[string]struct {
		list []string
		same bool
	}{
		"the same":                     {[]string{feed}, true},
		"in another order":             {[]string{`{"pattern":"a:X"}`, feed}, true},
		"a type beside it":             {[]string{feed, `{"pattern":"a:Other/*"}`}, true},
		"who may send":                 {[]string{`{"pattern":"a:Feed/*","send":"user","history":{"count":5,"seconds":60}}`}, true},
		"more":                         {[]string{`{"pattern":"a:Feed/*","history":{"count":6,"seconds":60}}`}, false},
		"longer":                       {[]string{`{"pattern":"a:Feed/*","history":{"count":5,"seconds":61}}`}, false},
		"another":                      {[]string{feed, `{"pattern":"a:Other","history":{"count":5,"seconds":60}}`}, false},
		"a type taken out of it":       {[]string{feed, `{"pattern":"a:Feed/1"}`}, false},
		"types taken out of it":        {[]string{feed, `{"pattern":"a:Feed/1*"}`}, false},
		"types by their end taken out": {[]string{feed, `{"pattern":"a:*x"}`}, false},
		"none":                         {nil, false},
	} {
		if got := histories(row.list...); (got == was) != row.same {
			t.Errorf("%s: %q, before %q", name, got, was)
		}
	}
	if got := histories(`{"pattern":"a:X"}`); got != "" {
		t.Errorf("without history: %q", got)
	}
}

func TestPresenceIsTold(t *testing.T) {
	a := &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false, types(
		`{"pattern":"a:Room","presence":true},{"pattern":"a:Edit","presence":true,"read":"right:edit"},{"pattern":"a:Quiet"}`)))}
	identity := func(claims map[string]any) auth.Identity {
		id, err := a.Verify(relaytest.Token("a:", "connect", "Ann", claims), "connect")
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	allow := func(presence any) map[string]any {
		return map[string]any{"allow": map[string]any{"subscribe": []string{"*"}, "send": []string{"*"}, "presence": presence}}
	}
	nobody, _ := a.Anonymous("https://a.example")
	for name, row := range map[string]struct {
		id   auth.Identity
		want string // Room, Edit, Quiet
	}{
		"without a token":   {nobody, "unauthorized forbidden forbidden"},
		"all rights":        {identity(map[string]any{"rights": []string{"edit"}}), "ok ok forbidden"},
		"not an editor":     {identity(nil), "ok forbidden forbidden"},
		"allowed":           {identity(allow([]string{"a:R*"})), "ok forbidden forbidden"},
		"allowed something": {identity(allow([]string{"a:Other"})), "forbidden forbidden forbidden"},
		"allowed nothing":   {identity(allow([]string{})), "forbidden forbidden forbidden"},
		"not mentioned":     {identity(allow(nil)), "forbidden forbidden forbidden"},
	} {
		got := ""
		for _, typ := range []string{"a:Room", "a:Edit", "a:Quiet"} {
			code := "ok"
			if access, err := a.Presence(&row.id, typ); err != nil {
				code = string(err.Code)
			} else if access.Key != (engine.Key{Wiki: "a:", Type: typ}) {
				t.Errorf("%s: %+v", name, access)
			}
			got += " " + code
		}
		if got[1:] != row.want {
			t.Errorf("%s: %s, want %s", name, got[1:], row.want)
		}
	}
	a.Open = true
	if _, err := a.Presence(&nobody, "a:Room"); err != nil {
		t.Errorf("an open relay: %v", err)
	}
}
