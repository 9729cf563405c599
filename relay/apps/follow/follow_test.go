package follow_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/relay/apps/follow"
	"mediawiki-websocket/relay/relaytest/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// scene is a file that is followed.
type scene struct {
	*follow.Follower
	t     *testing.T
	path  string
	lines []string
	notes []string
}

// watch follows a file that holds text, "-" for none, and looks at it only when the test says so.
func watch(t *testing.T, text string) *scene {
	s := &scene{t: t, path: filepath.Join(t.TempDir(), "a.log")}
	if text != "-" {
		s.add(text)
	}
	s.follow(time.Hour)
	return s
}

func (s *scene) follow(refresh time.Duration) {
	s.Follower = follow.Open(follow.Options{Path: s.path, Refresh: refresh,
		Line: func(line []byte) { s.lines = append(s.lines, string(line)) },
		Note: func(text string) { s.notes = append(s.notes, text) }})
	s.t.Cleanup(s.Close)
}

func (s *scene) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) addTo(path, text string) {
	s.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	s.check(err)
	_, err = f.WriteString(text)
	s.check(err)
	s.check(f.Close())
}

func (s *scene) add(text string) { s.t.Helper(); s.addTo(s.path, text) }

// want looks at the file and compares what has come since the last time.
func (s *scene) want(lines ...string) {
	s.t.Helper()
	s.Poll()
	if !slices.Equal(s.lines, lines) {
		s.t.Errorf("got %q, want %q", s.lines, lines)
	}
	s.lines = nil
}

func TestFromTheEnd(t *testing.T) {
	s := watch(t, "old\nolder\n")
	s.want()
	s.add("one\ntwo\r\n\n")
	s.want("one", "two", "")
	if got := fmt.Sprintf("%q", s.Before(10)); got != `["two" ""]` {
		t.Errorf("before: %s", got)
	}
	if got := fmt.Sprintf("%q", s.Before(1<<20)); got != `["old" "older" "one" "two" ""]` {
		t.Errorf("before: %s", got)
	}
}

func TestPartialLinesComeWhole(t *testing.T) {
	s := watch(t, "old\nbegun ")
	s.add("and ")
	s.want()
	s.add("done\nhalf of ü: \xc3")
	s.want("begun and done")
	s.add("\xbc\n")
	s.want("half of ü: ü")
}

func TestLongLinesAreCut(t *testing.T) {
	const most = 8 << 10
	s := watch(t, "")
	s.add(strings.Repeat("x", most) + "\n" + strings.Repeat("y", most+1) + "\n")
	s.want(strings.Repeat("x", most), strings.Repeat("y", most)+" […]")
	for range 100 {
		s.add(strings.Repeat("z", most))
		s.want()
	}
	s.add("\nnext\n")
	s.want(strings.Repeat("z", most)+" […]", "next")
}

func TestRotationByRenaming(t *testing.T) {
	s := watch(t, "old\n")
	s.add("1\n")
	s.check(os.Rename(s.path, s.path+".1"))
	s.addTo(s.path+".1", "2, before the writer knows\n")
	s.want("1", "2, before the writer knows")
	s.addTo(s.path+".1", "3\n")
	s.add("4\n")
	s.want("3", "4")
	s.addTo(s.path+".1", "5, by a writer that is late\n")
	s.add("6\n")
	s.want("5, by a writer that is late", "6")
	s.check(os.Rename(s.path, s.path+".2")) // at once again
	s.add("7\n")
	s.want("7")
	if got := strings.Join(s.notes, "; "); got != "the file is gone; waiting for a new one; a new file has taken its place; a new file has taken its place" {
		t.Errorf("notes: %s", got)
	}
}

func TestRotationByCopyAndTruncation(t *testing.T) {
	s := watch(t, "old\n")
	s.add("1\nhalf")
	s.want("1")
	s.check(os.Truncate(s.path, 0))
	s.add("2\n")
	s.want("half", "2")
	s.check(os.Truncate(s.path, 0)) // and more than before is in it when somebody looks
	s.add("other\nlines\nthan before\n")
	s.want("other", "lines", "than before")
	s.check(os.Truncate(s.path, 0))
	s.want()
	s.add("3\n")
	s.want("3")
}

// A writer that did not open the file for appending leaves a hole when somebody empties it.
func TestHoleIsSkipped(t *testing.T) {
	s := watch(t, "")
	s.add("1\n")
	s.want("1")
	s.check(os.Truncate(s.path, 0))
	const far = 1 << 30
	f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
	s.check(err)
	defer f.Close()
	_, err = f.WriteAt([]byte("\n2\n"), far)
	s.check(err)
	s.Poll()
	if n := len(s.lines); n == 0 || s.lines[n-1] != "2" {
		t.Errorf("got %.200q", s.lines)
	}
}

func TestDeletedAndMadeAnew(t *testing.T) {
	s := watch(t, "old\n")
	s.check(os.Remove(s.path))
	s.want()
	s.want()
	s.add("1\n")
	s.want("1")
	dir := filepath.Dir(s.path)
	s.check(os.RemoveAll(dir))
	s.want()
	s.check(os.Mkdir(dir, 0o755))
	s.add("2\n")
	s.want("2")
}

func TestFileThatComesLater(t *testing.T) {
	s := watch(t, "-")
	if s.Trouble() == "" {
		t.Error("nobody is told that there is no file")
	}
	s.add("1\n")
	s.want("1")
	if s.Trouble() != "" {
		t.Errorf("trouble: %s", s.Trouble())
	}
}

