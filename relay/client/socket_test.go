package client_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

func TestMain(m *testing.M) { leak.Main(m) }

// tab hands on what a session says.
type tab struct{ says chan string }

func (t tab) Connected(w session.Welcome)     { t.says <- "connected " + w.User }
func (t tab) Disconnected(e session.Ended)    { t.says <- "disconnected" }
func (t tab) Deliver(p any)                   { t.says <- string(p.(*client.Message).Msg) }
func (t tab) Missed(typ string)               { t.says <- "missed " + typ }
func (t tab) Fail(f session.Failure)          { t.says <- f.Op + " failed: " + f.Message }
func (t tab) Position(string, string, uint64) {}
func (t tab) Present(_ int, p any, _ *wire.Error) {
	t.says <- strings.Join(p.(client.Presence).Users, ",")
}
func (t tab) Changed(string, string, any)        {}
func (t tab) WantToken(bool)                     {}
func (t tab) WantGrants(types, refused []string) {}

func (t tab) expect(test *testing.T, want string) {
	test.Helper()
	select {
	case got := <-t.says:
		if !strings.Contains(got, want) {
			test.Fatalf("%s, want %s", got, want)
		}
	case <-time.After(relaytest.Patience):
		test.Fatalf("nothing, want %s", want)
	}
}

func start(t *testing.T, address, id, user string) (*session.Session, tab) {
	s := session.New(client.Config(nil))
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run()
	}()
	t.Cleanup(func() { s.Stop(); <-done })
	heard := tab{make(chan string, 100)}
	s.Join(id, "ws://"+address+"/", &session.Token{Text: relaytest.Token("a:", "connect", user, map[string]any{
		"allow": map[string][]string{"subscribe": {"*"}, "send": {"*"}, "presence": {"*"}}})}, heard)
	return s, heard
}

func relay(t *testing.T) (r *relaytest.Relay, address string) {
	r = relaytest.Start(t, func(c *config.Config) {
		c.Wikis = append(c.Wikis, relaytest.Wiki("a:", "https://a.example", false, map[string]any{"types": []map[string]any{
			{"pattern": "a:Chat", "send": "user", "presence": true, "history": map[string]int{"count": 10, "seconds": 60}},
			{"pattern": "a:Token", "token": true}}}))
	})
	return r, r.Addresses()[0].String()
}

func TestSessionOfAGoProgram(t *testing.T) {
	r, address := relay(t)
	ann, annHears := start(t, address, "WS1", "Ann")
	bob, bobHears := start(t, address, "WS2", "Bob")
	annHears.expect(t, "connected Ann")
	bobHears.expect(t, "connected Bob")
	for id, s := range map[string]*session.Session{"WS1": ann, "WS2": bob} {
		s.Subscribe(id, "a:Chat", session.Since{})
	}
	r.Await(t, "subscriptions", func(s relaytest.Stats) bool { return s.Types == 1 && s.Clients == 2 })
	say := func(text string) {
		body := client.Body("a:Chat", "WS1", "k"+text, json.RawMessage(`"`+text+`"`), nil)
		ann.Send("WS1", session.Message{Type: "a:Chat", Body: body, Bytes: len(body)})
	}
	ann.Presence("WS1", "a:Chat", 1)
	annHears.expect(t, `Ann`)
	bob.Presence("WS2", "a:Chat", 1)
	bobHears.expect(t, `Ann,Bob`)
	say("one")
	bobHears.expect(t, `"one"`)
	body := client.Body("a:Chat", "WS1", "", json.RawMessage(`"for Bob"`), []string{"WS2"})
	ann.Send("WS1", session.Message{Type: "a:Chat", Body: body, Bytes: len(body)})
	bobHears.expect(t, `"for Bob"`)
}

func TestAddressWhereNothingListens(t *testing.T) {
	_, hears := start(t, "127.0.0.1:1", "WS1", "Ann")
	hears.expect(t, "disconnected")
}
