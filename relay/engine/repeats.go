package engine

import (
	"hash/maphash"
	"sync"
)

const (
	// RepeatMillis is how long a repetition is recognised, in milliseconds.
	RepeatMillis = 10 * 60 * 1000
	// RepeatKeys is among how many later ones, at least.
	RepeatKeys = 64 << 10
	// repeatGeneration is what one of the stripes remembers before it forgets the older half: more than its share, because chance shares out.
	repeatGeneration = RepeatKeys/stripes + RepeatKeys/stripes/4
)

// first is the first message of all that are the same.
type first struct {
	point
	kept bool // and the journal says so
}

// repeats recognises repetitions, of the messages whose digests fall to it. Its lock is held while the first is published: a second one that comes
// meanwhile waits for what becomes of that.
type repeats struct {
	mu       sync.Mutex
	now, old map[digest]first
	begun    int64 // now, in Unix milliseconds
}

// repeatsOf returns where d belongs. Senders choose their keys: by the digest alone they would know how to fill the place of another's.
func (e *Memory) repeatsOf(d digest) *repeats {
	return &e.repeats[maphash.Comparable(e.seed, d)%stripes]
}

// once publishes m unless that is a repetition.
func (e *Memory) once(m *Message, deliver func(*Message)) (repeated bool, err error) {
	d := digestOf(m.Dedup)
	r := e.repeatsOf(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.find(d, m.Time); ok {
		m.Offset, m.Time = f.offset, f.time
		return true, nil
	}
	if err := e.publish(m, deliver); err != nil {
		return false, err
	}
	r.add(d, first{point{m.Offset, m.Time}, m.Keep.some()}, m.Time)
	return false, nil
}

func (r *repeats) find(d digest, clock int64) (first, bool) {
	f, ok := r.now[d]
	if !ok {
		f, ok = r.old[d]
	}
	return f, ok && f.time >= clock-RepeatMillis
}

func (r *repeats) add(d digest, f first, clock int64) {
	if r.now == nil || len(r.now) >= repeatGeneration || r.begun < clock-RepeatMillis {
		r.old, r.now, r.begun = r.now, make(map[digest]first), clock
	}
	r.now[d] = f
}

// each calls f for what is in the journal and may still be repeated.
func (r *repeats) each(clock int64, f func(digest, first)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, half := range []map[digest]first{r.old, r.now} {
		for d, first := range half {
			if first.kept && first.time >= clock-RepeatMillis {
				f(d, first)
			}
		}
	}
}
