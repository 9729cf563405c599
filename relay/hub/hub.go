// Package hub knows who wants which messages and hands them over.
//
// Under its locks frames are queued, never written: the slowest connection cannot hold up another.
package hub

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"mediawiki-websocket/relay/engine"
)

// Outbox is where a connection's frames wait.
type Outbox interface {
	// Queue appends a frame, or several in a row, which it may share with others. It never blocks. When it returns true the caller must see to it that
	// Flush is called.
	Queue(frames []byte) bool
	// Flush writes what is queued, without waiting for the peer.
	Flush()
	// Send is Queue and Flush in one.
	Send(frames []byte)
}

// Member is a connection as the hub sees it. Join, the changes of clients and Drop are for one goroutine, the connection's own. [NewMember] or Init make
// it ready for use.
type Member struct {
	sees func(engine.Key) bool // a classic connection: which messages it gets; nil: those it subscribed to

	mu   sync.Mutex
	subs []subscription

	clients []string // guarded by Hub.clientsMu
	sole    string   // the only client, "" when there are none or several; guarded by Hub.clientsMu
	owner   Owner    // guarded by Hub.clientsMu

	place int32         // in Hub.classic, -1 outside; guarded by classicMu
	is    atomic.Uint32 // with out all that fan-out needs of a member
	out   Outbox
}

// What a member is.
const (
	deflating uint32 = 1 << iota // it takes compressed frames
	single                       // it has joined exactly one key; changes under mu
)

func (m *Member) deflates() bool { return m.is.Load()&deflating != 0 }

// counted notes how many keys m has joined; the caller holds the lock.
func (m *Member) counted() {
	if len(m.subs) == 1 {
		m.is.Or(single)
	} else {
		m.is.And(^single)
	}
}

// subscription is the place of a member in a channel. It changes only under the locks of both.
type subscription struct {
	ch    *channel
	place int32
	after uint32 // the channel's item before which the member gets nothing: what was delivered until then is not for it, or it has had it
}

// NewMember returns a member that gets the messages it subscribes to or, with sees, once it has a client, every message that it sees.
func NewMember(out Outbox, sees func(engine.Key) bool) *Member {
	m := new(Member)
	m.Init(out, sees)
	return m
}

// Init makes m what [NewMember] returns.
func (m *Member) Init(out Outbox, sees func(engine.Key) bool) { m.out, m.sees, m.place = out, sees, -1 }

// TakeDeflated says that m takes frames that are compressed by permessage-deflate without context takeover. It comes before m's first key and client.
func (m *Member) TakeDeflated() { m.is.Or(deflating) }

const stripes = 64

type stripe struct {
	mu       sync.RWMutex
	channels map[engine.Key]*channel
}

// Hub is the connections of this relay by what they want. The locks are taken in the order channel.sending, those of the engine, clientsMu, stripe.mu,
// channel.mu, classicMu, Member.mu.
type Hub struct {
	// CompressBytes is how long messages are that are compressed for members that take that, at least. It is set before any member comes.
	CompressBytes int

	seed      maphash.Seed
	stripes   [stripes]stripe
	delivered atomic.Uint64

	clientsMu sync.RWMutex
	clients   map[string][]*Member
	reserved  reservations

	classicMu sync.RWMutex
	classic   []*Member

	classicDeflates atomic.Int32 // members of classic that take compressed frames
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

// channel returns the channel of k, nil when nobody has joined it.
func (h *Hub) channel(k engine.Key) *channel {
	s := h.stripe(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.channels[k]
}

// Join subscribes m to k. It gets what is delivered from now on, and nothing that was delivered before; if it has joined k already that is so only when
// [Hub.Still] calls it. Then the frames are returned of what was delivered to m and not sent: whoever does not make up for them otherwise sends them.
func (h *Hub) Join(m *Member, k engine.Key) (pending []byte) {
	s := h.stripe(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[k]
	if ch == nil {
		ch = &channel{key: k}
		s.channels[k] = ch
	}
	return ch.join(m)
}

// Leave ends m's subscription to k, if there is one. When it returns nothing of k comes to m's outbox any more, not even what had been delivered and was just
// being sent.
func (h *Hub) Leave(m *Member, k engine.Key) {
	if ch := h.leave(m, k); ch != nil {
		ch.sending.Lock()
		defer ch.sending.Unlock()
	}
}

// Part is Leave without waiting: what is just being sent m may still get.
func (h *Hub) Part(m *Member, k engine.Key) { h.leave(m, k) }

// Still calls f while nothing of k is being sent to m. It waits for that only if m has joined k; wait is called before it does.
func (h *Hub) Still(m *Member, k engine.Key, wait, f func()) {
	if ch := m.channel(k); ch != nil {
		if !ch.sending.TryLock() {
			wait()
			ch.sending.Lock()
		}
		defer ch.sending.Unlock()
	}
	f()
}

// leave returns the channel that m has left.
func (h *Hub) leave(m *Member, k engine.Key) *channel {
	s := h.stripe(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[k]
	if ch == nil || !ch.leave(m) {
		return nil
	}
	if len(ch.subs) == 0 {
		delete(s.channels, k)
	}
	return ch
}

// find returns the place of ch among m's subscriptions, -1 when it is not there. They are few, and side by side: a map would cost more memory than all else
// that an idle connection needs. The caller holds m's lock.
func (m *Member) find(ch *channel) int {
	return slices.IndexFunc(m.subs, func(s subscription) bool { return s.ch == ch })
}

// channel returns the channel of k if m has joined it, or else nil.
func (m *Member) channel(k engine.Key) *channel {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.subs, func(s subscription) bool { return s.ch.key == k }); i >= 0 {
		return m.subs[i].ch
	}
	return nil
}

// wants reports whether m gets an item of ch that was delivered before it is sent.
func (m *Member) wants(ch *channel, number uint32) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(ch)
	return i >= 0 && number > m.subs[i].after
}

// in reports whether m has joined ch.
func (m *Member) in(ch *channel) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.find(ch) >= 0
}

// Subscribed reports whether m has joined k.
func (m *Member) Subscribed(k engine.Key) bool { return m.channel(k) != nil }

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
	keys := make([]engine.Key, len(m.subs))
	for i, s := range m.subs {
		keys[i] = s.ch.key
	}
	return keys
}

func (h *Hub) joinClassic(m *Member) {
	h.classicMu.Lock()
	defer h.classicMu.Unlock()
	if m.sees != nil && m.place < 0 {
		m.place = int32(len(h.classic))
		h.classic = append(h.classic, m)
		if m.deflates() {
			h.classicDeflates.Add(1)
		}
	}
}

// Drop takes m out of everything, and returns the keys that it had joined. It does not wait for what is just being sent.
func (h *Hub) Drop(m *Member) (left []engine.Key) {
	left = m.Subscriptions()
	for _, k := range left {
		h.leave(m, k)
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
		if m.deflates() {
			h.classicDeflates.Add(-1)
		}
	}
	return left
}

// Stats is what the hub holds and has done.
type Stats struct {
	Clients, Types int
	Delivered      uint64 // messages queued for a connection
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
