package enginetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire/codec"
)

// reopened goes on when an engine was closed.
func (s *suite) reopened(t *testing.T) {
	o := Options{Store: t.Name()}
	s.goesOn(t, o, func(e engine.Engine) Options {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		return o
	})
}

// killed goes on when an engine was killed.
func (s *suite) killed(t *testing.T) {
	o := Options{Store: t.Name()}
	s.goesOn(t, o, func(engine.Engine) Options { return s.can.Killed(t, o) })
}

// goesOn fails the test unless an engine that comes after the one with o has ended goes on where that was.
func (s *suite) goesOn(t *testing.T, o Options, end func(engine.Engine) Options) {
	e := s.engine(t, o)
	e.Declare("a:", "1")
	three, none := engine.History{Count: 3, Seconds: 3600}, engine.History{}
	limited, plain := engine.Key{Wiki: "a:", Type: "limited"}, engine.Key{Wiki: "a:", Type: "plain"}
	start := here(e, page)
	publish(t, e, page, 0, 10, keep)
	publish(t, e, limited, 0, 5, three)
	m := message(other, 0, keep)
	m.Dedup = "ann\x00key"
	if _, err := e.Publish(m, func(*engine.Message) {}); err != nil {
		t.Fatal(err)
	}
	private := message(engine.Key{Wiki: "a:", Type: "private"}, 0, keep)
	private.Recipients, private.Owners = []string{"x", "y"}, []engine.Owner{{}, {Wiki: "a:", User: "Ann"}}
	unknown := message(private.Key, 1, keep)
	unknown.Recipients = private.Recipients
	for _, m := range []*engine.Message{private, unknown} {
		if _, err := e.Publish(m, func(*engine.Message) {}); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, e, plain, 0, 3, none) // no offset of these is given again, although they are not kept
	last := here(e, page)
	o = end(e)
	e = s.engine(t, o)
	e.Declare("a:", "1")
	if now := here(e, page); now.Epoch != start.Epoch || now.Offset < last.Offset {
		t.Fatalf("%+v follows %+v", now, last)
	}
	wants(t, at(e, page, keep, after(start)), 0, 10)
	wants(t, at(e, page, keep, after(last)), 0, 0)
	lost(t, at(e, limited, three, after(start)))
	lost(t, at(e, plain, none, after(start)))
	wants(t, at(e, engine.Key{Wiki: "a:", Type: "quiet"}, keep, after(start)), 0, 0)
	wants(t, at(e, other, keep, after(start)), 0, 1)
	meant := at(e, private.Key, keep, after(start))
	if wants(t, meant, 0, 2); !slices.Equal(meant.Messages[0].Owners, private.Owners) || meant.Messages[1].Owners != nil {
		t.Errorf("the messages were meant for %v and for %v", meant.Messages[0].Owners, meant.Messages[1].Owners)
	}
	again := message(other, 0, keep)
	again.Dedup = m.Dedup
	repeated, err := e.Publish(again, func(*engine.Message) { t.Error("a repetition was delivered") })
	if err != nil || !repeated || again.Offset != m.Offset {
		t.Errorf("%v, repeated %t, offset %d, first %d", err, repeated, again.Offset, m.Offset)
	}
	if offset := publish(t, e, page, 10, 12, keep); offset <= last.Offset+1 {
		t.Errorf("offset %d is given twice", offset)
	}
	wants(t, at(e, page, keep, after(start)), 0, 12)
	if s.can.Clock {
		e.Declare("a:", "2")
		lost(t, at(e, engine.Key{Wiki: "a:", Type: "quiet"}, keep, after(start)))
	}
}

// again goes through many ends: no offset is given twice, and nothing is missed.
func (s *suite) again(t *testing.T) {
	o := Options{Store: t.Name()}
	var start codec.Position
	var last uint64
	for n := range 20 {
		e := s.engine(t, o)
		e.Declare("a:", "1")
		if n == 0 {
			start = here(e, page)
		}
		publish(t, e, other, 0, n, engine.History{})
		offset := publish(t, e, page, n, n+1, keep)
		if offset <= last {
			t.Fatalf("offset %d after %d", offset, last)
		}
		last = offset
		wants(t, at(e, page, keep, after(start)), 0, n+1)
		if n%2 == 0 || s.can.Killed == nil {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			o = s.can.Killed(t, o)
		}
	}
}

// together has two engines on one store.
func (s *suite) together(t *testing.T) {
	o := Options{Store: t.Name()}
	a, b := s.engine(t, o), s.engine(t, o)
	a.Declare("a:", "1")
	b.Declare("a:", "1")
	start := here(a, page)
	first := publish(t, a, page, 0, 1, keep)
	if second := publish(t, b, page, 1, 2, keep); second <= first {
		t.Errorf("offset %d after %d", second, first)
	}
	for _, e := range []engine.Engine{a, b} {
		wants(t, at(e, page, keep, after(start)), 0, 2)
		wants(t, at(e, other, keep, after(start)), 0, 0)
	}
}

