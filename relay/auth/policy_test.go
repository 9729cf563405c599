package auth_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// types returns the member "types" of a registration.
func types(policies string) map[string]any {
	return map[string]any{"types": json.RawMessage("[" + policies + "]")}
}

// people are who may come: for each the wiki's word, and none.
func people(t testing.TB, a *auth.Auth) map[string]*auth.Identity {
	t.Helper()
	all := make(map[string]*auth.Identity)
	for name, claims := range map[string]map[string]any{"": nil, "Ann": nil, "Ed": {"rights": []string{"edit", "x"}}} {
		id, err := a.Verify(relaytest.Token("a:", "connect", name, claims), "connect")
		if err != nil {
			t.Fatal(err)
		}
		all[name] = &id
	}
	for name, origin := range map[string]string{"page without token": "https://a.example", "script": ""} {
		id, err := a.Anonymous(origin)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = &id
	}
	return all
}

// letters says what each person may do: "r" read, "t" read with a subscription token, "s" send.
func letters(a *auth.Auth, id *auth.Identity, typ string) string {
	can := ""
	switch access, err := a.Subscribe(id, typ); {
	case err != nil:
	case access.Token:
		can = "t"
	default:
		can = "r"
	}
	if _, err := a.Send(id, typ); err == nil {
		can += "s"
	}
	return can
}

func TestVisitorDoesWhatThePolicyForbids(t *testing.T) {
	const policies = `{"pattern":"a:wiki"},{"pattern":"a:user","send":"user"},{"pattern":"a:all","send":"anyone"},{"pattern":"a:right","send":"right:edit"},
		{"pattern":"a:readers","send":"anyone","read":"user"},{"pattern":"a:editors","send":"right:edit","read":"right:edit"},
		{"pattern":"a:page/*","send":"user","token":true},{"pattern":"a:page/1","send":"anyone"},{"pattern":"a:page/1*","read":"right:none"},
		{"pattern":"a:*:Comments","send":"user"},{"pattern":"Bare","send":"user","read":"user"},{"pattern":"a:@secret/*","read":"right:x"}`
	open := []string{"", "Ann", "Ed", "page without token", "script"}
	for _, row := range []struct {
		typ            string
		open, closed   string // what the five may do where undeclared types are open, and where they are not
		openM, closedM string // and where visitors without an account may not send
	}{
		{"a:wiki", "r r r r r", "r r r r r", "r r r r r", "r r r r r"},
		{"a:user", "r rs rs r r", "r rs rs r r", "r rs rs r r", "r rs rs r r"},
		{"a:all", "rs rs rs rs rs", "rs rs rs rs rs", "r rs rs r r", "r rs rs r r"},
		{"a:right", "r r rs r r", "r r rs r r", "r r rs r r", "r r rs r r"},
		{"a:readers", "s rs rs s s", "s rs rs s s", "- rs rs - -", "- rs rs - -"},
		{"a:editors", "- - rs - -", "- - rs - -", "- - rs - -", "- - rs - -"},
		{"a:page/2", "t ts ts t t", "t ts ts t t", "t ts ts t t", "t ts ts t t"},
		{"a:page/", "rs rs rs rs rs", "- - - - -", "r rs rs r r", "- - - - -"}, // "*" is at least one character
		{"a:page/1", "rs rs rs rs rs", "rs rs rs rs rs", "r rs rs r r", "r rs rs r r"},
		{"a:page/11", "- - - - -", "- - - - -", "- - - - -", "- - - - -"},
		{"a:7:Comments", "r rs rs r r", "r rs rs r r", "r rs rs r r", "r rs rs r r"},
		{"Bare", "- rs rs - rs", "- rs rs - -", "- rs rs - r", "- rs rs - -"}, // a script belongs to no wiki: its "Bare" is another
		{"a:other", "rs rs rs rs rs", "- - - - -", "r rs rs r r", "- - - - -"},
		{"Other", "rs rs rs rs rs", "- - - - -", "r rs rs r r", "- - - - -"},
		{"a:@page/1", "r r r r r", "r r r r r", "r r r r r", "r r r r r"},
		{"a:@secret/1", "- - r - -", "- - r - -", "- - r - -", "- - r - -"},
	} {
		for i, want := range []string{row.open, row.closed, row.openM, row.closedM} {
			members := map[string]any{"open": i%2 == 0, "anonymousSend": i < 2}
			a := &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false, types(policies), members))}
			who := people(t, a)
			var got []string
			for _, name := range open {
				can := letters(a, who[name], row.typ)
				if can == "" {
					can = "-"
				}
				got = append(got, can)
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("%s, %v: %s may %s, want %s", row.typ, members, strings.Join(open, ", "), got, want)
			}
		}
	}
}

