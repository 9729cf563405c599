package logview_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/apps/logview"
	"mediawiki-websocket/relay/relaytest/leak"
)

// TestLogViewReadsOtherFiles is T11: a log is a name of the configuration, and nothing that a path can be made of.
func TestLogViewReadsOtherFiles(t *testing.T) {
	s := start(t, nil)
	for what, query := range map[string]string{
		"the folder above": "../access", "further above": "../../../../../../etc/passwd", "absolute": "/etc/passwd", "the file's own path": s.path("access.log"),
		"its name in the folder": "access.log", "encoded": "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "encoded twice": "%252e%252e%252fetc%252fpasswd", "NUL": "access%00.log",
		"NUL at the end": "access%00", "a folder": ".", "Windows": "..%5c..%5cetc%5cpasswd", "another case": "ACCESS", "a blank": "access%20", "a URL": "file:///etc/passwd",
	} {
		for _, path := range []string{url + "?log=" + query, url + "/connect?log=" + query} {
			r, err := http.Get(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if r.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s: %d", what, path, r.StatusCode)
			}
		}
		if c, status := s.dial(t, "?log="+query); c != nil || status != http.StatusNotFound {
			t.Errorf("%s: the socket: %d", what, status)
		}
	}
	for _, path := range []string{"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/access.log", "/..%2f..%2fetc%2fpasswd"} {
		r, err := http.Get(s.URL + url + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

// TestLinkLeadsTheLogViewOutOfItsFolder: whoever can write into the folder of a log cannot make the relay read what only the relay may.
func TestLinkLeadsTheLogViewOutOfItsFolder(t *testing.T) {
	s := start(t, nil)
	c := s.open(t, "")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.path("access.log")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, s.path("access.log")); err != nil {
		t.Fatal(err)
	}
	if c, status := s.dial(t, ""); c != nil || status != http.StatusForbidden {
		t.Errorf("a socket: %d", status)
	}
	for m := c.next(); !strings.Contains(m.Text, "not a regular file in its folder"); m = c.next() {
		if len(m.Lines) > 0 {
			t.Fatalf("%q", m.Lines)
		}
	}
}

// TestLogViewWithoutToken: no line, and no name of a file, before the right token has come.
func TestLogViewWithoutToken(t *testing.T) {
	s := start(t, nil)
	for said, want := range map[string]string{
		`{"op":"open"}`: "4403 a token is needed",
		`{"op":"open","token":"0123456789abcdeX"}`: "4403 wrong token",
		`{"op":"open","token":"` + token + `0"}`:   "4403 wrong token",
		`{"op":"ack","frames":1}`:                  "4500 bad protocol",
		`{"op":"open","token":["` + token + `"]}`:  "4500 bad protocol",
		`[]`:  "4500 bad protocol",
		token: "4500 bad protocol",
	} {
		c, _ := s.dial(t, "")
		s.add(t, "a line\n")
		c.say(said)
		if _, data, err := c.Read(c.ctx); err == nil {
			t.Errorf("%s: got %s", said, data)
		} else if e := (websocket.CloseError{}); !errors.As(err, &e) || fmt.Sprint(int(e.Code), " ", e.Reason) != want {
			t.Errorf("%s: %v, want %s", said, err, want)
		}
	}
}

// TestLogTokenIsGuessed: after ten wrong ones the next is not even looked at.
func TestLogTokenIsGuessed(t *testing.T) {
	s := start(t, nil)
	for i := range 11 {
		c, _ := s.dial(t, "")
		c.say(`{"op":"open","token":"a wrong token"}`)
		want := 4403
		if i == 10 {
			want = 4429
		}
		if code, reason := c.closeCode(); code != want {
			t.Errorf("try %d: %d %s", i+1, code, reason)
		}
	}
}

// TestForeignPageReadsTheLogs: neither a page of another host nor one whose own name leads to this machine (DNS rebinding).
func TestForeignPageReadsTheLogs(t *testing.T) {
	s := start(t, func(c *logview.Config) { c.Tokens, c.Local = nil, true })
	for _, c := range []struct {
		host, origin string
		status       int
	}{
		{"", "", 101},
		{"localhost", "http://localhost", 101},
		{"", "https://evil.example", 403},
		{"evil.example", "http://evil.example", 403},
		{"evil.example", "", 403},
		{"localhost", "http://localhost.evil.example", 403},
	} {
		o := &websocket.DialOptions{Host: c.host, HTTPHeader: http.Header{}}
		if c.origin != "" {
			o.HTTPHeader.Set("Origin", c.origin)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 6*leak.Patience)
		defer cancel()
		conn, r, err := websocket.Dial(ctx, s.URL+url+"/connect", o)
		if r == nil {
			t.Fatal(err)
		}
		if err == nil {
			conn.CloseNow()
		}
		if r.StatusCode != c.status {
			t.Errorf("%+v: %d", c, r.StatusCode)
		}
	}
	c, _ := s.dial(t, "")
	c.say(`{"op":"open","token":""}`)
	if m := c.next(); m.Op != "ready" {
		t.Errorf("%+v", m)
	}
}

// TestLogsAreOpenToEverybody: an operator who forgets the tokens is told, and so is one whose tokens could be guessed.
func TestLogsAreOpenToEverybody(t *testing.T) {
	files := map[string]string{"a": "/var/log/a"}
	for _, c := range []struct {
		config logview.Config
		says   string
	}{
		{logview.Config{Files: files}, "--log-tokens"},
		{logview.Config{Files: files, Tokens: []string{"too short"}}, "token 1"},
		{logview.Config{Local: true}, "--log-file"},
		{logview.Config{Local: true, Files: map[string]string{"../a": "/var/log/a"}}, "--log-file"},
	} {
		if _, err := logview.New(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
}
