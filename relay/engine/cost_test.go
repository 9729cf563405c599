package engine_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire/codec"
)

func TestNoMemoryForQuestions(t *testing.T) {
	e := engine.NewMemory()
	start := at(e, page, nil).Now
	for n := range 1000 {
		k := engine.Key{Wiki: fmt.Sprint("w", n), Type: fmt.Sprint("asked", n)}
		for _, keep := range []engine.History{none, keep} {
			e.At(k, keep, after(start), func(engine.Missed) {})
		}
		e.Exit(k, engine.Person{User: "Ann"})
		e.Present(k)
	}
	if n := e.Lists(); n != 0 {
		t.Errorf("%d things are remembered about keys that were only asked about", n)
	}
	if s := e.Stats(); s != (engine.Stats{}) {
		t.Errorf("%+v", s)
	}
}

func TestPlainPublishAllocatesNothing(t *testing.T) {
	e := open(t, inFolder(t))
	m := &engine.Message{Key: page, Message: codec.Message{Envelope: codec.Envelope{Type: page.Type, Msg: []byte("1")}}}
	if n := testing.AllocsPerRun(1000, func() { e.Publish(m, ignore) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// heap returns how much memory is in use.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// What the engine believes that messages take is what they take.
func TestBytesAreMemory(t *testing.T) {
	for _, test := range []struct {
		name       string
		keys, text int
	}{{"one a key", 50_000, 100}, {"many a key", 50, 100}, {"long", 5000, 2000}} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Repeat("x", test.text)
			for try := 1; ; try++ { // what other tests have left may go while this one looks
				before := heap()
				e := engine.NewMemory()
				fill(t, e, test.keys, text)
				took, s := heap()-before, e.Stats()
				if s.Bytes <= engine.DefaultBytes && float64(took) < 1.3*float64(s.Bytes) && float64(took) > 0.7*float64(s.Bytes) {
					t.Logf("%d bytes for %d messages, and it says %d", took, s.Messages, s.Bytes)
					return
				} else if try == 5 {
					t.Fatalf("%d bytes, and it says %+v", took, s)
				}
				runtime.KeepAlive(e)
			}
		})
	}
}

func fill(t *testing.T, e engine.Engine, keys int, text string) {
	for n := range 50_000 {
		k := engine.Key{Wiki: "a:", Type: fmt.Sprint("a:@page/", n%keys)}
		m := &engine.Message{Key: k, Keep: keep, Message: codec.Message{User: "Somebody",
			Envelope: codec.Envelope{Type: k.Type, Msg: []byte(text), From: "0123456789abcdef0123456789abcdef"}}}
		if _, err := e.Publish(m, ignore); err != nil {
			t.Fatal(err)
		}
	}
}

// A crowd that has gone leaves nothing behind, although one has stayed.
func TestCrowdLeavesNothing(t *testing.T) {
	for _, user := range []string{"", "User "} {
		o, clock := withClock(engine.Options{})
		e := open(t, o)
		person := func(n int) engine.Person {
			if user == "" {
				return engine.Person{Connection: uint64(n)}
			}
			return engine.Person{User: fmt.Sprint(user, n), Connection: uint64(n)}
		}
		before := heap()
		for n := range 100_000 {
			e.Enter(page, person(n))
		}
		full := heap()
		if s := e.Stats(); s.Rooms != 1 || s.Present != 100_000 {
			t.Errorf("%+v", s)
		}
		for n := range 99_999 {
			e.Exit(page, person(n))
		}
		clock.Advance(10e9)
		if left := heap() - before; left > (full-before)/10 {
			t.Errorf("%d bytes of %d are left", left, full-before)
		}
		if s := e.Stats(); s.Present != 1 {
			t.Errorf("%+v", s)
		}
		e.Exit(page, person(99_999))
		clock.Advance(10e9)
		if s := e.Stats(); s.Rooms != 0 || s.Present != 0 {
			t.Errorf("%+v", s)
		}
		t.Logf("%d bytes a subscriber", (full-before)/100_000)
		e.Close()
	}
}

// When a message came that was not kept is known about, and never said to be earlier than it was.
func TestTimeOfWhatIsNotKept(t *testing.T) {
	o, clock := withClock(engine.Options{})
	e := open(t, o)
	key := func(n int) engine.Key { return engine.Key{Wiki: "a:", Type: fmt.Sprint("a:", n)} }
	all := func(n int, since int64) (all bool) {
		e.At(key(n), none, &codec.Since{Time: since}, func(m engine.Missed) { all = m.All })
		return all
	}
	const keys = 3000 // more than are marked
	published := make([]int64, keys)
	for n := range keys {
		published[n] = clock.Now().Unix()
		publish(t, e, key(n), "x", none)
		clock.Advance(700e6)
		all(n, 1)
	}
	clock.Advance(2e9)
	end := clock.Now().Unix()
	for n := range keys {
		if all(n, published[n]) || !all(n, end) {
			t.Fatalf("message %d: after its own second: %t, before the end: %t", n, !all(n, published[n]), all(n, end))
		}
	}
	if early := keys - 100; !all(early, published[early]+5) {
		t.Error("a time of late is not known to some seconds")
	}
}
