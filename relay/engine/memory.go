package engine

import (
	"crypto/rand"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"mediawiki-websocket/relay/wire/codec"
)

const (
	stripes    = 64
	generation = 256 // keys remembered per stripe before the older half is forgotten
)

// Memory is the engine of a single relay. It keeps no messages: offsets are one count over all types, which begins anew, with a new epoch, at
// each start.
type Memory struct {
	epoch   string
	seed    maphash.Seed
	count   atomic.Uint64
	stripes [stripes]stripe
}

var _ Engine = (*Memory)(nil)

// stripe serialises the keys that hash to it. It remembers the last offset of each key, in two generations because anybody may invent types:
// a key that is in neither has had nothing after floor.
type stripe struct {
	mu       sync.Mutex
	now, old map[Key]uint64
	floor    uint64
}

// NewMemory returns an engine with a random epoch.
func NewMemory() *Memory {
	return &Memory{epoch: rand.Text()[:12], seed: maphash.MakeSeed()}
}

func (e *Memory) stripe(k Key) *stripe {
	return &e.stripes[maphash.Comparable(e.seed, k)%stripes]
}

// Publish implements [Engine]. It returns no error.
func (e *Memory) Publish(m *Message, deliver func(*Message)) error {
	s := e.stripe(m.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Offset = e.count.Add(1)
	s.remember(m.Key, m.Offset)
	deliver(m)
	return nil
}

// At implements [Engine].
func (e *Memory) At(k Key, since *codec.Position, f func(codec.Position, bool)) {
	s := e.stripe(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := codec.Position{Epoch: e.epoch, Offset: e.count.Load()}
	f(now, since == nil || since.Epoch == e.epoch && s.last(k) <= since.Offset)
}

// Close implements [Engine].
func (e *Memory) Close() error { return nil }

func (s *stripe) remember(k Key, offset uint64) {
	if s.now == nil || len(s.now) >= generation {
		for _, last := range s.old {
			s.floor = max(s.floor, last)
		}
		s.old, s.now = s.now, make(map[Key]uint64)
	}
	s.now[k] = offset
}

func (s *stripe) last(k Key) uint64 {
	if last, ok := s.now[k]; ok {
		return last
	}
	if last, ok := s.old[k]; ok {
		return last
	}
	return s.floor
}
