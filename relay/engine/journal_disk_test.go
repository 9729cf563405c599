package engine_test

import (
	"errors"
	"log/slog"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/relaytest/leak"
	"os"
	"strings"
	"testing"
	"time"
)

func TestFullDisk(t *testing.T) {
	o := inFolder(t)
	var log strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	e := open(t, o)
	e.Declare("a:", "1")
	start := at(e, page, nil).Now
	publish(t, e, page, "0", keep)
	if err := os.Mkdir(o.Journal+".new", 0o700); err != nil { // nor can it be written anew
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Journal+".new/x", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.BreakDisk(); err != nil {
		t.Fatal(err)
	}
	m := &engine.Message{Key: page, Keep: keep, Dedup: "x"}
	for range 3 {
		if repeated, err := e.Publish(m, func(*engine.Message) { t.Error("delivered, and not kept") }); err == nil || repeated {
			t.Errorf("repeated %t, %v", repeated, err)
		}
	}
	publish(t, e, engine.Key{Type: "plain"}, "0", none)
	e.UseReserved()
	publish(t, e, engine.Key{Type: "plain"}, "1", none) // an offset of which a next process could not know
	if _, err := os.Stat(o.Journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a next process would give offsets twice: %v", err)
	}
	if err := os.Remove(o.Journal + ".new/x"); err != nil { // what is left is removed by the engine
		t.Fatal(err)
	}
	for end := time.Now().Add(leak.Patience); ; time.Sleep(time.Millisecond) { // it tries by itself
		if _, err := e.Publish(m, ignore); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	last := publish(t, e, page, "2", keep)
	e.Close()
	e = open(t, o)
	found := at(e, page, after(start))
	if !found.All || len(found.Messages) != 3 || found.Messages[2].Offset != last {
		t.Errorf("%v, all: %t", texts(found), found.All)
	}
	if repeated, err := e.Publish(m, ignore); err != nil || !repeated {
		t.Errorf("repeated %t, %v", repeated, err)
	}
	if !strings.Contains(log.String(), "no space left") || strings.Count(log.String(), "\n") > 2 {
		t.Errorf("%s", &log)
	}
}

// A relay starts although its file cannot be written: what needs none goes on, and the rest as soon as it can.
func TestDiskThatIsFullAtTheStart(t *testing.T) {
	o := inFolder(t)
	var log strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	if err := os.MkdirAll(o.Journal+".new/x", 0o700); err != nil { // it cannot be made
		t.Fatal(err)
	}
	e := open(t, o)
	e.Declare("a:", "1")
	start := at(e, page, nil).Now
	publish(t, e, engine.Key{Type: "plain"}, "0", none)
	m := &engine.Message{Key: page, Keep: keep}
	if _, err := e.Publish(m, func(*engine.Message) { t.Error("delivered, and not kept") }); err == nil {
		t.Error("it is kept nowhere")
	}
	if _, err := os.Stat(o.Journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a next process would believe what is not so: %v", err)
	}
	if err := os.Remove(o.Journal + ".new/x"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(leak.Patience); ; time.Sleep(time.Millisecond) { // it tries by itself
		if _, err := e.Publish(m, ignore); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	e.Close()
	if found := at(open(t, o), page, after(start)); !found.All || len(found.Messages) != 1 {
		t.Errorf("%v, all: %t", texts(found), found.All)
	}
	if !strings.Contains(log.String(), "made anew") {
		t.Errorf("%s", &log)
	}
}
