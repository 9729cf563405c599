package enginetest

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire/codec"
)

func (s *suite) offsets(t *testing.T) {
	e := s.engine(t, Options{})
	start := here(e, page)
	if start.Epoch == "" {
		t.Error("no epoch")
	}
	first := publish(t, e, page, 0, 1, engine.History{})
	second := publish(t, e, other, 0, 1, keep)
	if first <= start.Offset || second <= first {
		t.Errorf("%d, %d, %d", start.Offset, first, second)
	}
	if now := here(e, page); now.Epoch != start.Epoch || now.Offset < first {
		t.Errorf("%+v", now)
	}
}

// Publishers that come at once: each message is delivered once, and those of one key one by one, in order.
func (s *suite) order(t *testing.T) {
	e := s.engine(t, Options{})
	var publishers sync.WaitGroup
	var last [3]uint64 // the race detector complains when deliveries overlap
	count := [3]int{}
	for p := range 8 {
		publishers.Go(func() {
			for i := range 300 {
				n := (p + i) % 3
				k := engine.Key{Wiki: "a:", Type: fmt.Sprint("a:", n)}
				h := engine.History{}
				if n < 2 {
					h = keep
				}
				_, err := e.Publish(message(k, i, h), func(m *engine.Message) {
					if m.Offset <= last[n] {
						t.Errorf("offset %d after %d", m.Offset, last[n])
					}
					last[n] = m.Offset
					count[n]++
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	if count[0]+count[1]+count[2] != 8*300 {
		t.Error(count)
	}
}

func (s *suite) missed(t *testing.T) {
	e := s.engine(t, Options{})
	e.Declare("a:", "1")
	var positions []codec.Position
	for n := range 6 {
		positions = append(positions, here(e, page))
		publish(t, e, page, n, n+1, keep)
		publish(t, e, other, n, n+1, keep)
	}
	positions = append(positions, here(e, page))
	for n, p := range positions {
		wants(t, at(e, page, keep, after(p)), n, 6)
	}
	nothing := at(e, page, keep, nil)
	wants(t, nothing, 0, 0)
}

// What is kept is the message as it was published, whatever becomes of the buffer that it was in.
func (s *suite) copies(t *testing.T) {
	e := s.engine(t, Options{})
	start := here(e, page)
	buf := make([]byte, 256)
	for _, m := range []*engine.Message{example(page, buf), message(page, 1, keep), {Key: page, Keep: keep, Message: codec.Message{Envelope: codec.Envelope{Type: "t"}}}} {
		var frame []byte
		if _, err := e.Publish(m, func(d *engine.Message) { frame = codec.AppendMessage(nil, &d.Message) }); err != nil {
			t.Fatal(err)
		}
		want := *m
		want.Msg, want.To = bytes.Clone(m.Msg), bytes.Clone(m.To)
		for i := range buf {
			buf[i] = '!'
		}
		got := at(e, page, keep, after(start))
		if !got.All || len(got.Messages) != 1 || got.Messages[0].Time != m.Time || !reflect.DeepEqual(got.Messages[0].Message, want.Message) ||
			!reflect.DeepEqual(got.Messages[0].Owners, want.Owners) {
			t.Fatalf("%+v\nwant %+v", got, want)
		}
		if again := codec.AppendMessage(nil, &got.Messages[0].Message); !bytes.Equal(again, frame) {
			t.Errorf("%s\nwas %s", again, frame)
		}
		start = got.Now
	}
}

func (s *suite) noHistory(t *testing.T) {
	e := s.engine(t, Options{})
	none := engine.History{}
	start := here(e, page)
	publish(t, e, engine.Key{Type: page.Type}, 0, 1, none) // the same name in another scope
	wants(t, at(e, page, none, after(start)), 0, 0)
	offset := publish(t, e, page, 0, 1, none)
	lost(t, at(e, page, none, after(start)))
	lost(t, at(e, page, keep, after(start)))
	seen := codec.Position{Epoch: start.Epoch, Offset: offset}
	wants(t, at(e, page, none, after(seen)), 0, 0)

	// Some that were kept and some that were not.
	publish(t, e, page, 1, 2, keep)
	wants(t, at(e, page, keep, after(seen)), 1, 2)
	lost(t, at(e, page, none, after(seen)))
	publish(t, e, page, 2, 3, none)
	lost(t, at(e, page, keep, after(seen)))
	now := here(e, page)
	publish(t, e, page, 3, 5, keep)
	wants(t, at(e, page, keep, after(now)), 3, 5)

	// So many types that an engine may forget which had messages: it must not forget that there were some.
	for i := range 40_000 {
		publish(t, e, engine.Key{Type: fmt.Sprint(i)}, 0, 1, none)
	}
	lost(t, at(e, page, none, after(start)))
	publish(t, e, other, 0, 1, none)
	lost(t, at(e, other, none, after(now)))
}

// Positions of another epoch, and from a future that was never reached.
func (s *suite) strangers(t *testing.T) {
	e := s.engine(t, Options{})
	e.Declare("a:", "1")
	publish(t, e, page, 0, 3, keep)
	now := here(e, page)
	for _, h := range []engine.History{{}, keep} {
		lost(t, at(e, page, h, after(codec.Position{Epoch: "another", Offset: now.Offset})))
		lost(t, at(e, page, h, after(codec.Position{Epoch: now.Epoch, Offset: now.Offset + 1<<40})))
		lost(t, at(e, page, h, &codec.Since{}))
	}
	if second := here(s.engine(t, Options{}), page); second.Epoch == now.Epoch {
		t.Error("two stores have one epoch")
	}
}

// A type with history that never had a message has missed none, whatever others had.
func (s *suite) quiet(t *testing.T) {
	e := s.engine(t, Options{})
	e.Declare("a:", "1")
	start := here(e, page)
	for i := range 40_000 {
		publish(t, e, engine.Key{Wiki: "a:", Type: fmt.Sprint(i)}, 0, 1, engine.History{})
	}
	wants(t, at(e, page, keep, after(start)), 0, 0)
	e.Declare("a:", "1")
	wants(t, at(e, page, keep, after(start)), 0, 0)
}

// When policies change, what came before without being kept is unknown. That others change theirs does not matter.
func (s *suite) policies(t *testing.T) {
	clock := NewClock()
	e := s.engine(t, Options{Clock: clock})
	e.Declare("a:", "1")
	start := here(e, page)
	for i := range 40_000 {
		publish(t, e, engine.Key{Wiki: "a:", Type: fmt.Sprint(i)}, 0, 1, engine.History{})
	}
	e.Declare("b:", "1")
	e.Declare("b:", "2")
	wants(t, at(e, page, keep, after(start)), 0, 0)
	e.Declare("a:", "2")
	lost(t, at(e, page, keep, after(start)))
	changed := here(e, page)
	publish(t, e, page, 0, 1, engine.History{}) // was looked at before the change
	lost(t, at(e, page, keep, after(changed)))
	clock.Advance(time.Minute)
	now := here(e, page)
	for i := range 40_000 {
		publish(t, e, engine.Key{Wiki: "a:", Type: fmt.Sprint("x", i)}, 0, 1, engine.History{})
	}
	wants(t, at(e, page, keep, after(now)), 0, 0)
	lost(t, at(e, page, keep, after(changed)))
	lost(t, at(e, page, keep, after(start)))
}

func (s *suite) count(t *testing.T) {
	e := s.engine(t, Options{})
	e.Declare("a:", "1")
	three := engine.History{Count: 3, Seconds: 3600}
	var positions []codec.Position
	for n := range 5 {
		positions = append(positions, here(e, page))
		publish(t, e, page, n, n+1, three)
	}
	lost(t, at(e, page, three, after(positions[1])))
	wants(t, at(e, page, three, after(positions[2])), 2, 5)
	wants(t, at(e, page, three, after(positions[4])), 4, 5)
	// The wiki keeps less from now on.
	two := engine.History{Count: 2, Seconds: 3600}
	lost(t, at(e, page, two, after(positions[2])))
	wants(t, at(e, page, two, after(positions[3])), 3, 5)
}

func (s *suite) age(t *testing.T) {
	clock := NewClock()
	e := s.engine(t, Options{Clock: clock})
	e.Declare("a:", "1")
	minute := engine.History{Count: 10, Seconds: 60}
	start := here(e, page)
	publish(t, e, page, 0, 1, minute)
	clock.Advance(30 * time.Second)
	middle := here(e, page)
	publish(t, e, page, 1, 2, minute)
	clock.Advance(30 * time.Second)
	wants(t, at(e, page, minute, after(start)), 0, 2)
	clock.Advance(time.Millisecond)
	lost(t, at(e, page, minute, after(start)))
	wants(t, at(e, page, minute, after(middle)), 1, 2)
	end := here(e, page)
	clock.Advance(time.Hour)
	lost(t, at(e, page, minute, after(middle)))
	wants(t, at(e, page, minute, after(end)), 0, 0)
	// Others that come and go do not bring back what is gone.
	for i := range 50 {
		publish(t, e, engine.Key{Wiki: "a:", Type: fmt.Sprint(i)}, 0, 1, minute)
	}
	lost(t, at(e, page, minute, after(middle)))
	wants(t, at(e, page, minute, after(end)), 0, 0)
}

// since is a time: what a page shows was true then.
func (s *suite) time(t *testing.T) {
	clock := NewClock()
	e := s.engine(t, Options{Clock: clock})
	e.Declare("a:", "1")
	before := clock.Now().Add(-time.Second)
	clock.Advance(time.Second)
	start := clock.Now()
	clock.Advance(10 * time.Second)
	publish(t, e, page, 0, 1, keep)
	first := clock.Now()
	clock.Advance(10 * time.Second)
	publish(t, e, page, 1, 2, keep)
	clock.Advance(time.Second)
	wants(t, at(e, page, keep, since(start)), 0, 2)
	wants(t, at(e, page, keep, since(first)), 0, 2) // the same second is after it
	wants(t, at(e, page, keep, since(first.Add(time.Second))), 1, 2)
	wants(t, at(e, page, keep, since(clock.Now())), 0, 0)
	lost(t, at(e, page, keep, since(before))) // nobody knows
	wants(t, at(e, other, keep, since(start)), 0, 0)
	lost(t, at(e, other, keep, since(before)))
	two := engine.History{Count: 2, Seconds: 3600}
	publish(t, e, page, 2, 3, two)
	lost(t, at(e, page, two, since(first)))
	wants(t, at(e, page, two, since(first.Add(time.Second))), 1, 3)

	none := engine.History{}
	publish(t, e, other, 0, 1, none)
	lost(t, at(e, other, none, since(start)))
	lost(t, at(e, other, none, since(clock.Now())))
	clock.Advance(time.Second)
	wants(t, at(e, other, none, since(clock.Now())), 0, 0)
}

// When there is too much, the oldest messages of all go first.
func (s *suite) bytes(t *testing.T) {
	e := s.engine(t, Options{Bytes: 256 << 10})
	e.Declare("a:", "1")
	start := here(e, page)
	publish(t, e, page, 0, 3, keep)
	large := func() *engine.Message {
		m := message(other, 0, engine.History{Count: 1000, Seconds: 3600})
		m.Msg = append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, 30<<10)...), '"')
		return m
	}
	for range 4 {
		if _, err := e.Publish(large(), func(*engine.Message) {}); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, at(e, page, keep, after(start)), 0, 3)
	for range 100 {
		if _, err := e.Publish(large(), func(*engine.Message) {}); err != nil {
			t.Fatal(err)
		}
	}
	lost(t, at(e, page, keep, after(start)))
	now := here(e, page)
	publish(t, e, page, 3, 4, keep)
	wants(t, at(e, page, keep, after(now)), 3, 4)
	if m := at(e, other, engine.History{Count: 1000, Seconds: 3600}, after(start)); m.All {
		t.Error("100 messages of 30 KiB are kept in 256 KiB")
	}
}

// wikisBytes: a wiki that keeps very much pushes out its own messages, and not what another keeps, who has less than a share.
func (s *suite) wikisBytes(t *testing.T) {
	e := s.engine(t, Options{Bytes: 256 << 10})
	many := engine.History{Count: 10000, Seconds: 3600}
	few, much := engine.Key{Wiki: "a:", Type: "a:T"}, engine.Key{Wiki: "b:", Type: "b:T"}
	e.Declare("a:", "1")
	e.Declare("b:", "1")
	start := here(e, few)
	publish(t, e, few, 0, 5, many)
	publish(t, e, much, 0, 3000, many)
	wants(t, at(e, few, many, after(start)), 0, 5)
	lost(t, at(e, much, many, after(start)))
	publish(t, e, few, 5, 3000, many) // up to its share, the other has to give way
	now := here(e, much)
	publish(t, e, much, 3000, 3010, many)
	wants(t, at(e, much, many, after(now)), 3000, 3010)
	lost(t, at(e, few, many, after(start)))
}
