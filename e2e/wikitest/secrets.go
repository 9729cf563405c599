package wikitest

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// keyGenerations is how often a test may rotate a key, and one more.
const keyGenerations = 4

// secret is a spelling of a key of a wiki that runs.
type secret struct {
	wiki *Wiki
	name string
	text []byte
}

var secrets struct {
	sync.Mutex
	all []secret
}

// secretSetting finds what a wiki's keys are made from, in its settings.
var secretSetting = regexp.MustCompile(`\$(wgSecretKey|wgWebSocketKey)\s*=\s*["']([^"']+)["'];`)

// keepSecrets makes the keys of a wiki known to the checks, before anything
// of it is requested.
func (w *Wiki) keepSecrets() error {
	settings, err := os.ReadFile(filepath.Join(w.Root(), "LocalSettings.php"))
	if err != nil {
		return err
	}
	found := secretSetting.FindAllStringSubmatch(string(settings)+w.Options.Settings, -1)
	if len(found) == 0 {
		return fmt.Errorf("the wiki in %s has no $wgSecretKey", w.Root())
	}
	secrets.Lock()
	defer secrets.Unlock()
	// Not when a wiki goes: a browser that has seen it may be looked at after that.
	secrets.all = slices.DeleteFunc(secrets.all, func(s secret) bool { return s.wiki.gone.Load() })
	for _, match := range found {
		name, text := match[1], match[2]
		secrets.all = append(secrets.all, secret{w, "$" + name, []byte(text)})
		if name == "wgWebSocketKey" {
			raw, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return fmt.Errorf("$wgWebSocketKey: %w", err)
			}
			secrets.all = append(secrets.all, spellings(w, "$wgWebSocketKey", raw)...)
			continue
		}
		for generation := range keyGenerations {
			key, err := relayKey(text, generation)
			if err != nil {
				return err
			}
			secrets.all = append(secrets.all, spellings(w, fmt.Sprintf("the relay's key, generation %d,", generation), key)...)
		}
	}
	return nil
}

// relayKey derives the key of a generation as includes/Keys/WikiSecret.php
// does.
func relayKey(secretKey string, generation int) ([]byte, error) {
	info := "WebSocket relay"
	if generation > 0 {
		info += fmt.Sprintf(" %d", generation)
	}
	return hkdf.Key(sha256.New, []byte(secretKey), nil, info, 32)
}

func spellings(w *Wiki, name string, key []byte) []secret {
	upper := strings.ToUpper(hex.EncodeToString(key))
	return []secret{
		{w, name, key},
		{w, name, []byte(base64.RawStdEncoding.EncodeToString(key))},
		{w, name, []byte(base64.RawURLEncoding.EncodeToString(key))},
		{w, name, []byte(strings.ToLower(upper))},
		{w, name, []byte(upper)},
	}
}

// tokens says whose tokens may stand somewhere.
type tokens int

const (
	noTokens        tokens = iota
	anonymousTokens        // in pages, which caches keep
	userTokens             // in the answers by which users get theirs
)

var jwt = regexp.MustCompile(`eyJ[\w-]+\.(eyJ[\w-]+)\.[\w-]{20,}`)

// leaksIn returns the keys of any wiki that stand in text, and the tokens
// that should not.
func leaksIn(where string, text []byte, allowed tokens) []string {
	var leaks []string
	secrets.Lock()
	for _, s := range secrets.all {
		if bytes.Contains(text, s.text) {
			leaks = append(leaks, fmt.Sprintf("%s of %s stands in %s", s.name, s.wiki.Options.Name, where))
		}
	}
	secrets.Unlock()
	leaks = slices.Compact(leaks) // one key may be spelled alike in two ways
	if allowed == userTokens || !bytes.Contains(text, []byte("eyJ")) {
		return append(leaks, publishTokens(where, text)...)
	}
	for _, match := range jwt.FindAllSubmatch(text, -1) {
		sub, aud := claims(match[1])
		if allowed == noTokens || sub != "" || aud != "connect" {
			leaks = append(leaks, fmt.Sprintf("a token (aud %q, sub %q) stands in %s", aud, sub, where))
		}
	}
	return leaks
}

