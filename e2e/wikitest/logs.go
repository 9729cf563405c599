package wikitest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// errorLogs remembers what of the wiki's error logs has been looked at.
type errorLogs struct {
	mu      sync.Mutex
	seen    map[string]int
	allowed []string
}

// errorFiles are empty on a wiki without errors.
var errorFiles = []string{"exception.log", "error.log", "fatal.log", "dberror.log", "php.log"}

func (w *Wiki) logFile(name string) string {
	data, err := os.ReadFile(filepath.Join(w.Dir, "log", name))
	if err != nil {
		return ""
	}
	return string(data)
}

// AllowErrors declares that the wiki may log errors that contain the text.
// On a shared wiki that holds for the tests after this one, too.
func (w *Wiki) AllowErrors(text string) {
	w.logs.mu.Lock()
	defer w.logs.mu.Unlock()
	w.logs.allowed = append(w.logs.allowed, text)
}

// entryStart is how an entry begins; a stack trace goes on in further lines.
var entryStart = regexp.MustCompile(`(?m)^(?:\d{4}-\d\d-\d\d |\[\d\d-\w{3}-\d{4} )`)

// isSQLites reports whether an entry is about a transaction of MediaWiki's own
// that SQLite has broken off because another has written since it began to
// read: a job after a response does that now and then. What it does to a test
// shows in the test.
func isSQLites(entry string) bool {
	return strings.Contains(entry, "database is locked") && !strings.Contains(entry, "/extensions/WebSocket/includes/")
}

// checkLogs fails the test for each entry in an error log that no check has
// seen before.
func (w *Wiki) checkLogs(t testing.TB) {
	t.Helper()
	w.logs.mu.Lock()
	defer w.logs.mu.Unlock()
	if w.logs.seen == nil {
		w.logs.seen = make(map[string]int)
	}
	for _, name := range errorFiles {
		text := w.logFile(name)
		fresh := text[min(w.logs.seen[name], len(text)):]
		w.logs.seen[name] = len(text)
		for _, entry := range entries(fresh) {
			if isSQLites(entry) {
				continue
			}
			if !slices.ContainsFunc(w.logs.allowed, func(a string) bool { return strings.Contains(entry, a) }) {
				t.Errorf("the wiki's %s: %s", name, entry)
			}
		}
	}
}

// entries splits a log into its entries.
func entries(log string) []string {
	var all []string
	start := 0
	for _, at := range append(entryStart.FindAllStringIndex(log, -1), []int{len(log)}) {
		if entry := strings.TrimSpace(log[start:at[0]]); entry != "" {
			all = append(all, entry)
		}
		start = at[0]
	}
	return all
}

// dumpLogs shows the ends of all logs of a wiki whose test failed.
func (w *Wiki) dumpLogs(t testing.TB) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(w.Dir, "log", "*"))
	relay, _ := filepath.Glob(filepath.Join(w.Dir, "websocket", "*.log"))
	for _, file := range append(files, relay...) {
		data, err := os.ReadFile(file)
		if err != nil || len(data) == 0 || strings.HasPrefix(filepath.Base(file), "install-") {
			continue
		}
		const most = 3000
		t.Logf("%s:\n%s", file, data[max(0, len(data)-most):])
	}
}

// Log returns what the wiki wrote to the debug log group "WebSocket".
func (w *Wiki) Log() string { return w.logFile("websocket.log") }

func (w *Wiki) relayLog() string { return filepath.Join(w.Dir, "log", "relay.log") }

// RelayLog returns what the relay has logged.
func (w *Wiki) RelayLog() string { return w.logFile("relay.log") }

// The three web servers log a request as
//
//	[4711] [Mon Jan  2 15:04:05 2006] 127.0.0.1:1234 [200]: GET /path
//	127.0.0.1 - - [02/Jan/2006:15:04:05 +0000] "GET /path HTTP/1.1" 200 12
var requestLine = regexp.MustCompile(`(?m)^(?:\[\d+\] \[[^\]]*\] \S+ \[\d+\]: (\S+ \S+).*|\S+ \S+ \S+ \[[^\]]*\] "(\S+ \S+) HTTP/[\d.]+" .*)$`)

// AccessLog returns the requests that the web server has answered, in the
// order in which it logged them, as "GET /path?query". A WebSocket that
// passes through the web server is logged when it closes.
func (w *Wiki) AccessLog() []string {
	name := map[string]string{"php": "php.out", "nginx": "nginx-access.log", "apache": "apache-access.log"}[w.Options.Server]
	var requests []string
	for _, m := range requestLine.FindAllStringSubmatch(w.logFile(name), -1) {
		requests = append(requests, m[1]+m[2])
	}
	return requests
}