// A name that one wiki has declared is not the name that the others share.
func TestOtherWikiSendsIntoADeclaredType(t *testing.T) {
	a := &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false, types(`{"pattern":"FooDataChanged"}`)), relaytest.Wiki("b:", "https://b.example", false))}
	reader, _ := a.Verify(relaytest.Token("a:", "connect", "", nil), "connect")
	access, err := a.Subscribe(&reader, "FooDataChanged")
	if err != nil {
		t.Fatal(err)
	}
	other, _ := a.Verify(relaytest.Token("b:", "connect", "Bob", nil), "connect")
	script, _ := a.Anonymous("")
	for name, id := range map[string]*auth.Identity{"user of another wiki": &other, "script": &script} {
		if k, err := a.Send(id, "FooDataChanged"); err == nil && k.Key == access.Key {
			t.Errorf("%s reaches the readers", name)
		}
	}
	if k, err := a.Publish("b:", "FooDataChanged"); err != nil || k.Key == access.Key {
		t.Errorf("the other wiki publishes as %v %v", k, err)
	}
	if k, err := a.Publish("a:", "FooDataChanged"); err != nil || k.Key != access.Key {
		t.Errorf("the wiki itself publishes as %v %v", k, err)
	}
}

func TestBadPolicyIsTaken(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat(`{"pattern":"x"},`, 501), ",")
	for policy, says := range map[string]string{
		`{"pattern":"a**b"}`: `more than one "*"`,
		`{"pattern":""}`:     "type is missing",
		`{}`:                 "type is missing",
		`{"pattern":"a\nb"}`: "control character",
		`{"pattern":"` + strings.Repeat("x", 256) + `"}`:     "at most 255",
		`{"pattern":"x","send":"everybody"}`:                 `"send" is "everybody", but it must be wiki, user, anyone or right:NAME`,
		`{"pattern":"x","send":"right:"}`:                    `"send"`,
		`{"pattern":"x","read":"wiki"}`:                      `"read" is "wiki"`,
		`{"pattern":"x","sned":"user"}`:                      `unknown member "sned"`,
		`{"pattern":"x","token":"yes"}`:                      "token",
		`{"pattern":"x","history":{"count":5}}`:              `"history"`,
		`{"pattern":"x","history":{"count":-1,"seconds":1}}`: `"history"`,
		many: "at most 500",
	} {
		_, err := auth.ParseWiki("a:", relaytest.Registration("a:", "https://a.example", false, types(policy)))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.80s: %v, want %s", policy, err, says)
		}
	}
}

func BenchmarkPolicy(b *testing.B) {
	list := make([]string, 100)
	for i := range list {
		list[i] = fmt.Sprintf(`{"pattern":"a:Foo%d/*","send":"right:edit","read":"user"}`, i)
	}
	a := &auth.Auth{Wikis: registry(b, relaytest.Wiki("a:", "https://a.example", false, types(strings.Join(list, ","))))}
	id := people(b, a)["Ed"]
	for name, decide := range map[string]func() *wire.Error{
		"Subscribe": func() *wire.Error { _, err := a.Subscribe(id, "a:Foo7/12"); return err },
		"Send":      func() *wire.Error { _, err := a.Send(id, "a:Foo7/12"); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := decide(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// In the steady state nothing is allocated to decide.
func TestDecidingCostsMemory(t *testing.T) {
	a := &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false, types(`{"pattern":"a:Foo/*","send":"right:edit","read":"user"}`)))}
	id := people(t, a)["Ed"]
	if n := testing.AllocsPerRun(100, func() {
		a.Subscribe(id, "a:Foo/1")
		a.Send(id, "a:Foo/1")
		a.Send(id, "a:undeclared")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
