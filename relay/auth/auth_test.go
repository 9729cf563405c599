package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire"
)

func TestMain(m *testing.M) { leak.Main(m) }

func registry(t testing.TB, wikis ...*auth.Wiki) *auth.Wikis {
	t.Helper()
	w, broken, err := auth.OpenWikis("", wikis)
	if err != nil || broken != nil {
		t.Fatal(err, broken)
	}
	return w
}

// The golden file is also what the wiki's side is tested with.
func TestTokens(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "wire", "testdata", "tokens.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name, Key, Aud, Token string
		Claims                struct {
			Iss, Sub, Sid, Type string
			Rate                auth.Rate
		}
		Valid bool
		At    int64
	}
	if err := json.Unmarshal(data, &rows); err != nil || len(rows) == 0 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		spec := fmt.Sprintf(`{"key":%q,"origins":[]}`, row.Key)
		wiki, err := auth.ParseWiki("mydb:", []byte(spec))
		if err != nil {
			t.Fatal(err)
		}
		other, err := auth.ParseWiki("other:", []byte(spec)) // even with the same key
		if err != nil {
			t.Fatal(err)
		}
		a := &auth.Auth{Wikis: registry(t, wiki, other), Now: func() time.Time { return time.Unix(row.At, 0) }}
		id, refused := a.Verify(row.Token, row.Aud)
		if row.Valid != (refused == nil) {
			t.Errorf("%s: %v", row.Name, refused)
		}
		if refused == nil && (id.Wiki != row.Claims.Iss || id.User != row.Claims.Sub || id.Session != row.Claims.Sid || id.Rate != row.Claims.Rate || !id.Token) {
			t.Errorf("%s: %+v", row.Name, id)
		}
		if refused == nil && row.Aud == "subscribe" {
			if _, err := a.Grant(&id, row.Claims.Type, row.Token); err != nil {
				t.Errorf("%s: %v", row.Name, err)
			}
		}
		if refused != nil && strings.Contains(refused.Error(), row.Token) {
			t.Errorf("%s: the error shows the token", row.Name)
		}
	}
}

func TestClocksMayDifferByAMinute(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	a := &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false)), Now: func() time.Time { return now }}
	for _, c := range []struct {
		iat, exp time.Duration
		audience string
		ok       bool
	}{
		{-time.Hour, -59 * time.Second, "connect", true}, {-time.Hour, -60 * time.Second, "connect", false},
		{60 * time.Second, time.Hour, "connect", true}, {61 * time.Second, time.Hour, "connect", false},
		{0, 60 * time.Second, "publish", true}, {0, 61 * time.Second, "publish", false},
		{60 * time.Second, 120 * time.Second, "publish", true}, {-100 * time.Second, -40 * time.Second, "publish", true},
	} {
		token := relaytest.Token("a:", c.audience, "", map[string]any{"iat": now.Add(c.iat).Unix(), "exp": now.Add(c.exp).Unix()})
		if _, err := a.Verify(token, c.audience); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestTokenForTwoAudiences(t *testing.T) {
	a := &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false))}
	for audience, ok := range map[any]bool{"connect": true, nil: false, "": false} {
		if _, err := a.Verify(relaytest.Token("a:", "connect", "", map[string]any{"aud": audience}), "connect"); (err == nil) != ok {
			t.Errorf("%v: %v", audience, err)
		}
	}
	if _, err := a.Verify(relaytest.Token("a:", "connect", "", map[string]any{"aud": []string{"connect", "publish"}}), "publish"); err == nil {
		t.Error("one token for both audiences")
	}
}

// Property: whatever the names, nobody reaches a key of another wiki's scope.
func FuzzScope(f *testing.F) {
	for _, t := range []string{"a:x", "b:x", "p:x", "x", "a:@x", "a", ":", "a:b:", "A:", "a\x00:", "p:*", "a/:x", "*", "Declared1"} {
		f.Add(t, 0)
		f.Add(t, 3)
	}
	wikis := registry(f, relaytest.Wiki("a:", "https://a.example", false), relaytest.Wiki("p:", "https://p.example", true),
		relaytest.Wiki("b:", "https://b.example", false, types(`{"pattern":"Declared*","send":"anyone"},{"pattern":"b:*","send":"anyone"}`)))
	a := &auth.Auth{Wikis: wikis}
	var ids []auth.Identity
	for _, wiki := range []string{"a:", "b:", "p:"} {
		id, err := a.Verify(relaytest.Token(wiki, "connect", "", nil), "connect")
		if err != nil {
			f.Fatal(err)
		}
		ids = append(ids, id)
	}
	anonymous, refused := a.Anonymous("")
	if refused != nil {
		f.Fatal(refused)
	}
	ids = append(ids, anonymous)
	f.Fuzz(func(t *testing.T, typ string, who int) {
		id := &ids[uint(who)%uint(len(ids))]
		owner := wikis.Owner(typ)
		access, err := a.Subscribe(id, typ)
		k := access.Key
		want := engine.Key{Type: typ}
		switch {
		case owner != nil && id.Token && owner.ID != id.Wiki, owner != nil && !id.Token && owner.Private:
			if err == nil {
				t.Fatalf("%q reaches %q", id.Wiki, typ)
			}
			return
		case owner != nil:
			want.Wiki = owner.ID
		case id.Token && (id.Wiki == "p:" || id.Wiki == "b:" && len(typ) > len("Declared") && strings.HasPrefix(typ, "Declared")):
			want.Wiki = id.Wiki
		}
		if err != nil || k != want {
			t.Errorf("%q: %q is %v %v, want %v", id.Wiki, typ, k, err, want)
		}
		if sent, err := a.Send(id, typ); err == nil && (sent.Key != k || wire.IsSystem(typ)) {
			t.Errorf("%q sends %q as %v", id.Wiki, typ, sent)
		}
		for i := range ids {
			if seen, err := a.Subscribe(&ids[i], typ); a.Sees(&ids[i], k) != (err == nil && seen.Key == k) {
				t.Errorf("%q sees %v but subscribes %v", ids[i].Wiki, k, seen)
			}
		}
	})
}

func TestConfiguredWikiStandsOverTheSavedOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wikis.json")
	w, _, err := auth.OpenWikis(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a:", "b:"} {
		if moved, err := w.Put(relaytest.Wiki(id, "https://old.example", false)); err != nil || !moved {
			t.Fatal(moved, err)
		}
	}
	for _, changed := range []bool{true, false} {
		if got, err := w.Put(relaytest.Wiki("b:", "https://new.example", false)); err != nil || got != changed {
			t.Errorf("put again: %t %v", got, err)
		}
	}
	w, _, err = auth.OpenWikis(path, []*auth.Wiki{relaytest.Wiki("a:", "https://config.example", true)})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := w.Get("a:"), w.Get("b:"); a.Origins[0] != "https://config.example" || !a.Private || b.Origins[0] != "https://new.example" {
		t.Errorf("%+v %+v", a, b)
	}
	if len(w.ByOrigin("https://old.example")) != 0 || len(w.All()) != 2 || w.All()[0].ID != "a:" {
		t.Errorf("%+v", w.All())
	}
}

func TestPutThatCannotBeSavedChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone", "wikis.json")
	w, _, err := auth.OpenWikis(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Put(relaytest.Wiki("a:", "https://a.example", false)); err == nil || strings.Contains(err.Error(), base64.StdEncoding.EncodeToString(relaytest.Key("a:"))) {
		t.Errorf("%v", err)
	}
	if w.Get("a:") != nil {
		t.Error("registered, but not saved")
	}
}
