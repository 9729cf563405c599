package auth_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// remembering is a relay with the wiki a:, at a time that the test sets.
func remembering(t *testing.T) (a *auth.Auth, now *time.Time) {
	t.Helper()
	at := time.Now().Truncate(time.Second)
	clock := func() time.Time { return at }
	return &auth.Auth{Wikis: registry(t, relaytest.Wiki("a:", "https://a.example", false)), Revocations: revocations(t, "", clock), Now: clock}, &at
}

func lasting(audience, user string, now time.Time, life time.Duration) string {
	return relaytest.Token("a:", audience, user, map[string]any{"iat": now.Unix(), "exp": now.Add(life).Unix(), "sid": "s", "type": "a:T"})
}

// learn verifies the token, and fails the test unless it is remembered then.
func learn(t *testing.T, a *auth.Auth, token, audience string) {
	t.Helper()
	if _, err := a.Verify(token, audience); err != nil || !auth.Remembers(a, token, audience) {
		t.Fatal(err, "or not remembered")
	}
}

// Whatever ends a token ends one that is remembered, too, at the same moment and with the same error.
func TestRememberedTokenOutlivesItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		audience string
		end      func(a *auth.Auth, now *time.Time) error
		says     wire.Code
	}{
		"connect, expired":     {"connect", func(_ *auth.Auth, now *time.Time) error { *now = now.Add(660 * time.Second); return nil }, wire.Expired},
		"publish, expired":     {"publish", func(_ *auth.Auth, now *time.Time) error { *now = now.Add(120 * time.Second); return nil }, wire.Expired},
		"connect, clock back":  {"connect", func(_ *auth.Auth, now *time.Time) error { *now = now.Add(-61 * time.Second); return nil }, wire.Unauthorized},
		"publish, clock back":  {"publish", func(_ *auth.Auth, now *time.Time) error { *now = now.Add(-61 * time.Second); return nil }, wire.Unauthorized},
		"user revoked":         {"connect", revoke(auth.Revocation{Wiki: "a:", User: "Ann"}), wire.Unauthorized},
		"session revoked":      {"connect", revoke(auth.Revocation{Wiki: "a:", Session: "s"}), wire.Unauthorized},
		"all revoked":          {"connect", revoke(auth.Revocation{Wiki: "a:"}), wire.Unauthorized},
		"connect, another key": {"connect", otherKey, wire.Unauthorized},
		"publish, another key": {"publish", otherKey, wire.Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			a, now := remembering(t)
			life := map[string]time.Duration{"connect": 10 * time.Minute, "publish": time.Minute}[c.audience]
			token := lasting(c.audience, "Ann", *now, life)
			learn(t, a, token, c.audience)
			*now = now.Add(life + 59*time.Second) // the last moment, for the clocks may differ
			if _, err := a.Verify(token, c.audience); err != nil || !auth.Remembers(a, token, c.audience) {
				t.Errorf("before its end: %v", err)
			}
			*now = now.Add(-life - 59*time.Second)
			if err := c.end(a, now); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Verify(token, c.audience); err == nil || err.Code != c.says {
				t.Errorf("after it: %v, want %s", err, c.says)
			}
		})
	}
}

func revoke(what auth.Revocation) func(*auth.Auth, *time.Time) error {
	return func(a *auth.Auth, now *time.Time) error { return a.Revocations.Add(what, *now) }
}

func otherKey(a *auth.Auth, _ *time.Time) error {
	wiki, err := auth.ParseWiki("a:", relaytest.Registration("a:", "https://a.example", false, map[string]any{"key": strings.Repeat("A", 43) + "="}))
	if err == nil {
		_, err = a.Wikis.Put(wiki)
	}
	return err
}

