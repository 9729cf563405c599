package wikitest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Stats is what the relay tells about itself.
type Stats struct {
	Version     string  `json:"version"`
	PID         int     `json:"pid"`
	Uptime      float64 // seconds
	Connections int
	Clients     int
	Types       int
	Published   int64
	Delivered   int64
	Wikis       map[string]struct {
		Connections int
		Clients     int
		Origins     []string
		Private     bool
	}
}

// ControlSocket returns the path of the relay's control socket, or "" while
// there is none.
func (w *Wiki) ControlSocket() string {
	for _, dir := range []string{filepath.Join(w.Dir, "websocket"), filepath.Join(w.Root(), "cache"), filepath.Join(w.Root(), "images")} {
		found := ""
		filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type()&fs.ModeSocket != 0 {
				found = path
				return filepath.SkipAll
			}
			return nil
		})
		if found != "" {
			return found
		}
	}
	return ""
}

// Control sends a request to the relay's control socket and returns the
// status and the body of the answer.
func (w *Wiki) Control(method, path, body string) (int, string, error) {
	socket := w.ControlSocket()
	if socket == "" {
		return 0, "", fmt.Errorf("no control socket below %s: the relay does not run", w.Dir)
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequest(method, "http://relay"+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

// stats returns the error of a relay that does not run.
func (w *Wiki) stats() (Stats, error) {
	var s Stats
	status, body, err := w.Control(http.MethodGet, "/api/stats", "")
	if err != nil {
		return s, err
	}
	if status != http.StatusOK {
		return s, fmt.Errorf("stats: %d %s", status, body)
	}
	return s, json.Unmarshal([]byte(body), &s)
}

// Stats asks the relay, which must run.
func (w *Wiki) Stats(t testing.TB) Stats {
	t.Helper()
	s, err := w.stats()
	if err != nil {
		t.Fatalf("ask the relay: %v", err)
	}
	return s
}

// WaitRelay waits until the relay answers and returns what it says.
func (w *Wiki) WaitRelay(t testing.TB) Stats {
	t.Helper()
	var s Stats
	var err error
	Eventually(t, "the relay answers", func() bool {
		s, err = w.stats()
		return err == nil
	})
	return s
}

// StartRelay views a page, which makes the wiki start its relay, and waits
// until the relay knows this wiki.
func (w *Wiki) StartRelay(t testing.TB) {
	t.Helper()
	w.Get(t, "/index.php/Special:BlankPage")
	Eventually(t, "the relay knows the wiki", func() bool {
		s, err := w.stats()
		_, known := s.Wikis[w.Options.Name+":"]
		return err == nil && known
	})
}

// RelayPID returns the process id of the relay, 0 if none answers.
func (w *Wiki) RelayPID() int {
	s, err := w.stats()
	if err != nil {
		return 0
	}
	return s.PID
}

// KillRelay sends a signal to the relay, which must run, and waits for its
// end if the signal is one that ends it.
func (w *Wiki) KillRelay(t testing.TB, signal syscall.Signal) {
	t.Helper()
	pid := w.Stats(t).PID
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || !strings.HasPrefix(filepath.Base(exe), "websocket-relay") {
		t.Fatalf("process %d is not a relay: %s %v", pid, exe, err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatalf("signal the relay: %v", err)
	}
	switch signal {
	case syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT:
		Eventually(t, "the relay ends", func() bool { return !runs(pid) })
	}
}

// runs reports whether a process is there and no zombie.
func runs(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// PID (COMMAND) STATE …, where the command may hold anything.
	_, rest, _ := strings.Cut(string(status[strings.LastIndexByte(string(status), ')'):]), " ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// Eventually waits until a condition holds. It fails the test, naming what
// it waited for, when it has to take that for never.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	within(t, patience, what, condition)
}

// loadFactor is what a busy machine may take longer for something that has to
// happen within a time.
const loadFactor = 2

// Within fails the test unless the condition holds within the time that is
// promised for it, counted from now.
func Within(t testing.TB, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	within(t, limit*loadFactor, what, condition)
}

func within(t testing.TB, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	if !holdsWithin(limit, condition) {
		t.Fatalf("waited in vain: %s", what)
	}
}

// holdsWithin waits for a condition and tells whether it came.
func holdsWithin(limit time.Duration, condition func() bool) bool {
	for end := time.Now().Add(limit); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