// subscriber is somebody who comes and goes.
type subscriber struct {
	mu   sync.Mutex
	here bool
	seen []uint64
	pos  codec.Position
}

func (s *subscriber) get(m *engine.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.here {
		s.seen, s.pos.Offset = append(s.seen, m.Offset), m.Offset
	}
}

// come takes what was missed and then, from the same moment, what comes.
func (s *subscriber) come(t *testing.T, e engine.Engine, keep engine.History) {
	e.At(page, keep, after(s.pos), func(m engine.Missed) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !m.All {
			t.Error("what was missed is said to be gone")
		}
		for _, missed := range m.Messages {
			s.seen = append(s.seen, missed.Offset)
		}
		s.here, s.pos = true, m.Now
	})
}

func (s *subscriber) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.here = false
}

// comingBack has subscribers come and go while others publish: each gets each message once, in order.
func (s *suite) comingBack(t *testing.T) {
	e := s.engine(t, Options{})
	e.Declare("a:", "1")
	all := engine.History{Count: 5000, Seconds: 3600}
	subscribers := make([]*subscriber, 6)
	for i := range subscribers {
		subscribers[i] = &subscriber{pos: here(e, page)}
	}
	var want []uint64 // guarded by the engine: deliveries of a key do not overlap
	var publishers, others sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		publishers.Go(func() {
			for n := range 500 {
				_, err := e.Publish(message(page, n, all), func(m *engine.Message) {
					want = append(want, m.Offset)
					for _, s := range subscribers {
						s.get(m)
					}
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, s := range subscribers {
		others.Go(func() {
			for {
				s.come(t, e, all)
				select {
				case <-done:
					return
				default:
					s.leave()
				}
			}
		})
	}
	publishers.Wait()
	close(done)
	others.Wait()
	for _, s := range subscribers {
		if fmt.Sprint(s.seen) != fmt.Sprint(want) {
			t.Errorf("%d messages came to one who should have %d, in order", len(s.seen), len(want))
		}
	}
}

// once publishes a message of k with an idempotency key and returns its offset.
func once(t *testing.T, e engine.Engine, k engine.Key, keep engine.History, dedup string) (offset uint64, repeated bool) {
	t.Helper()
	m := message(k, 0, keep)
	m.Dedup = dedup
	delivered := false
	repeated, err := e.Publish(m, func(*engine.Message) { delivered = true })
	if err != nil || delivered == repeated {
		t.Fatalf("%v, repeated %t, delivered %t", err, repeated, delivered)
	}
	return m.Offset, repeated
}

func (s *suite) repeats(t *testing.T) {
	e := s.engine(t, Options{})
	for _, h := range []engine.History{{}, keep} {
		name := fmt.Sprint(h.Count)
		first, repeated := once(t, e, page, h, "ann\x00"+name)
		if repeated {
			t.Error("the first is no repetition")
		}
		if offset, repeated := once(t, e, page, h, "ann\x00"+name); !repeated || offset != first {
			t.Errorf("offset %d, repeated %t, first %d", offset, repeated, first)
		}
		if offset, repeated := once(t, e, page, h, "bob\x00"+name); repeated || offset <= first {
			t.Error("another's key is no repetition")
		}
		if offset, repeated := once(t, e, other, h, "ann\x00"+name); !repeated || offset != first {
			t.Error("the type does not make another message of it")
		}
	}
}

func (s *suite) repeatsEnd(t *testing.T) {
	clock := NewClock()
	e := s.engine(t, Options{Clock: clock})
	once(t, e, page, engine.History{}, "early")
	for n := range engine.RepeatKeys - 1 {
		once(t, e, page, engine.History{}, fmt.Sprint(n))
	}
	clock.Advance(engine.RepeatMillis * time.Millisecond)
	if _, repeated := once(t, e, page, engine.History{}, "early"); !repeated {
		t.Error("forgotten too early")
	}
	clock.Advance(time.Millisecond)
	if _, repeated := once(t, e, page, engine.History{}, "early"); repeated {
		t.Error("not forgotten after its time")
	}
}

// repeatsAtOnce has many publish the same at one time.
func (s *suite) repeatsAtOnce(t *testing.T) {
	e := s.engine(t, Options{})
	for n := range 50 {
		var publishers sync.WaitGroup
		var mu sync.Mutex
		delivered, offsets := 0, map[uint64]bool{}
		for range 8 {
			publishers.Go(func() {
				m := message(page, n, keep)
				m.Dedup = fmt.Sprint(n)
				_, err := e.Publish(m, func(*engine.Message) { delivered++ })
				mu.Lock()
				defer mu.Unlock()
				if offsets[m.Offset] = true; err != nil {
					t.Error(err)
				}
			})
		}
		publishers.Wait()
		if delivered != 1 || len(offsets) != 1 {
			t.Fatalf("delivered %d times, with the offsets %v", delivered, offsets)
		}
	}
}
