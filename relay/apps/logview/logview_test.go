package logview_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/apps/logview"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/sockets"
)

func TestMain(m *testing.M) { leak.Main(m) }

const (
	url   = "/admin/log-view"
	token = "0123456789abcdef"
)

// site is a log view of two files, access and error, of which only the first is there.
type site struct {
	*httptest.Server
	dir string
}

func start(t *testing.T, change func(*logview.Config)) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	s.add(t, "from before\n")
	c := logview.Config{URLs: []string{url}, Files: map[string]string{"access": s.path("access.log"), "error": s.path("error.log")},
		Refresh: 5 * time.Millisecond, Tokens: []string{token}, Group: sockets.New(sockets.Options{})}
	if change != nil {
		change(&c)
	}
	v, err := logview.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(v)
	t.Cleanup(func() {
		s.Close()
		c.Group.Close()
		v.Close()
	})
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) add(t *testing.T, text string) {
	t.Helper()
	f, err := os.OpenFile(s.path("access.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// socket is a page's.
type socket struct {
	*websocket.Conn
	t      *testing.T
	ctx    context.Context
	frames int
}

type message struct {
	Op, Log, Text string
	Logs, Lines   []string
	Refresh       int
	Missed        int
}

func (s *site) dial(t *testing.T, query string) (*socket, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*leak.Patience)
	t.Cleanup(cancel)
	c, r, err := websocket.Dial(ctx, s.URL+url+"/connect"+query, nil)
	if err != nil {
		if r == nil {
			t.Fatal(err)
		}
		return nil, r.StatusCode
	}
	c.SetReadLimit(1 << 20)
	t.Cleanup(func() { c.CloseNow() })
	return &socket{Conn: c, t: t, ctx: ctx}, r.StatusCode
}

// open dials, shows the token and waits until the lines are new.
func (s *site) open(t *testing.T, query string) *socket {
	t.Helper()
	c, status := s.dial(t, query)
	if c == nil {
		t.Fatalf("status %d", status)
	}
	c.say(`{"op":"open","token":"` + token + `"}`)
	for c.next().Op != "ready" {
	}
	return c
}

func (c *socket) say(text string) {
	c.t.Helper()
	if err := c.Write(c.ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *socket) next() (m message) {
	c.t.Helper()
	_, data, err := c.Read(c.ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	var missed struct{ Lines int }
	if strings.HasPrefix(string(data), `{"lines":`) && json.Unmarshal(data, &missed) == nil {
		return message{Op: "missed", Missed: missed.Lines}
	}
	if err := json.Unmarshal(data, &m); err != nil {
		c.t.Fatalf("%s: %v", data, err)
	}
	if m.Op == "lines" {
		c.frames++
	}
	return m
}

// lines returns the next n lines. Notes between them are left out.
func (c *socket) lines(n int) (all []string) {
	c.t.Helper()
	for len(all) < n {
		m := c.next()
		if m.Op == "missed" {
			c.t.Fatalf("%d lines were missed after %d", m.Missed, len(all))
		}
		if all = append(all, m.Lines...); c.frames%8 == 0 {
			c.say(fmt.Sprintf(`{"op":"ack","frames":%d}`, c.frames))
		}
	}
	return all
}

func (c *socket) closeCode() (int, string) {
	c.t.Helper()
	for {
		if _, _, err := c.Read(c.ctx); err != nil {
			var e websocket.CloseError
			if !errors.As(err, &e) {
				c.t.Fatal(err)
			}
			return int(e.Code), e.Reason
		}
	}
}

func TestLines(t *testing.T) {
	s := start(t, nil)
	c := s.open(t, "?log=access")
	s.add(t, "one\n<b>two</b>\nhalf \xff")
	if got := c.lines(2); !slices.Equal(got, []string{"one", "<b>two</b>"}) {
		t.Errorf("%q", got)
	}
	s.add(t, " done\n")
	if got := c.lines(1); got[0] != "half \ufffd done" {
		t.Errorf("%q", got)
	}
	if err := os.Rename(s.path("access.log"), s.path("access.log.1")); err != nil {
		t.Fatal(err)
	}
	s.add(t, "in the new file\n")
	if got := c.lines(1); got[0] != "in the new file" {
		t.Errorf("%q", got)
	}
	later := s.open(t, "?log=access&tail=1")
	s.add(t, "for both\n")
	for _, c := range []*socket{c, later} {
		if got := c.lines(1); got[0] != "for both" {
			t.Errorf("%q", got)
		}
	}
}

func TestReadySaysWhatThereIs(t *testing.T) {
	s := start(t, nil)
	c, _ := s.dial(t, "?tail=1")
	c.say(`{"op":"open","token":"` + token + `"}`)
	if m := c.next(); m.Op != "lines" || !slices.Equal(m.Lines, []string{"from before"}) {
		t.Errorf("%+v", m)
	}
	if m := c.next(); m.Op != "ready" || m.Log != "access" || !slices.Equal(m.Logs, []string{"access", "error"}) || m.Refresh != 5 {
		t.Errorf("%+v", m)
	}
	c = s.open(t, "?log=error")
	if m := c.next(); m.Op != "note" || m.Text != "the file is gone; waiting for a new one" {
		t.Errorf("%+v", m)
	}
}

// TestTwentyThousandLinesAtOnce, two seconds of a busy log, all come to two viewers.
func TestTwentyThousandLinesAtOnce(t *testing.T) {
	s := start(t, nil)
	viewers := []*socket{s.open(t, ""), s.open(t, "")}
	const n = 20000
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d %s\n", i, strings.Repeat("x", 200))
	}
	s.add(t, b.String())
	for _, c := range viewers {
		for i, line := range c.lines(n) {
			if !strings.HasPrefix(line, fmt.Sprint(i, " ")) {
				t.Fatalf("line %d is %q", i, line)
			}
		}
	}
}

// TestSlowViewerIsTold: one that acknowledges nothing harms nobody else, and is told how many lines it has missed.
func TestSlowViewerIsTold(t *testing.T) {
	s := start(t, nil)
	slow, quick := s.open(t, ""), s.open(t, "")
	const n, size = 1000, 1000 // as many lines at once, of so many bytes
	had, missed := 0, 0
	for range 12 {
		s.add(t, strings.Repeat(strings.Repeat("x", size)+"\n", n))
		quick.lines(n)
	}
	for had+missed < 12*n {
		switch m := slow.next(); m.Op {
		case "lines":
			had += len(m.Lines)
		case "missed":
			missed += m.Missed
		}
		if slow.frames%8 == 0 {
			slow.say(fmt.Sprintf(`{"op":"ack","frames":%d}`, slow.frames))
		}
	}
	if had+missed != 12*n || missed == 0 {
		t.Errorf("had %d, missed %d, of %d", had, missed, 12*n)
	}
}

// TestViewersThatGoLeaveNothing: the last viewer's end ends the reading, and the next begins anew.
func TestViewersThatGoLeaveNothing(t *testing.T) {
	s := start(t, func(c *logview.Config) { c.Refresh = 0 })
	for i := range 5 {
		c := s.open(t, "")
		s.add(t, fmt.Sprintln("line", i))
		if got := c.lines(1)[0]; got != fmt.Sprint("line ", i) {
			t.Errorf("%q", got)
		}
		c.Close(websocket.StatusNormalClosure, "")
		s.add(t, "when nobody looks\n")
	}
}
