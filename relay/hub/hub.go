// Package hub knows who wants which messages and hands them over.
//
// Under its locks frames are queued, never written: the slowest connection cannot hold up another.
package hub

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"mediawiki-websocket/relay/engine"
)

// Outbox is where a connection's frames wait.
type Outbox interface {
	// Queue appends a frame, which it may share with others. It never blocks. When it returns true the caller must see to it that Flush is called.
	Queue(frame []byte) bool
	// Flush writes what is queued, without waiting for the peer.
	Flush()
}

// Member is a connection as the hub sees it. Join, the changes of clients and Drop are for one goroutine, the connection's own.
type Member struct {
	out  Outbox
	sees func(engine.Key) bool // a classic connection: which messages it gets; nil: those it subscribed to

	place   int      // in Hub.classic, -1 outside; guarded by classicMu
	clients []string // guarded by Hub.clientsMu
	sole    string   // the only client, "" when there are none or several; guarded by Hub.clientsMu
	owner   Owner    // guarded by Hub.clientsMu

	mu   sync.Mutex
	subs map[engine.Key]*sub
}

// NewMember returns a member that gets the messages it subscribes to or, with sees, once it has a client, every message that it sees.
func NewMember(out Outbox, sees func(engine.Key) bool) *Member {
	return &Member{out: out, sees: sees, place: -1}
}

type sub struct {
	member *Member
	place  int // in channel.subs
}

const stripes = 64

type stripe struct {
	mu       sync.RWMutex
	channels map[engine.Key]*channel
}

type channel struct{ subs []*sub }

// Hub is the connections of this relay by what they want. The locks are taken in the order clientsMu, stripe.mu, classicMu, Member.mu.
type Hub struct {
	seed      maphash.Seed
	stripes   [stripes]stripe
	delivered atomic.Uint64

	clientsMu sync.RWMutex
	clients   map[string][]*Member
	reserved  reservations

	classicMu sync.RWMutex
	classic   []*Member
}

// New returns an empty hub.
func New() *Hub {
	h := &Hub{seed: maphash.MakeSeed(), clients: make(map[string][]*Member)}
	for i := range h.stripes {
		h.stripes[i].channels = make(map[engine.Key]*channel)
	}
	return h
}

func (h *Hub) stripe(k engine.Key) *stripe {
	return &h.stripes[maphash.Comparable(h.seed, k)%stripes]
}

// Join subscribes m to k.
func (h *Hub) Join(m *Member, k engine.Key) {
	s := h.stripe(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.subs[k] != nil {
		return
	}
	if m.subs == nil {
		m.subs = make(map[engine.Key]*sub)
	}
	ch := s.channels[k]
	if ch == nil {
		ch = &channel{}
		s.channels[k] = ch
	}
	m.subs[k] = &sub{m, len(ch.subs)}
	ch.subs = append(ch.subs, m.subs[k])
}

// Leave ends m's subscription to k, if there is one. The last subscriber takes the place that becomes free.
func (h *Hub) Leave(m *Member, k engine.Key) {
	s := h.stripe(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := m.subs[k]
	if gone == nil {
		return
	}
	delete(m.subs, k)
	ch := s.channels[k]
	last := len(ch.subs) - 1
	ch.subs[gone.place] = ch.subs[last]
	ch.subs[gone.place].place = gone.place
	ch.subs[last] = nil
	if ch.subs = ch.subs[:last]; last == 0 {
		delete(s.channels, k)
	}
}

// Subscribed reports whether m has joined k.
func (m *Member) Subscribed(k engine.Key) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.subs[k] != nil
}

// Len returns how many keys m has joined.
func (m *Member) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.subs)
}

// Subscriptions returns the keys that m has joined.
func (m *Member) Subscriptions() []engine.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]engine.Key, 0, len(m.subs))
	for k := range m.subs {
		keys = append(keys, k)
	}
	return keys
}

func (h *Hub) joinClassic(m *Member) {
	h.classicMu.Lock()
	defer h.classicMu.Unlock()
	if m.sees != nil && m.place < 0 {
		m.place = len(h.classic)
		h.classic = append(h.classic, m)
	}
}

// Drop takes m out of everything.
func (h *Hub) Drop(m *Member) {
	for _, k := range m.Subscriptions() {
		h.Leave(m, k)
	}
	h.clientsMu.Lock()
	h.setClients(m, nil)
	h.clientsMu.Unlock()
	h.classicMu.Lock()
	defer h.classicMu.Unlock()
	if m.place >= 0 {
		last := len(h.classic) - 1
		h.classic[m.place] = h.classic[last]
		h.classic[m.place].place = m.place
		h.classic[last] = nil
		h.classic, m.place = h.classic[:last], -1
	}
}

// Stats is what the hub holds and has done.
type Stats struct {
	Clients, Types int
	Delivered      uint64 // frames queued for a connection
}

// Stats returns the hub's numbers.
func (h *Hub) Stats() Stats {
	st := Stats{Delivered: h.delivered.Load()}
	h.clientsMu.RLock()
	st.Clients = len(h.clients)
	h.clientsMu.RUnlock()
	for i := range h.stripes {
		s := &h.stripes[i]
		s.mu.RLock()
		st.Types += len(s.channels)
		s.mu.RUnlock()
	}
	return st
}