func TestLinkWithinTheFolder(t *testing.T) {
	s := &scene{t: t, path: filepath.Join(t.TempDir(), "current")}
	dir := filepath.Dir(s.path)
	s.addTo(filepath.Join(dir, "monday"), "old\n")
	s.check(os.Symlink("monday", s.path))
	s.follow(time.Hour)
	s.addTo(filepath.Join(dir, "monday"), "1\n")
	s.want("1")
	s.addTo(filepath.Join(dir, "tuesday"), "2\n")
	s.check(os.Remove(s.path))
	s.check(os.Symlink("tuesday", s.path))
	s.want("2")
}

// TestLinkOutOfTheFolderIsFollowed and what else is no file to show. A pipe must not make anybody wait.
func TestLinkOutOfTheFolderIsFollowed(t *testing.T) {
	s := watch(t, "old\n")
	secret := filepath.Join(t.TempDir(), "secret")
	s.addTo(secret, "the secret\n")
	for name, replace := range map[string]func() error{
		"a link out":     func() error { return os.Symlink(secret, s.path) },
		"a relative one": func() error { return os.Symlink("../"+filepath.Base(filepath.Dir(secret))+"/secret", s.path) },
		"a folder":       func() error { return os.Mkdir(s.path, 0o755) },
		"a pipe":         func() error { return syscall.Mkfifo(s.path, 0o644) },
		"a device":       func() error { return os.Symlink("/dev/zero", s.path) },
	} {
		s.check(os.RemoveAll(s.path))
		s.check(replace())
		if err := follow.Check(s.path); !errors.Is(err, follow.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
		s.want()
		if !strings.Contains(s.Trouble(), follow.ErrForbidden.Error()) {
			t.Errorf("%s: nobody is told: %q", name, s.Trouble())
		}
	}
}

// TestChangesAreTold: with a refresh of 0 a change is told without a timer, also one of a folder that is new.
func TestChangesAreTold(t *testing.T) {
	s := &scene{t: t, path: filepath.Join(t.TempDir(), "sub", "a.log")}
	s.check(os.Mkdir(filepath.Dir(s.path), 0o755))
	s.follow(0)
	await := func(line string) {
		t.Helper()
		limit := time.After(leak.Patience)
		for !slices.Contains(s.lines, line) {
			select {
			case <-s.Changed():
				s.Poll()
			case <-limit:
				t.Fatalf("%q has not come: %q", line, s.lines)
			}
		}
	}
	s.add("1\n")
	await("1")
	s.add("2\n")
	await("2")
	s.check(os.RemoveAll(filepath.Dir(s.path)))
	s.check(os.Mkdir(filepath.Dir(s.path), 0o755))
	s.add("3\n")
	await("3")
	s.add("4\n")
	await("4")
}

// TestLinesThatAreCutInTwo: nothing is lost, split or doubled, wherever a look at the file finds its end, while it is rotated in either way.
func TestLinesThatAreCutInTwo(t *testing.T) {
	s := watch(t, "")
	const step = 997
	next := 0
	for i := 0; i < 200*step; {
		var b strings.Builder
		for range step {
			fmt.Fprintln(&b, "line", i)
			i++
		}
		text := b.String()
		s.add(text[:i%len(text)])
		s.Poll()
		s.add(text[i%len(text):])
		switch i / step % 50 {
		case 20:
			s.check(os.Rename(s.path, s.path+".1"))
		case 40:
			s.Poll()
			s.check(os.Truncate(s.path, 0))
		}
		s.Poll()
		for _, line := range s.lines {
			if line != fmt.Sprint("line ", next) {
				t.Fatalf("got %q in the place of line %d", line, next)
			}
			next++
		}
		s.lines = nil
	}
	if next != 200*step {
		t.Errorf("%d of %d lines", next, 200*step)
	}
}

// TestGrowthWithoutMeasure: what nobody could read is left out, and said, in front of what comes behind it; the next look begins where this one has ended.
func TestGrowthWithoutMeasure(t *testing.T) {
	s := watch(t, "old\nbegun")
	s.want()
	const size, look = 1 << 40, 16 << 20
	s.check(os.Truncate(s.path, size))
	s.add("\nlast\n")
	s.Poll()
	want := fmt.Sprintf("%d bytes are left out", size+6-look-len("old\nbegun"))
	if len(s.notes) != 1 || !strings.HasPrefix(s.notes[0], want) {
		t.Errorf("notes %q, want %q", s.notes, want)
	}
	if n := len(s.lines); n != 3 || s.lines[0] != "begun […]" || !strings.HasSuffix(s.lines[1], " […]") || s.lines[2] != "last" {
		t.Errorf("%d lines, the last %.20q", n, s.lines[max(0, n-1):])
	}
	s.lines = nil
	s.add("new\n")
	s.want("new")
	var b strings.Builder
	for b.Len() < look+1000 {
		b.WriteString("a line of twenty-one\n")
	}
	s.add(b.String())
	s.Poll()
	if n := len(s.lines); n == 0 || n > look/21 || slices.ContainsFunc(s.lines, func(line string) bool { return line != "a line of twenty-one" }) || len(s.notes) != 2 {
		t.Errorf("%d lines, notes %q", n, s.notes)
	}
}
