package engine_test

import (
	"fmt"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/engine/enginetest"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire/codec"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// What is of no use any more goes from the file, while messages go on being published; nothing of use does.
func TestRewriting(t *testing.T) {
	clock := enginetest.NewClock()
	o := inFolder(t)
	o.Now, o.After = clock.Now, clock.After
	e := open(t, o)
	e.Declare("a:", "1")
	few := engine.History{Count: 4, Seconds: 3600}
	start := at(e, page, nil).Now
	key := func(p, n int) engine.Key { return engine.Key{Wiki: "a:", Type: fmt.Sprintf("a:%d/%d", p, n%50)} }
	publish(t, e, engine.Key{Wiki: "a:", Type: "short"}, "gone", engine.History{Count: 1, Seconds: 1})
	clock.Advance(2 * time.Second)
	var publishers sync.WaitGroup
	long := strings.Repeat("x", 300)
	for p := range 3 {
		publishers.Go(func() {
			for n := range 4000 {
				m := &engine.Message{Key: key(p, n), Keep: few, Dedup: fmt.Sprint(p, " ", n),
					Message: codec.Message{Envelope: codec.Envelope{Type: "t", Msg: fmt.Appendf(nil, `"%d %s"`, n, long)}}}
				if _, err := e.Publish(m, ignore); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { publishers.Wait(); close(done) }()
	for ok := true; ok; {
		if err := e.Rewrite(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
			ok = false
		default:
		}
	}
	want := map[engine.Key][]string{}
	position := map[engine.Key]codec.Position{}
	for p := range 3 {
		for n := range 50 {
			k := key(p, n)
			if at(e, k, after(start)).All {
				t.Errorf("%v: all 80 messages are said to be there", k)
			}
			// The first position from which nothing is gone.
			now := at(e, k, nil).Now
			first := sort.Search(int(now.Offset), func(n int) bool { return at(e, k, after(codec.Position{Epoch: now.Epoch, Offset: uint64(n)})).All })
			position[k] = codec.Position{Epoch: now.Epoch, Offset: uint64(first)}
			want[k] = texts(at(e, k, after(position[k])))
		}
	}
	if err := e.Rewrite(); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Messages != 600 || s.Journal > 1<<20 {
		t.Errorf("%+v", s)
	}
	e.Close()
	e = open(t, o)
	e.Declare("a:", "1")
	for k, list := range want {
		if m := at(e, k, after(position[k])); len(list) != 4 || !m.All || !slices.Equal(texts(m), list) {
			t.Errorf("%v: %d, all: %t, want %d", k, len(m.Messages), m.All, len(list))
		}
		if at(e, k, after(start)).All {
			t.Error("what is gone is forgotten")
		}
	}
	if at(e, engine.Key{Wiki: "a:", Type: "short"}, after(start)).All || !at(e, engine.Key{Wiki: "a:", Type: "quiet"}, after(start)).All {
		t.Error("what is gone of one key, or not of another, is forgotten")
	}
	if repeated, err := e.Publish(&engine.Message{Key: page, Keep: few, Dedup: "1 0"}, ignore); err != nil || !repeated {
		t.Error("a key of a message that is gone is forgotten", err)
	}
}

// By itself the file does not grow without end.
func TestFileStaysSmall(t *testing.T) {
	o := inFolder(t)
	e := open(t, o)
	text := `"` + strings.Repeat("x", 8<<10) + `"`
	largest := 0
	for range 2000 { // 16 MiB
		publish(t, e, page, text, engine.History{Count: 5, Seconds: 3600})
		largest = max(largest, e.Stats().Journal)
	}
	for end := time.Now().Add(leak.Patience); e.Stats().Journal > 2<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v, it had %d bytes", e.Stats(), largest)
		}
	}
	e.Close()
	if m := at(open(t, o), page, nil); m.Now.Offset != 2000 {
		t.Errorf("%+v", m.Now)
	}
}
