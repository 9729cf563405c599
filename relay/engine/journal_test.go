package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire/codec"
)

var (
	page = engine.Key{Wiki: "a:", Type: "a:@page/12"}
	keep = engine.History{Count: 1000, Seconds: 3600}
	none = engine.History{}
)

func ignore(*engine.Message) {}

func publish(t testing.TB, e engine.Engine, k engine.Key, text string, keep engine.History) uint64 {
	t.Helper()
	m := &engine.Message{Key: k, Keep: keep, Message: codec.Message{Envelope: codec.Envelope{Type: k.Type, Msg: []byte(text)}}}
	if _, err := e.Publish(m, ignore); err != nil {
		t.Fatal(err)
	}
	return m.Offset
}

func at(e engine.Engine, k engine.Key, since *codec.Since) (found engine.Missed) {
	e.At(k, keep, since, func(m engine.Missed) { found = m })
	return found
}

func after(p codec.Position) *codec.Since { return &codec.Since{Position: p} }

func texts(m engine.Missed) (list []string) {
	for _, message := range m.Messages {
		list = append(list, string(message.Msg))
	}
	return list
}

// written returns a journal with some messages, which was closed or not, what is in it, and a position before them.
func written(t testing.TB, o engine.Options, closed bool) (content []byte, start codec.Position) {
	t.Helper()
	e := open(t, o)
	e.Declare("a:", "1")
	start = at(e, page, nil).Now
	for n := range 5 {
		publish(t, e, page, fmt.Sprint(n), keep)
	}
	if closed {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(o.Journal)
	if err != nil {
		t.Fatal(err)
	}
	return content, start
}

func inFolder(t testing.TB) engine.Options {
	return engine.Options{Journal: filepath.Join(t.TempDir(), "history.log")}
}

// leave puts content where o has its journal, as a process that was killed leaves it.
func leave(t testing.TB, content []byte) engine.Options {
	t.Helper()
	o := inFolder(t)
	if err := os.WriteFile(o.Journal, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return o
}

// Killed in the middle of a write: the message whose write was cut short was not acknowledged, all others are there.
func TestTornTail(t *testing.T) {
	o := inFolder(t)
	content, start := written(t, o, false)
	last, next := 0, bytes.IndexByte(content, '\n')+1
	for next < len(content) {
		last, next = next, next+13+int(binary.LittleEndian.Uint32(content[next:]))
	}
	for cut := last; cut <= len(content); cut++ {
		var log strings.Builder
		left := leave(t, content[:cut])
		left.Log = slog.New(slog.NewTextHandler(&log, nil))
		e := open(t, left)
		want := []string{"0", "1", "2", "3", "4"}
		if cut < len(content) {
			want = want[:4]
		}
		torn := cut > last && cut < len(content)
		if m := at(e, page, after(start)); !m.All || !slices.Equal(texts(m), want) || strings.Contains(log.String(), "cut off") != torn {
			t.Errorf("cut at %d of %d: %v, all: %t\n%s", cut, len(content), texts(m), m.All, &log)
		}
		offset := publish(t, e, page, "next", keep)
		e.Close()
		e = open(t, left)
		m := at(e, page, after(start))
		if !m.All || !slices.Equal(texts(m), append(want, "next")) || m.Messages[len(want)].Offset != offset {
			t.Errorf("cut at %d, after it: %v, all: %t", cut, texts(m), m.All)
		}
		e.Close()
	}
}

// A file that is damaged anywhere: what is missing is unknown, so a new epoch begins, and the file is set aside.
func TestDamage(t *testing.T) {
	content, start := written(t, inFolder(t), true)
	magic := bytes.IndexByte(content, '\n') + 1
	for place := magic; place < len(content); place++ {
		bad := bytes.Clone(content)
		bad[place] ^= 0x10
		var log strings.Builder
		o := leave(t, bad)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		e := open(t, o)
		if m := at(e, page, after(start)); m.All || m.Now.Epoch == start.Epoch {
			t.Fatalf("byte %d of %d: goes on with epoch %s, missed %v, all: %t", place, len(content), m.Now.Epoch, texts(m), m.All)
		}
		aside, err := os.ReadFile(o.Journal + ".bad")
		if err != nil || !bytes.Equal(aside, bad) || !strings.Contains(log.String(), "damaged") {
			t.Errorf("byte %d: %v\n%s", place, err, &log)
		}
		e.Declare("a:", "1")
		now := at(e, page, nil).Now
		publish(t, e, page, "next", keep)
		e.Close()
		if m := at(open(t, o), page, after(now)); !m.All || len(m.Messages) != 1 {
			t.Errorf("byte %d: what comes after is not kept", place)
		}
	}
}

func TestMachineStartedAnew(t *testing.T) {
	for _, closed := range []bool{true, false} {
		o := inFolder(t).WithBoot("first")
		m := &engine.Message{Key: page, Keep: keep, Dedup: "x"}
		content, start := written(t, o, closed)
		if !closed {
			e := open(t, leave(t, content).WithBoot("first"))
			if m := at(e, page, after(start)); !m.All || len(m.Messages) != 5 {
				t.Errorf("the same machine: %v, all: %t", texts(m), m.All)
			}
		}
		left := leave(t, content).WithBoot("second")
		e := open(t, left)
		if found := at(e, page, after(start)); found.All != closed || (found.Now.Epoch == start.Epoch) != closed {
			t.Errorf("closed: %t, all: %t", closed, found.All)
		}
		if _, err := e.Publish(m, ignore); err != nil {
			t.Fatal(err)
		}
		// Killed now: the machine is still the second.
		content, err := os.ReadFile(left.Journal)
		if err != nil {
			t.Fatal(err)
		}
		e = open(t, leave(t, content).WithBoot("second"))
		if repeated, err := e.Publish(&engine.Message{Key: page, Keep: keep, Dedup: "x"}, ignore); err != nil || !repeated {
			t.Error(repeated, err)
		}
		e = open(t, leave(t, content).WithBoot("third"))
		if found := at(e, page, after(start)); found.All {
			t.Error("who knows what the second machine has lost")
		}
		if repeated, err := e.Publish(&engine.Message{Key: page, Keep: keep, Dedup: "x"}, ignore); err != nil || !repeated {
			t.Error("keys that are known are good for any epoch", repeated, err)
		}
	}
}

// A page that knows only when it was made is told the same.
func TestMachineStartedAnewSinceTime(t *testing.T) {
	o, clock := withClock(inFolder(t))
	o = o.WithBoot("first")
	e := open(t, o)
	e.Declare("a:", "1")
	clock.Advance(10 * time.Second)
	since := &codec.Since{Time: clock.Now().Unix()}
	publish(t, e, page, "0", keep)
	clock.Advance(10 * time.Second)
	content, err := os.ReadFile(o.Journal)
	if err != nil {
		t.Fatal(err)
	}
	for _, boot := range []string{"first", "second"} {
		o.Journal = leave(t, content).Journal
		e := open(t, o.WithBoot(boot))
		e.Declare("a:", "1")
		m := at(e, page, since)
		if same := boot == "first"; m.All != same || (len(m.Messages) == 1) != same || at(e, engine.Key{Wiki: "a:", Type: "quiet"}, since).All != same {
			t.Errorf("%s: %v, all: %t", boot, texts(m), m.All)
		}
	}
}

// Nothing that was kept before a machine's breakdown counts any more, nor does its running out take newer messages along.
func TestWhatWasKeptBeforeANewEpochComesBack(t *testing.T) {
	o, clock := withClock(inFolder(t))
	keep := engine.History{Count: 100, Seconds: 300}
	e := open(t, o.WithBoot("first"))
	for range 5 {
		publish(t, e, page, "old", keep)
	}
	content, err := os.ReadFile(o.Journal)
	if err != nil {
		t.Fatal(err)
	}
	o.Journal = leave(t, content).Journal
	e = open(t, o.WithBoot("second"))
	if s := e.Stats(); s.Messages != 0 || s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
	clock.Advance(200 * time.Second)
	start := at(e, page, nil).Now
	publish(t, e, page, "1", keep)
	publish(t, e, page, "2", keep)
	clock.Advance(150 * time.Second) // the old ones would run out
	publish(t, e, engine.Key{Wiki: "a:", Type: "other"}, "x", keep)
	if m := at(e, page, after(start)); !m.All || len(m.Messages) != 2 {
		t.Errorf("%v, all: %t", texts(m), m.All)
	}
}

// Whoever subscribes at a relay whose place another has taken gets a position that the other has not given to anything yet.
func TestPositionOfAClosedEngineCoversWhatTheNextOnePublishes(t *testing.T) {
	o := inFolder(t)
	old := open(t, o)
	publish(t, old, page, "0", keep)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := old.Publish(&engine.Message{Key: page, Keep: keep}, ignore); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("a message is taken: %v", err)
		}
	}
	start := at(old, page, nil).Now
	next := open(t, o)
	publish(t, next, page, "1", keep)
	if m := at(next, page, after(start)); !m.All || len(m.Messages) != 1 {
		t.Errorf("%v, all: %t", texts(m), m.All)
	}
}

