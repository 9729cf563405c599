package enginetest

import (
	"slices"
	"sync"
	"time"
)

// Clock is a time that only passes when a test says so.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	calls []*call
}

type call struct {
	when time.Time
	f    func()
}

// NewClock returns a clock that shows some time.
func NewClock() *Clock { return &Clock{now: time.Unix(1_700_000_000, 0)} }

// Now returns what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// After lets Advance call f when d has passed, unless stop was called.
func (c *Clock) After(d time.Duration, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	new := &call{c.now.Add(d), f}
	c.calls = append(c.calls, new)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls = slices.DeleteFunc(c.calls, func(old *call) bool { return old == new })
	}
}

// Advance lets d pass, and returns when everything has been called whose time has come meanwhile, each at its time.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.now.Add(d)
	for {
		next := -1
		for i, call := range c.calls {
			if !call.when.After(end) && (next < 0 || call.when.Before(c.calls[next].when)) {
				next = i
			}
		}
		if next < 0 {
			c.now = end
			return
		}
		call := c.calls[next]
		c.calls = slices.Delete(c.calls, next, next+1)
		if call.when.After(c.now) {
			c.now = call.when
		}
		c.mu.Unlock()
		call.f()
		c.mu.Lock()
	}
}
