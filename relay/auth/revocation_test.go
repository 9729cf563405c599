package auth_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/relaytest"
)

func revocations(t *testing.T, path string, now func() time.Time) *auth.Revocations {
	t.Helper()
	r, skipped, err := auth.OpenRevocations(path, now)
	if err != nil || skipped != 0 {
		t.Fatal(skipped, err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRevokedTokenStillOpensTheDoor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	now := time.Now()
	a := &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false), relaytest.Wiki("b:", "https://b.example", false)), Revocations: revocations(t, path, nil)}
	type token struct {
		wiki, user, sid string
		age             int64
	}
	try := func(tok token) bool {
		claims := map[string]any{"sid": tok.sid, "iat": now.Unix() - tok.age, "exp": now.Unix() + 600}
		_, err := a.Verify(relaytest.Token(tok.wiki, "connect", tok.user, claims), "connect")
		return err == nil
	}
	for _, r := range []auth.Revocation{{Wiki: "a:", User: "Ann"}, {Wiki: "a:", Session: "s1"}} {
		if err := a.Revocations.Add(r, now.Add(-10*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	a.Revocations.Add(auth.Revocation{Wiki: "a:", User: "Ann"}, now.Add(-time.Hour)) // what was revoked stays so
	check := func(when string) {
		for tok, valid := range map[token]bool{
			{"a:", "Ann", "", 11}: false, {"a:", "Ann", "s9", 10}: false, {"a:", "Ann", "", 9}: true, {"a:", "Bob", "", 50}: true, {"b:", "Ann", "", 50}: true,
			{"a:", "", "s1", 20}: false, {"a:", "Bob", "s1", 10}: false, {"a:", "Bob", "s1", 9}: true, {"b:", "", "s1", 50}: true, {"a:", "", "", 50}: true,
		} {
			if try(tok) != valid {
				t.Errorf("%s: %+v: valid %t, want %t", when, tok, !valid, valid)
			}
		}
	}
	check("at once")
	a.Revocations.Close()
	os.WriteFile(path+".x", nil, 0o600)
	a.Revocations = revocations(t, path, nil)
	check("after a restart")
}

func TestTornFileOfRevocationsLosesTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	now := time.Now()
	os.WriteFile(path, []byte(fmt.Sprintf(`{"wiki":"a:","user":"Ann","before":%d}
rubbish
{"wiki":"a:","user":"Old","before":%d}
{"wiki":"a:","user":"Bo`, now.Unix(), now.Add(-auth.TokenLife-time.Hour).Unix())), 0o600)
	r, skipped, err := auth.OpenRevocations(path, nil)
	if err != nil || skipped != 2 || !r.Has(auth.Revocation{Wiki: "a:", User: "Ann"}, now) || r.Count("a:") != 1 {
		t.Fatalf("%d skipped, %d kept, %v", skipped, r.Count("a:"), err)
	}
	defer r.Close()
	if err := r.Add(auth.Revocation{Wiki: "a:", User: "New"}, now); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if strings.Contains(string(text), "rubbish") || strings.Count(string(text), "\n") != 2 {
		t.Errorf("the file is\n%s", text)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
}

// Whoever makes a wiki revoke without end must not bring revoked tokens back, nor fill the memory.
func TestFloodOfRevocationsFreesARevokedToken(t *testing.T) {
	now := time.Now()
	r := revocations(t, "", func() time.Time { return now })
	first := auth.Revocation{Wiki: "a:", User: "first"}
	r.Add(first, now)
	for i := range 50000 {
		r.Add(auth.Revocation{Wiki: "a:", Session: fmt.Sprint(i)}, now)
	}
	if r.Count("a:") > 1 || !r.Has(first, now) || !r.Has(auth.Revocation{Wiki: "a:", User: "anybody"}, now) {
		t.Errorf("%d kept", r.Count("a:"))
	}
	if r.Has(first, now.Add(time.Second)) || r.Has(auth.Revocation{Wiki: "b:", User: "first"}, now) {
		t.Error("new tokens, or those of another wiki, are revoked too")
	}
}

func TestSubscriptionTokenOpensSomethingElse(t *testing.T) {
	a := &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false), relaytest.Wiki("b:", "https://b.example", false)), Revocations: revocations(t, "", nil)}
	ann, _ := a.Verify(relaytest.Token("a:", "connect", "Ann", nil), "connect")
	anonymous, _ := a.Verify(relaytest.Token("a:", "connect", "", nil), "connect")
	script, _ := a.Anonymous("")
	token := func(wiki, audience, user, typ string) string {
		return relaytest.Token(wiki, audience, user, map[string]any{"type": typ})
	}
	good := token("a:", "subscribe", "Ann", "a:T")
	if _, err := a.Grant(&ann, "a:T", good); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		id         *auth.Identity
		typ, token string
	}{
		"another type":          {&ann, "a:U", good},
		"another user":          {&anonymous, "a:T", good},
		"without connect token": {&script, "a:T", token("a:", "subscribe", "", "a:T")},
		"another wiki":          {&ann, "a:T", token("b:", "subscribe", "Ann", "a:T")},
		"a connect token":       {&ann, "a:T", token("a:", "connect", "Ann", "a:T")},
		"a publish token":       {&ann, "a:T", token("a:", "publish", "Ann", "a:T")},
		"no type":               {&ann, "a:T", token("a:", "subscribe", "Ann", "")},
		"too long a life":       {&ann, "a:T", relaytest.Token("a:", "subscribe", "Ann", map[string]any{"type": "a:T", "exp": time.Now().Add(49 * time.Hour).Unix()})},
		"no iat":                {&ann, "a:T", relaytest.Token("a:", "subscribe", "Ann", map[string]any{"type": "a:T", "iat": nil})},
		"rubbish":               {&ann, "a:T", "x.y.z"},
	} {
		if _, err := a.Grant(c.id, c.typ, c.token); err == nil || err.Code != "unauthorized" {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.Revocations.Add(auth.Revocation{Wiki: "a:", Type: "a:T"}, time.Now())
	if _, err := a.Grant(&ann, "a:T", good); err == nil {
		t.Error("a revoked type")
	}
}