// Policies that were changed and changed back, and a process that was killed before that had settled.
func TestPoliciesChangedBack(t *testing.T) {
	o, _ := withClock(inFolder(t))
	e := open(t, o)
	e.Declare("a:", "1")
	start := at(e, page, nil).Now
	publish(t, e, engine.Key{Type: "plain"}, "x", none)
	for _, policies := range []string{"2", "1"} {
		e.Declare("a:", policies)
		changed := at(e, page, nil).Now
		publish(t, e, page, "x", none) // was looked at before the change
		content, err := os.ReadFile(o.Journal)
		if err != nil {
			t.Fatal(err)
		}
		left := leave(t, content)
		left.Now, left.After = o.Now, o.After
		next := open(t, left)
		next.Declare("a:", policies)
		if at(next, page, after(start)).All || at(next, page, after(changed)).All {
			t.Errorf("after %q nobody knows what was published without being kept", policies)
		}
	}
}

// The file may be written anew before a change of policies has settled.
func TestPoliciesChangedBeforeTheFileIsWrittenAnew(t *testing.T) {
	o, _ := withClock(inFolder(t))
	e := open(t, o)
	e.Declare("a:", "1")
	e.Declare("a:", "2")
	start := at(e, page, nil).Now
	publish(t, e, page, "x", engine.History{}) // was looked at before the change
	if err := e.Rewrite(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(o.Journal)
	if err != nil {
		t.Fatal(err)
	}
	o.Journal = leave(t, content).Journal
	e = open(t, o)
	e.Declare("a:", "2")
	if m := at(e, page, after(start)); m.All {
		t.Errorf("%v is all", texts(m))
	}
}

func TestFile(t *testing.T) {
	o := inFolder(t)
	written(t, o, true)
	os.Chmod(o.Journal, 0o644)
	e := open(t, o)
	if info, err := os.Stat(o.Journal); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := engine.Open(o); !errors.Is(err, engine.ErrTaken) {
		t.Errorf("a second one: %v", err)
	}
	if err := e.Rewrite(); err != nil { // another file, with a lock of its own
		t.Fatal(err)
	}
	if _, err := engine.Open(o); !errors.Is(err, engine.ErrTaken) {
		t.Errorf("a second one: %v", err)
	}
	if info, err := os.Stat(o.Journal); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Error(err)
	}
	if _, err := e.Publish(&engine.Message{Key: page, Keep: keep}, ignore); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := e.Publish(&engine.Message{Key: page}, ignore); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	open(t, o).Close()
	for content, want := range map[string]string{"root:x:0:0\n": "no history", "mediawiki-websocket history 2\n": "", "mediawiki-web": "", "": ""} {
		o := leave(t, []byte(content))
		e, err := engine.Open(o)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
		if err == nil {
			e.Close()
		} else if now, _ := os.ReadFile(o.Journal); string(now) != content {
			t.Errorf("%q became %q", content, now)
		}
	}
	if _, err := engine.Open(engine.Options{Journal: filepath.Join(t.TempDir(), "missing", "history.log")}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A full disk: what cannot be kept is refused, all else goes on, and so does history when there is room again.
