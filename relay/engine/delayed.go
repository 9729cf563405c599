package engine

import (
	"sync"
	"time"
)

// delayed calls due for each of what was added to it when its time has come, which for all is equally long after add: one timer does for any number of them.
// mu guards it, and is held when due is called.
type delayed[T any] struct {
	delay time.Duration
	now   func() time.Time
	after func(time.Duration, func()) func()
	mu    *sync.Mutex
	due   func(T)

	list  []waiting[T]
	stop  func() // of the timer for the first; nil: none
	ended bool
}

type waiting[T any] struct {
	what T
	when time.Time
}

func (d *delayed[T]) add(what T, when time.Time) {
	if d.list = append(d.list, waiting[T]{what, when}); d.stop == nil && !d.ended {
		d.stop = d.after(d.delay, d.fire)
	}
}

func (d *delayed[T]) fire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop = nil; d.ended {
		return
	}
	for len(d.list) > 0 {
		wait := d.list[0].when.Sub(d.now())
		if wait > 0 {
			d.stop = d.after(min(wait, d.delay), d.fire)
			return
		}
		what := d.list[0].what
		d.list[0] = waiting[T]{}
		d.list = d.list[1:]
		d.due(what)
	}
	d.list = nil
}

func (d *delayed[T]) end() {
	if d.ended = true; d.stop != nil {
		d.stop()
	}
	d.list = nil
}
