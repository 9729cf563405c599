package engine_test

import (
	"fmt"
	"testing"
	"time"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire/codec"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestPositions(t *testing.T) {
	e, k := engine.NewMemory(), engine.Key{Wiki: "a:", Type: "a:T"}
	at := func(k engine.Key, seen *codec.Position) (now codec.Position, recovered bool) {
		var since *codec.Since
		if seen != nil {
			since = &codec.Since{Position: *seen}
		}
		e.At(k, engine.History{}, since, func(m engine.Missed) { now, recovered = m.Now, m.All })
		return now, recovered
	}
	start, recovered := at(k, nil)
	if start.Epoch == "" || start.Offset != 0 || !recovered {
		t.Errorf("%+v %t", start, recovered)
	}
	publish := func(k engine.Key) uint64 {
		m := &engine.Message{Key: k}
		delivered := false
		if _, err := e.Publish(m, func(d *engine.Message) { delivered = d == m && d.Offset > 0 }); err != nil || !delivered {
			t.Fatal(err, delivered)
		}
		return m.Offset
	}
	publish(engine.Key{Type: "a:T"}) // the same name in another scope
	if _, recovered := at(k, &start); !recovered {
		t.Error("another key's message counts")
	}
	last := publish(k)
	if _, recovered := at(k, &start); recovered {
		t.Error("missed, and not told")
	}
	seen := codec.Position{Epoch: start.Epoch, Offset: last}
	// So many types that the engine forgets most: it may then say "missed" too often, but never too rarely.
	for i := range 100_000 {
		publish(engine.Key{Type: fmt.Sprint(i)})
		if i%1000 == 0 {
			if _, recovered := at(k, &start); recovered {
				t.Fatalf("forgotten after %d other types", i)
			}
		}
	}
	publish(k)
	if now, recovered := at(k, &seen); recovered || now.Offset != last+100_001 {
		t.Errorf("%+v %t", now, recovered)
	}
	now, _ := at(k, nil)
	if _, recovered := at(k, &now); !recovered || now.Epoch != start.Epoch {
		t.Error("nothing was missed since the last position")
	}
	var second codec.Position
	engine.NewMemory().At(k, engine.History{}, nil, func(m engine.Missed) { second = m.Now })
	if second.Epoch == start.Epoch {
		t.Error("two starts have one epoch")
	}
}

// A page whose clock runs ahead says that it has had what is still on its way to it.
func TestClockThatRunsAheadCoversWhatIsOnItsWay(t *testing.T) {
	o, clock := withClock(engine.Options{})
	e := open(t, o)
	e.Declare("a:", "1")
	clock.Advance(time.Minute)
	publish(t, e, page, "old", keep)
	clock.Advance(time.Minute)
	publish(t, e, page, "on its way", keep)
	since := &codec.Since{Time: clock.Now().Unix() + 600}
	if m := at(e, page, since); !m.All || len(m.Messages) != 1 {
		t.Errorf("%v, all: %t", texts(m), m.All)
	}
}