// publishTokens are for nobody but the relay.
func publishTokens(where string, text []byte) []string {
	var leaks []string
	for _, match := range jwt.FindAllSubmatch(text, -1) {
		if sub, aud := claims(match[1]); aud != "connect" && aud != "subscribe" {
			leaks = append(leaks, fmt.Sprintf("a token (aud %q, sub %q) stands in %s", aud, sub, where))
		}
	}
	return leaks
}

func claims(payload []byte) (sub, aud string) {
	var c struct{ Sub, Aud string }
	text, err := base64.RawURLEncoding.DecodeString(string(payload))
	if err != nil || json.Unmarshal(text, &c) != nil {
		return "", "unreadable"
	}
	return c.Sub, c.Aud
}

// SecretsIn returns the keys of wikis that run, and the tokens, that stand in
// a text.
func SecretsIn(text string) []string { return leaksIn("the text", []byte(text), noTokens) }

// stateFile is where the relay keeps the keys of its wikis. Nobody but its
// user may read it.
const stateFile = "wikis.json"

// Leaks returns where a key of the wiki, or a token, stands that should not:
// its and the relay's files, the command lines and environments of the
// relay's processes, and what the relay tells its operator.
func (w *Wiki) Leaks() []string {
	w.told.Lock()
	leaks := slices.Clone(w.told.leaks)
	w.told.Unlock()
	leaks = append(leaks, w.leaksInFiles()...)
	for _, file := range relayProcesses(w.Dir) {
		if text, err := os.ReadFile(file); err == nil { // processes come and go
			leaks = append(leaks, leaksIn(file, text, noTokens)...)
		}
	}
	if w.ControlSocket() == "" {
		return leaks
	}
	for _, path := range []string{"/metrics", "/api/stats", "/healthz", "/readyz"} {
		if _, body, err := w.Control("GET", path, ""); err == nil { // a relay that was killed leaves its socket
			leaks = append(leaks, leaksIn("the relay's "+path, []byte(body), noTokens)...)
		}
	}
	return leaks
}

// answered notes what leaked in an answer.
func (w *Wiki) answered(leaks ...string) {
	w.told.Lock()
	defer w.told.Unlock()
	w.told.leaks = append(w.told.leaks, leaks...)
}

// leaksInFiles looks at all files but the wiki's own settings and database.
func (w *Wiki) leaksInFiles() []string {
	var leaks []string
	for _, dir := range []string{"log", "websocket", "run", "tmp", "docroot"} {
		filepath.WalkDir(filepath.Join(w.Dir, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return nil
			}
			info, err := entry.Info()
			switch {
			case err != nil:
				return nil // it is gone
			case entry.Name() == "LocalSettings.php" || filepath.Base(filepath.Dir(path)) == "conf.d":
				return nil
			case entry.Name() == stateFile:
				if mode := info.Mode().Perm(); mode&0o077 != 0 {
					leaks = append(leaks, fmt.Sprintf("%s has mode %o: others may read the keys in it", path, mode))
				}
				return nil
			}
			if text, err := os.ReadFile(path); err == nil {
				leaks = append(leaks, leaksIn(path, text, tokensIn(path))...)
			}
			return nil
		})
	}
	return leaks
}

// tokensIn returns whose tokens a file may hold: cached pages have those of
// anonymous visitors.
func tokensIn(path string) tokens {
	if strings.Contains(path, "/cache/") {
		return anonymousTokens
	}
	return noTokens
}

// relayProcesses returns the files of /proc with the command lines of all
// processes and the environments of the relay of dir and its descendants.
func relayProcesses(dir string) []string {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var family []int
	for _, file := range files {
		line, _ := os.ReadFile(file) // processes come and go
		if bytes.Contains(line, []byte(dir)) && bytes.Contains(line, []byte("websocket-relay")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			family = append(family, pid)
		}
	}
	for i := 0; i < len(family); i++ {
		family = append(family, children(family[i])...)
		files = append(files, fmt.Sprintf("/proc/%d/environ", family[i]))
	}
	return files
}

// children returns the processes that a process has started.
func children(pid int) []int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var pids []int
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, word := range strings.Fields(string(text)) {
			child, _ := strconv.Atoi(word)
			pids = append(pids, child)
		}
	}
	return pids
}

// checkSecrets fails the test for each secret that has leaked.
func (w *Wiki) checkSecrets(t testing.TB) {
	t.Helper()
	if w.forgiven.Load() {
		return
	}
	for _, leak := range w.Leaks() {
		t.Errorf("leaked: %s", leak)
	}
}
