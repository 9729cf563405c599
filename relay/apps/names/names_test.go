package names_test

import (
	"strings"
	"testing"

	"mediawiki-websocket/relay/apps/names"
)

func TestClean(t *testing.T) {
	for given, want := range map[string]string{
		"Ann":                   "Ann",
		"  Ann   Miller ":       "Ann Miller",
		"O'Brien-Smith jr.":     "O'Brien-Smith jr.",
		"Jürgen_2":              "Jürgen_2",
		"Анна":                  "Анна",
		"山田たろうカ":                "山田たろうカ",
		"अनुराधा":               "अनुराधा",
		"Zoe\u0301":             "Zo\u00e9", // one name, whatever a keyboard makes of it
		"\u1112\u1161\u11ab":    "\ud55c",   // likewise in Hangul
		strings.Repeat("a", 32): strings.Repeat("a", 32),
	} {
		if got, err := names.Clean(given); got != want || err != nil {
			t.Errorf("%q: %q %v, want %q", given, got, err, want)
		}
	}
	for what, name := range map[string]string{
		"empty": "", "only signs": "-._", "digits only": "123", "too long": strings.Repeat("a", 33), "two scripts": "Аnn", "an accent without a letter for it": "q\u0301nn",
		"invisible": "Ann\u200b", "an invisible letter": "Ann\u3164", "turned around": "\u202ennA", "full width": "Ａｎｎ", "small capitals": "ᴀnn",
		"mathematical": "𝐀nn", "a new line": "Ann\nBob", "a tab": "Ann\tB", "NUL": "Ann\x00", "a sign": "Ann:", "markup": "<b>Ann", "a pseudonym": "guest-1a2b",
		"like a pseudonym": "Guest 1a2b", "not UTF-8": "Ann\xff", "an emoji": "Ann😀", "no-break space": "Ann\u00a0B", "very many spaces": strings.Repeat(" ", 1000) + "Ann",
	} {
		if got, err := names.Clean(name); err == nil {
			t.Errorf("%s: %q is a name", what, got)
		}
	}
}

func TestFold(t *testing.T) {
	for _, alike := range [][2]string{{"Ann", "ann"}, {"Ann Bo", "ann-bo"}, {"Ian", "lan"}, {"Paul", "Pau1"}, {"Bob", "B0b"}, {"сосо", "coco"}, {"О'Hara", "OHara"}, {"ΑΝΝΑ", "ANNA"}, {"НЕХ", "HEX"}} {
		if names.Fold(alike[0]) != names.Fold(alike[1]) {
			t.Errorf("%q and %q look the same", alike[0], alike[1])
		}
	}
	if names.Fold("Ann") == names.Fold("Anna") {
		t.Error("different names are one")
	}
}

func TestPseudonym(t *testing.T) {
	key := []byte("a key")
	a := names.Pseudonym(key, "/chat", "192.0.2.1")
	switch {
	case !strings.HasPrefix(a, "guest-") || len(a) != len("guest-3f2a"):
		t.Errorf("it is %q", a)
	case a != names.Pseudonym(key, "/chat", "192.0.2.1"):
		t.Error("it changes")
	case a == names.Pseudonym(key, "/chat", "192.0.2.2"):
		t.Error("another address has it")
	case a == names.Pseudonym(key, "/other", "192.0.2.1"):
		t.Error("it shows who is in two rooms")
	case a == names.Pseudonym([]byte("other"), "/chat", "192.0.2.1"):
		t.Error("whoever knows the addresses finds out which it is")
	}
}

func TestText(t *testing.T) {
	if got := names.Text(" \n a\x00b\x1b[31m\r\nc\td\u0085 "); got != "ab[31m\nc\td" {
		t.Errorf("%q", got)
	}
}