// A subscription token that is remembered opens nothing else than before, and is revoked like any.
func TestRememberedSubscriptionTokenOpensSomethingElse(t *testing.T) {
	a, now := remembering(t)
	ann, _ := a.Verify(lasting("connect", "Ann", *now, time.Hour), "connect")
	bob, _ := a.Verify(lasting("connect", "Bob", *now, time.Hour), "connect")
	token := lasting("subscribe", "Ann", *now, time.Hour)
	for range 2 {
		if _, err := a.Grant(&ann, "a:T", token); err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]*wire.Error{
			"another type": second(a.Grant(&ann, "a:U", token)), "another user": second(a.Grant(&bob, "a:T", token)),
			"to connect": second(a.Verify(token, "connect")), "to publish": second(a.Verify(token, "publish")),
		} {
			if err == nil || err.Code != wire.Unauthorized {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	a.Revocations.Add(auth.Revocation{Wiki: "a:", Type: "a:T"}, *now)
	if _, err := a.Grant(&ann, "a:T", token); err == nil {
		t.Error("its type was revoked")
	}
}

func second[T any](_ T, err *wire.Error) *wire.Error { return err }

// A wiki goes on publishing, with the token that it has, whatever it has revoked meanwhile.
func TestRevocationStopsTheWikiItself(t *testing.T) {
	a, now := remembering(t)
	old, unseen := lasting("publish", "", now.Add(-10*time.Second), time.Minute), lasting("publish", "", now.Add(-11*time.Second), time.Minute)
	learn(t, a, old, "publish")
	for _, r := range []auth.Revocation{{}, {Public: true}, {User: "Ann"}, {Session: "s"}, {Type: "a:T"}} {
		r.Wiki = "a:"
		if err := a.Revocations.Add(r, *now); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{old, unseen} {
			if _, err := a.Verify(token, "publish"); err != nil {
				t.Errorf("%+v: %v", r, err)
			}
		}
	}
	if _, err := a.Verify(lasting("connect", "", *now, time.Minute), "connect"); err == nil {
		t.Error("a visitor's token of that time is good")
	}
}

// Neither rubbish nor tokens of users make the relay forget what a wiki publishes with, or fill its memory.
func TestCrowdOfTokensPushesOutTheWikisOwn(t *testing.T) {
	a, now := remembering(t)
	wiki := a.Wikis.Get("a:")
	own, page := lasting("publish", "", *now, time.Minute), lasting("connect", "", *now, time.Hour)
	learn(t, a, own, "publish")
	learn(t, a, page, "connect")
	if n, _ := auth.Remembered(wiki); n != 2 {
		t.Fatalf("%d tokens are remembered", n)
	}
	head, signature, _ := strings.Cut(own, ".")
	for i := range 2000 {
		for _, junk := range []string{own + fmt.Sprint(i), fmt.Sprint(i, ".") + signature, head + fmt.Sprint(".", i, ".", i), page[:len(page)-i%100-1]} {
			for _, audience := range audiences {
				if _, err := a.Verify(junk, audience); err == nil {
					t.Fatalf("%q is taken", junk)
				}
			}
		}
	}
	if n, _ := auth.Remembered(wiki); n != 2 || !auth.Remembers(a, own, "publish") || !auth.Remembers(a, page, "connect") {
		t.Errorf("after the rubbish %d tokens are remembered", n)
	}
	for i := range 2000 {
		if _, err := a.Verify(lasting("connect", fmt.Sprint("user ", i), *now, time.Hour), "connect"); err != nil {
			t.Fatal(err)
		}
	}
	n, most := auth.Remembered(wiki)
	if !auth.Remembers(a, own, "publish") || n < most/2 || most > 300 {
		t.Errorf("after the users %d of %d tokens are remembered, the wiki's own: %t", n, most, auth.Remembers(a, own, "publish"))
	}
	long := lasting("connect", strings.Repeat("x", 3000), *now, time.Hour)
	if _, err := a.Verify(long, "connect"); err != nil || auth.Remembers(a, long, "connect") {
		t.Errorf("a long token: %v, or it is remembered", err)
	}
}

// The tokens with which a wiki publishes follow each other every 20 seconds. One that still counts does not make room for the next: those that have
// expired do.
func TestNextPublishTokenPushesOutAGoodOne(t *testing.T) {
	a, now := remembering(t)
	var tokens []string
	for range 40 {
		token := lasting("publish", "", *now, time.Minute)
		learn(t, a, token, "publish")
		tokens = append(tokens, token)
		for age := range min(len(tokens), 6) {
			if !auth.Remembers(a, tokens[len(tokens)-1-age], "publish") {
				t.Fatalf("of %d tokens the one that is %d s old is forgotten", len(tokens), 20*age)
			}
		}
		*now = now.Add(20 * time.Second)
	}
}

// Many at once, while the wiki changes its key to and fro: a token is good exactly when its key counts.
func TestTokensWhileTheKeyChanges(t *testing.T) {
	a, now := remembering(t)
	token, user := lasting("publish", "", *now, time.Minute), lasting("connect", "Ann", *now, time.Minute)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, err := range []*wire.Error{second(a.Verify(token, "publish")), second(a.Verify(user, "connect"))} {
					if err != nil && err.Code != wire.Unauthorized {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range 200 {
		if err := otherKey(a, now); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Verify(token, "publish"); err == nil {
			t.Fatal("good although its key is gone")
		}
		if _, err := a.Wikis.Put(relaytest.Wiki("a:", "https://a.example", false)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Verify(token, "publish"); err != nil {
			t.Fatal(i, err)
		}
	}
	close(stop)
	readers.Wait()
}

// A token that comes again costs no memory.
func TestKnownTokenCostsMemory(t *testing.T) {
	a, now := remembering(t)
	for _, audience := range []string{"publish", "connect"} {
		token := lasting(audience, "Ann", *now, time.Minute)
		learn(t, a, token, audience)
		if n := testing.AllocsPerRun(100, func() { a.Verify(token, audience) }); n != 0 {
			t.Errorf("%s: %v allocations", audience, n)
		}
	}
}
