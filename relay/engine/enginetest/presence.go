package enginetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/engine"
)

// changes is what others were told.
type changes struct {
	mu    sync.Mutex
	got   []engine.Change
	calls int
}

func (c *changes) add(together []engine.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, together...)
	c.calls++
}

// are fails the test unless these changes of page have come, and no others. They come some time after what they tell.
func (c *changes) are(t *testing.T, want ...engine.Change) {
	t.Helper()
	var got []engine.Change
	for i := range want {
		want[i].Key = page
	}
	soon(t, fmt.Sprintf("%v have not come", want), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		got = c.got
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	c.mu.Lock()
	c.got, c.calls = nil, 0
	c.mu.Unlock()
}

func present(t *testing.T, e engine.Engine, anonymous int, users ...string) {
	t.Helper()
	p := e.Present(page)
	if !slices.Equal(p.Users, users) || p.Count != len(users) || p.Anonymous != anonymous {
		t.Errorf("%+v, want %v and %d", p, users, anonymous)
	}
}

func (s *suite) presence(t *testing.T) {
	clock, c := NewClock(), new(changes)
	e := s.engine(t, Options{Clock: clock, Changed: c.add})
	ann := func(n uint64) engine.Person { return engine.Person{User: "Ann", Connection: n} }
	e.Exit(page, ann(1)) // was never there
	present(t, e, 0)
	e.Enter(page, engine.Person{User: "Bob", Connection: 9})
	for _, n := range []uint64{1, 2, 2, 3, 1} {
		e.Enter(page, ann(n))
	}
	present(t, e, 0, "Ann", "Bob")
	clock.Advance(time.Second)
	c.are(t, engine.Change{Joined: true, User: "Bob"}, engine.Change{Joined: true, User: "Ann"})
	if p := e.Present(other); p.Count != 0 {
		t.Errorf("%+v", p)
	}
	for _, n := range []uint64{2, 2, 1} { // twice is once
		e.Exit(page, ann(n))
	}
	clock.Advance(time.Minute)
	present(t, e, 0, "Ann", "Bob")
	e.Exit(page, ann(3))
	clock.Advance(4999 * time.Millisecond)
	present(t, e, 0, "Ann", "Bob")
	e.Enter(page, ann(4)) // the page was loaded anew
	clock.Advance(time.Minute)
	present(t, e, 0, "Ann", "Bob")
	e.Exit(page, ann(4))
	clock.Advance(3 * time.Second)
	e.Enter(page, ann(5))
	e.Exit(page, ann(5)) // the five seconds begin anew
	clock.Advance(4999 * time.Millisecond)
	present(t, e, 0, "Ann", "Bob")
	clock.Advance(time.Millisecond)
	present(t, e, 0, "Bob")
	c.are(t, engine.Change{User: "Ann"})
	e.Enter(page, ann(6))
	clock.Advance(time.Second)
	c.are(t, engine.Change{Joined: true, User: "Ann"})
	e.Exit(page, ann(6))
	e.Exit(page, engine.Person{User: "Bob", Connection: 9})
	clock.Advance(time.Minute)
	present(t, e, 0)
	c.are(t, engine.Change{User: "Ann"}, engine.Change{User: "Bob"})
}

func (s *suite) anonymous(t *testing.T) {
	clock, c := NewClock(), new(changes)
	e := s.engine(t, Options{Clock: clock, Changed: c.add})
	visitor := func(n int) engine.Person { return engine.Person{Connection: uint64(n)} }
	for n := range 100 {
		e.Enter(page, visitor(n))
		e.Enter(page, visitor(n))
	}
	present(t, e, 100)
	clock.Advance(time.Second)
	c.are(t, engine.Change{Joined: true, Anonymous: 100})
	// One a second.
	for n := range 30 {
		e.Exit(page, visitor(n))
		clock.Advance(100 * time.Millisecond)
	}
	present(t, e, 70)
	c.are(t, engine.Change{Anonymous: 90}, engine.Change{Anonymous: 80}, engine.Change{Anonymous: 70})
	// Coming and going that does not change the number is not worth telling.
	e.Exit(page, visitor(50))
	e.Enter(page, visitor(200))
	clock.Advance(time.Minute)
	for n := range 201 {
		e.Exit(page, visitor(n))
	}
	clock.Advance(time.Minute)
	present(t, e, 0)
	c.are(t, engine.Change{})
}

// herd has many come back at once, and go at once: what others are told is not one thing after the other, and beyond PresentMost it is a number.
func (s *suite) herd(t *testing.T) {
	clock, c := NewClock(), new(changes)
	e := s.engine(t, Options{Clock: clock, Changed: c.add})
	user := func(n int) engine.Person { return engine.Person{User: fmt.Sprint("User ", n), Connection: uint64(n)} }
	all := func(do func(engine.Key, engine.Person), from, to int) {
		for n := from; n < to; n++ {
			do(page, user(n))
		}
	}
	named := func(joined bool, from, to int) (want []engine.Change) {
		for n := from; n < to; n++ {
			want = append(want, engine.Change{Joined: joined, User: user(n).User})
		}
		return want
	}
	crowd := func(joined bool, count, anonymous int) engine.Change {
		return engine.Change{Joined: joined, Crowd: true, Count: count, Anonymous: anonymous}
	}
	all(e.Enter, 0, engine.PresentMost)
	clock.Advance(time.Second)
	soon(t, "not all have come", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.got) == engine.PresentMost
	})
	if c.calls > 4 {
		t.Errorf("%d changes come in %d calls", len(c.got), c.calls)
	}
	c.are(t, named(true, 0, engine.PresentMost)...)
	clock.Advance(time.Minute)
	all(e.Enter, engine.PresentMost, engine.PresentMost+1) // one too many
	clock.Advance(time.Second)
	c.are(t, crowd(true, engine.PresentMost+1, 0))
	all(e.Exit, 0, 1) // no names before there are much fewer
	e.Enter(page, engine.Person{Connection: 7})
	clock.Advance(time.Minute)
	c.are(t, crowd(true, engine.PresentMost+2, 1), crowd(false, engine.PresentMost+1, 1))
	all(e.Exit, 1, 100)
	clock.Advance(time.Minute)
	c.are(t, crowd(false, 902, 1))
	all(e.Exit, 100, 101)
	clock.Advance(time.Minute)
	c.are(t, crowd(false, 901, 1)) // the last one
	all(e.Exit, 101, 103)
	clock.Advance(time.Minute)
	c.are(t, named(false, 101, 103)...)
	// So many come and go within a moment that to name them is no use, although they never were too many at once.
	clock.Advance(time.Minute)
	all(e.Exit, 103, engine.PresentMost+1)
	e.Exit(page, engine.Person{Connection: 7})
	clock.Advance(4500 * time.Millisecond)
	all(e.Enter, 2000, 2010)
	clock.Advance(500 * time.Millisecond)
	all(e.Enter, 2010, 2120)
	clock.Advance(time.Minute)
	got := c.take(t, 3)
	if last := got[len(got)-1]; !last.Crowd || last.Count != 120 || last.Joined || len(got) > 4 {
		t.Errorf("%d changes, the last one %+v", len(got), last)
	}
}

