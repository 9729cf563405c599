package config_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/config"
)

// FuzzConfigFile: whatever is in the file, the relay starts with values in their bounds, or ends with code 2 and one line that shows no key. The
// line goes to terminals, into logs and into those of the wiki.
func FuzzConfigFile(f *testing.F) {
	for _, seed := range []string{`{"open":true}`, `{"listen":"127.0.0.1:1729","control":"c.sock","state":"s","log":"l","drainSeconds":0.5}`,
		`{"wikis":{"a:":{"key":"KEY","keys":["KEY"],"origins":["https://a.example"],"types":[{"pattern":"a:*"}]}}}`, `{"wikis":{"a:":{"key":"KEY`,
		`{"wikis":{"a:":{"key":"KEY","x":1}}}`, `{"wikis":{"a:":{"key":["KEY"]}}}`, `{"wikis":{"a":{"key":"KEY"}}}`, `{"wikis":{"a:":{"key":"KEYx"}}}`,
		`{"wikis":[{"key":"KEY"}]}`, `{"open":true,"frameBytes":0}`, `{"open":true,"types":1e9}`, `{"open":true,"pingSeconds":1e-9}`,
		`{"open":true,"connectSeconds":86401}`,
		`{"open":true,"listen":"\n\u001b[2J:99"}`, `{"open":true,"listen":"\u2028:65535","tlsCert":"a\nb","tlsKey":"\u202e"}`,
		`{"a\nb":1}`, `{"open":true}{}`, `{"open":true`,
		`{"control":"` + strings.Repeat("\\n", 60) + `"}`, `[]`, `null`, "\xff\xfe"} {
		f.Add([]byte(seed))
	}
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, auth.KeyBytes))
	path := filepath.Join(f.TempDir(), "config.json")
	f.Fuzz(func(t *testing.T, pattern []byte) {
		data := pattern
		for _, before := range []string{`"key":"`, `"key":["`, `"keys":["`} { // everywhere else it is not known for a key
			data = bytes.ReplaceAll(data, []byte(before+"KEY"), []byte(before+key))
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Parse([]string{"--config", path}, func(string) string { return "" })
		if err == nil {
			if l := c.Limits; l.FrameBytes < 1 || l.Depth < 1 || l.Types < 1 || l.ConnectTimeout <= 0 || l.PingInterval <= 0 || c.Drain <= 0 ||
				l.Bytes.PerSecond <= 0 {
				t.Errorf("%q: limits %+v", data, l)
			}
			return
		}
		var exit *config.Exit
		var stdout, stderr strings.Builder
		code := config.Report(err, &stdout, &stderr)
		text, isLine := strings.CutSuffix(stderr.String(), "\n")
		if !errors.As(err, &exit) || code != config.ExitUsage || stdout.Len() > 0 || !isLine || !utf8.ValidString(text) || len(text) > 2048 ||
			strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(text, key) {
			t.Errorf("%q: exit code %d, %q", data, code, stderr.String())
		}
	})
}
