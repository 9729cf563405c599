package auth

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// TestDatesAndAudiencesAreReadAsByTheLibrary: its own types are the measure, also for what no wiki writes.
func TestDatesAndAudiencesAreReadAsByTheLibrary(t *testing.T) {
	for _, value := range []string{`1800000000`, `-5`, `0`, `1800000000.5`, `18e8`, `9e99`, `99999999999999999999`, `"1800000000"`, `"x"`, `""`, `null`, `true`,
		`{}`, `[]`, `"connect"`, `"con\u006eect"`, `["connect"]`, `["connect","publish"]`, `["connect",1]`, `[[]]`} {
		for _, name := range []string{"exp", "nbf", "iat", "aud"} {
			text := []byte(`{"` + name + `":` + value + `}`)
			var ours claims
			var theirs jwt.RegisteredClaims
			got, want := json.Unmarshal(text, &ours), json.Unmarshal(text, &theirs)
			if (got == nil) != (want == nil) {
				t.Errorf("%s: %v, want %v", text, got, want)
			}
			if want != nil {
				continue
			}
			for i, d := range []*date{ours.ExpiresAt, ours.NotBefore, ours.IssuedAt} {
				library := []*jwt.NumericDate{theirs.ExpiresAt, theirs.NotBefore, theirs.IssuedAt}[i]
				if (d == nil) != (library == nil) || d != nil && !d.Equal(library.Time) {
					t.Errorf("%s: %v, want %v", text, d, library)
				}
			}
			if !slices.Equal(ours.Audience, audience(theirs.Audience)) {
				t.Errorf("%s: %q, want %q", text, ours.Audience, theirs.Audience)
			}
		}
	}
}