// take waits until at least so many changes have come, and returns them.
func (c *changes) take(t *testing.T, n int) (got []engine.Change) {
	t.Helper()
	soon(t, fmt.Sprintf("%d changes have not come", n), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		got = c.got
		return len(got) >= n
	})
	return got
}

// crowd has more there than are named.
func (s *suite) crowd(t *testing.T) {
	e := s.engine(t, Options{})
	for n := range engine.PresentMost {
		e.Enter(page, engine.Person{User: fmt.Sprintf("User %d", n), Connection: uint64(n)})
	}
	p := e.Present(page)
	if p.Count != engine.PresentMost || len(p.Users) != engine.PresentMost || !slices.IsSorted(p.Users) {
		t.Errorf("%d of %d", len(p.Users), p.Count)
	}
	for n := range 100_000 {
		e.Enter(page, engine.Person{User: fmt.Sprintf("User %d", n), Connection: uint64(n)})
	}
	p = e.Present(page)
	if p.Count != 100_000 || len(p.Users) != engine.PresentMost || !slices.IsSorted(p.Users) {
		t.Errorf("%d of %d", len(p.Users), p.Count)
	}
	for n := range 100_000 {
		e.Exit(page, engine.Person{User: fmt.Sprintf("User %d", n), Connection: uint64(n)})
	}
	e.Enter(page, engine.Person{Connection: 1})
	if p = e.Present(page); p.Anonymous != 1 {
		t.Errorf("%+v", p)
	}
}
