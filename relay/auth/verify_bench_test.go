package auth_test

import (
	"testing"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/relaytest"
)

// BenchmarkVerify is what it costs to know whose token it is: one that comes again and again ("hit"), as a wiki's for publishing and that of a page in a
// cache do, and one that comes for the first time ("miss").
func BenchmarkVerify(b *testing.B) {
	revocations, _, err := auth.OpenRevocations("", nil)
	if err != nil {
		b.Fatal(err)
	}
	a := &auth.Auth{Wikis: registry(b, relaytest.Wiki("a:", "https://a.example", false)), Revocations: revocations}
	revocations.Add(auth.Revocation{Wiki: "a:", User: "Eve"}, time.Now())
	may := map[string]any{"subscribe": []string{"*"}, "send": []string{"*"}, "presence": []string{"*"}}
	for _, kind := range []struct {
		name, audience, user string
		claims               map[string]any
	}{
		{"publish", "publish", "", nil},
		{"anonymous", "connect", "", map[string]any{"allow": may, "rate": auth.Rate{Count: 300, Seconds: 60}}},
		{"user", "connect", "Ann", map[string]any{"allow": may, "rate": auth.Rate{Count: 1200, Seconds: 60}, "rights": []string{"edit", "patrol"}}},
	} {
		tokens := make([]string, 1<<12) // more than are remembered
		now := time.Now().Unix()
		for i := range tokens {
			claims := map[string]any{"sid": time.Duration(i).String(), "iat": now, "exp": now + 60}
			for name, value := range kind.claims {
				claims[name] = value
			}
			tokens[i] = relaytest.Token("a:", kind.audience, kind.user, claims)
		}
		verify := func(b *testing.B, token string) {
			if id, err := a.Verify(token, kind.audience); err != nil || id.User != kind.user {
				b.Error(id, err)
			}
		}
		b.Run(kind.name+"/hit", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				verify(b, tokens[0])
			}
		})
		b.Run(kind.name+"/miss", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				verify(b, tokens[i%len(tokens)])
			}
		})
		b.Run(kind.name+"/parallel hits", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					verify(b, tokens[0])
				}
			})
		})
	}
}
