package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// farm puts up two wikis on one relay, which knows both.
func farm(t *testing.T) (a, b *wikitest.Wiki) {
	t.Helper()
	settings := "$wgWebSocketPageBar = false; wfLoadExtension( 'DeclaredTypes' );"
	a = wikitest.Start(t, wikitest.Options{Server: "nginx", Name: "wikia", ScriptPath: "/a", Settings: settings,
		Extensions: []string{testExtension(t, "DeclaredTypes")}})
	b = a.AddWiki(t, "b", "wikib", "$wgWebSocketPageBar = false;")
	a.StartRelay(t)
	b.StartRelay(t)
	return a, b
}

// member connects a visitor of a wiki.
func member(t *testing.T, w *wikitest.Wiki, client string) *wikitest.Socket {
	t.Helper()
	s := w.Dial(t, wikitest.Handshake{})
	if reply := s.Connect(w.Anonymous().Token(t), client); !strings.Contains(reply, `"wiki":"`+w.Options.Name+`:"`) {
		t.Fatalf("connect: %s", reply)
	}
	return s
}

// TestWikiReachesIntoAnother: on one relay no wiki's visitor hears, sends to or signs for another wiki, however types are spelled.
func TestWikiReachesIntoAnother(t *testing.T) {
	a, b := farm(t)
	names := []string{"Own", ":", "/", "*", "a*", " ", "x y", "wikia:", "wikib:", "%2F", "..", "a/../b", "wikia:Own", `"`, "💬"}
	inA, inB, senderA, senderB := member(t, a, "WSa"), member(t, b, "WSb"), member(t, a, "WSsa"), member(t, b, "WSsb")
	for _, name := range names {
		for s, id := range map[*wikitest.Socket]string{inA: "wikia:", inB: "wikib:"} {
			if reply := s.Subscribe(id+name, ""); !strings.HasPrefix(reply, `"ok"`) {
				t.Fatalf("subscribe to %s%s: %s", id, name, reply)
			}
		}
		for what, reply := range map[string]string{
			"subscribes":   inA.Subscribe("wikib:"+name, ""),
			"sends":        senderA.Ask(fmt.Sprintf(`"op":"send","type":%q,"msg":"reached"`, "wikib:"+name)),
			"b subscribes": inB.Subscribe("wikia:"+name, ""),
			"b sends":      senderB.Ask(fmt.Sprintf(`"op":"send","type":%q,"msg":"reached"`, "wikia:"+name)),
		} {
			if !strings.Contains(reply, `"code":"forbidden"`) {
				t.Errorf("%s %q of the other wiki: %s", what, name, reply)
			}
		}
	}
	for _, name := range names {
		for s, id := range map[*wikitest.Socket]string{senderA: "wikia:", senderB: "wikib:"} {
			if reply := s.Ask(fmt.Sprintf(`"op":"send","type":%q,"msg":"for %s"`, id+name, id)); !strings.HasPrefix(reply, `"ok"`) {
				t.Errorf("send %s%s: %s", id, name, reply)
			}
		}
	}
	for s, id := range map[*wikitest.Socket]string{inA: "wikia:", inB: "wikib:"} {
		s.Settle()
		got := s.Received()
		own, all := strings.Count(got, `"msg":"for `+id), strings.Count(got, `"msg":"for `)
		if own != len(names) || all != own || strings.Contains(got, "reached") {
			t.Errorf("%s got %s", id, got)
		}
	}
	t.Run("tokens", func(t *testing.T) { foreignTokens(t, a, b) })
	t.Run("flood", func(t *testing.T) { floodBeside(t, a, inB, senderB) })
}

// foreignTokens: what one wiki has signed is nothing for another, however it is altered, and no wiki signs for the types of another.
func foreignTokens(t *testing.T, a, b *wikitest.Wiki) {
	t.Helper()
	token := a.Anonymous().Token(t)
	parts := strings.Split(token, ".")
	renamed := func(part string) string {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(strings.ReplaceAll(string(text), "wikia:", "wikib:")))
	}
	other := strings.Split(b.Anonymous().Token(t), ".")
	for name, altered := range map[string]string{
		"header":                      renamed(parts[0]) + "." + parts[1] + "." + parts[2],
		"claims":                      parts[0] + "." + renamed(parts[1]) + "." + parts[2],
		"header and claims":           renamed(parts[0]) + "." + renamed(parts[1]) + "." + parts[2],
		"signature of the other wiki": parts[0] + "." + parts[1] + "." + other[2],
	} {
		if reply := b.Dial(t, wikitest.Handshake{}).Connect(altered); !strings.Contains(reply, `"code":"unauthorized"`) {
			t.Errorf("%s altered: %s", name, reply)
		}
	}
	page := topics(t, a, "Shared name")[0]
	types := "wikib:Comments/" + page + "|wikia:Comments/" + page
	answer := fmt.Sprint(a.Anonymous().API(t, wikitest.Params{"action": "websocket-subscribe", "types": types}))
	if strings.Count(answer, "token:") != 1 || !strings.Contains(answer, "bad-request") {
		t.Errorf("a wiki signs for the types of another: %s", answer)
	}
}

// floodBeside: while visitors of one wiki send as fast as they can, again and again, the other's messages arrive.
func floodBeside(t *testing.T, a *wikitest.Wiki, receiver, sender *wikitest.Socket) {
	t.Helper()
	token := a.Anonymous().Token(t)
	const most = 20000
	frame := `{"op":"send","type":"wikia:Flood","msg":"` + strings.Repeat("x", 1000) + `"}`
	over := make(chan struct{})
	var floods sync.WaitGroup
	var cut atomic.Int64
	for range 4 {
		floods.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				s, _, err := a.TryDial(t, wikitest.Handshake{})
				if err != nil {
					continue
				}
				s.Flood(fmt.Sprintf(`{"id":1,"op":"connect","token":%q,"clients":[]}`, token), 1)
				if s.Flood(frame, most) < most {
					cut.Add(1)
				}
			}
		})
	}
	wikitest.Eventually(t, "the relay cuts off who floods", func() bool { return cut.Load() >= 4 })
	for i := range 20 {
		if reply := sender.Ask(fmt.Sprintf(`"op":"send","type":"wikib:Own","msg":"amid %d."`, i)); !strings.HasPrefix(reply, `"ok"`) {
			t.Errorf("send amid the flood: %s", reply)
		}
	}
	receiver.Wait("the last message amid the flood", func(frame string) bool { return strings.Contains(frame, "amid 19.") })
	close(over)
	floods.Wait()
	if n := strings.Count(receiver.Received(), "amid "); n != 20 {
		t.Errorf("%d of 20 messages arrived", n)
	}
}
