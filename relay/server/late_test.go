package server_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

func put(t *testing.T, r *relaytest.Relay, wiki string, private bool, more ...map[string]any) {
	t.Helper()
	body := string(relaytest.Registration(wiki, publicOrigin, private, more...))
	if status, _, text := r.HTTP(t, "PUT", "http://control/api/wikis/"+wiki, body, jsonType); status != 200 {
		t.Fatal(status, text)
	}
}

// Pages that everybody could read have tokens that are good for a day.
func TestPublicKeepsTheTokensOfAWikiThatBecomesPrivate(t *testing.T) {
	r := relaytest.Start(t, nil)
	put(t, r, "a:", false)
	token := connectToken("a:", "")
	page, member := r.V1(t, token, "page"), r.V1(t, connectToken("a:", "Ann"), "ann")
	script := r.Classic(t, "script", "Authorization: Bearer "+token)
	stranger := r.Dial(t, "/", wire.Subprotocol, "Origin: "+publicOrigin)
	stranger.Ask(`{"id":1,"op":"connect"}`)
	classic := r.Classic(t, "classic", "Origin: "+publicOrigin)
	put(t, r, "a:", true)
	for _, c := range []*relaytest.Client{page, script, stranger, classic} {
		c.ExpectClose(wire.CloseUnauthorized)
	}
	member.ExpectNothing()
	again := r.Dial(t, "/", wire.Subprotocol)
	if got := again.Ask(`{"id":1,"op":"connect","token":"` + token + `"}`); code(got) != "unauthorized" {
		t.Errorf("the old token: %s", got)
	}
}

func TestStolenKeyGoesOnAfterItWasTakenAway(t *testing.T) {
	r := relaytest.Start(t, nil)
	key := func(wiki string) string { return base64.StdEncoding.EncodeToString(relaytest.Key(wiki)) }
	put(t, r, "a:", false, map[string]any{"key": key("new"), "keys": []string{key("a:")}})
	thief := r.V1(t, relaytest.Token("a:", "connect", "Admin", nil), "thief")
	thief.ExpectNothing()
	put(t, r, "a:", false, map[string]any{"key": key("new")})
	thief.ExpectClose(wire.CloseUnauthorized)
}

func TestForbiddenOriginStaysConnected(t *testing.T) {
	r := relaytest.Start(t, nil)
	put(t, r, "a:", false)
	page := r.Dial(t, "/", wire.Subprotocol, "Origin: "+publicOrigin)
	page.Ask(`{"id":1,"op":"connect","token":"` + connectToken("a:", "Ann") + `"}`)
	script := r.V1(t, connectToken("a:", "Ann"), "script")
	put(t, r, "a:", false, map[string]any{"origins": []string{otherOrigin}})
	page.ExpectClose(wire.CloseUnauthorized)
	script.ExpectNothing()
}

// The relay was away when something was revoked, and is told when browsers have come back with new tokens to connect and old ones to subscribe.
func TestLateRevocationMissesNewerConnections(t *testing.T) {
	now := time.Now().Unix()
	old := func(typ string) string {
		return relaytest.Token("a:", "subscribe", "Ann", map[string]any{"type": typ, "iat": now - 60})
	}
	for what, ended := range map[string][]string{`"type":"a:Page/1"`: {"a:Page/1"}, `"user":"Ann"`: {"a:Page/1", "a:Page/2"}} {
		r := relaytest.Start(t, declared)
		c := r.V1(t, connectToken("a:", "Ann"), "ann")
		for typ, token := range map[string]string{"a:Page/1": old("a:Page/1"), "a:Page/2": old("a:Page/2"), "a:Page/3": subscription("a:", "Ann", "a:Page/3")} {
			if got := c.Ask(subscribeWith(typ, token)); code(got) != "ok" {
				t.Fatal(got)
			}
		}
		if status, answer := disconnect(t, r, "a:", fmt.Sprintf(`{%s,"before":%d}`, what, now-30)); status != 200 {
			t.Fatal(status, answer)
		}
		got := make(map[string]bool)
		for range ended {
			got[c.Next()] = true
		}
		for _, typ := range ended {
			if !got[`{"op":"revoked","type":"`+typ+`"}`] {
				t.Errorf("%s: %v", what, got)
			}
		}
		c.ExpectNothing()
	}
}

func TestRevocationThatWasNotKeptIsForgotten(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state", "wikis.json")
	os.Mkdir(filepath.Dir(state), 0o700)
	r := relaytest.Start(t, func(cfg *config.Config) {
		farm(cfg)
		cfg.State = state
	})
	c := r.V1(t, connectToken("a:", "Ann"), "ann")
	os.RemoveAll(filepath.Dir(state))
	for range 1100 { // the file, which nobody sees any more, is written anew after a thousand lines
		if status, _ := disconnect(t, r, "a:", `{"user":"Ann"}`); status == 503 {
			c.ExpectClose(wire.CloseUnauthorized)
			return
		}
	}
	t.Error("the wiki is never told that nothing is kept, and will not repeat it")
}

func TestOperatorIsNotToldThatRevocationsAreForgotten(t *testing.T) {
	for state, want := range map[string]bool{"": true, filepath.Join(t.TempDir(), "wikis.json"): false} {
		r := relaytest.StartPiped(t, func(cfg *config.Config) {
			farm(cfg)
			cfg.State = state
		})
		if told := strings.Contains(r.Log.String(), "give it a --state FILE"); told != want {
			t.Errorf("state %q: told %t", state, told)
		}
	}
}
