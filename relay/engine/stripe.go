package engine

import (
	"sort"
	"sync"

	"mediawiki-websocket/relay/wire/codec"
)

// generation is how many keys a stripe remembers before it forgets the older half.
const generation = 256

// point is a place among all messages of an engine, and when that was reached.
type point struct {
	offset uint64
	time   int64 // Unix milliseconds
}

func (p point) max(q point) point { return point{max(p.offset, q.offset), max(p.time, q.time)} }

// covers reports whether who has had everything since misses nothing of what was published up to p. What was published in the second of a time counts as
// after it.
func covers(since *codec.Since, p point) bool {
	if since.Epoch == "" {
		return p.time < since.Time*1000
	}
	return p.offset <= since.Offset
}

// stripe serialises the keys that hash to it. It remembers the offset of the last message of each key that was not kept, in two generations because anybody
// may invent types: a key that is in neither has had none after floor.
type stripe struct {
	mu       sync.Mutex
	now, old map[Key]uint64
	floor    uint64
}

func (s *stripe) remember(k Key, offset uint64) {
	if s.now == nil || len(s.now) >= generation {
		for _, last := range s.old {
			s.floor = max(s.floor, last)
		}
		s.old, s.now = s.now, make(map[Key]uint64)
	}
	s.now[k] = offset
}

// last returns the offset after which there was no message of k that was not kept; exact: there was one at it.
func (s *stripe) last(k Key) (offset uint64, exact bool) {
	if offset, exact = s.now[k]; exact {
		return offset, true
	}
	if offset, exact = s.old[k]; exact {
		return offset, true
	}
	return s.floor, false
}

const (
	// markEvery is in how many milliseconds there are two marks, at most.
	markEvery = 1000
	// markMost is how many there are before every other one is forgotten.
	markMost = 1024
)

// marks says when which offset was reached, about. To look at the clock costs as much as all else that is done for a message that is not kept, so it is
// done when somebody asks, and never says too early a time.
type marks struct {
	mu   sync.Mutex
	list []point
}

// add notes that p.offset had been reached at p.time.
func (m *marks) add(p point) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := len(m.list)
	if end > 0 && p.offset <= m.list[end-1].offset {
		return
	}
	if end > 1 && p.time >= m.list[end-2].time && p.time < m.list[end-2].time+markEvery {
		m.list[end-1] = p
		return
	}
	if m.list = append(m.list, p); len(m.list) >= markMost {
		for i := range markMost / 2 { // with fewer marks times are said to be later
			m.list[i] = m.list[2*i+1]
		}
		m.list = m.list[:markMost/2]
	}
}

// at returns a point at which offset had been reached, at clock the latest.
func (m *marks) at(offset uint64, clock int64) point {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := sort.Search(len(m.list), func(i int) bool { return m.list[i].offset >= offset })
	if i < len(m.list) {
		clock = m.list[i].time
	}
	return point{offset, clock}
}
