package hub

import (
	"slices"
	"time"

	"mediawiki-websocket/relay/engine"
)

// Owner is whose connection it is.
type Owner = engine.Owner

// SetOwner says whose m is. It comes before m's first client.
func (h *Hub) SetOwner(m *Member, o Owner) {
	h.clientsMu.Lock()
	defer h.clientsMu.Unlock()
	m.owner = o
}

const (
	reserveFor  = 5 * time.Minute // at least, and at most twice as long
	reserveMost = 1 << 15
	reserveEach = 256 // for one user, so that nobody can make the relay forget those of others
)

// reservations keeps the client ids of users who are away for a moment from being taken by others, who have seen them as senders: two
// generations, each of at most reserveMost ids.
type reservations struct {
	now, old map[string]Owner
	counts   map[Owner]int // in now
	since    time.Time
}

func (r *reservations) keep(id string, o Owner) {
	if o.User == "" {
		return
	}
	r.age(len(r.now) >= reserveMost)
	if r.now == nil {
		r.now, r.counts, r.since = make(map[string]Owner), make(map[Owner]int), time.Now()
	}
	if _, known := r.now[id]; !known && r.counts[o] < reserveEach {
		r.now[id] = o
		r.counts[o]++
	}
}

// age begins a new generation when it is time to, or when full.
func (r *reservations) age(full bool) {
	if r.now != nil && (full || time.Since(r.since) > reserveFor) {
		r.old, r.now, r.since, full = r.now, nil, time.Now(), false
	}
	if time.Since(r.since) > reserveFor {
		r.old = nil
	}
}

// take reports whether o may have the id.
func (r *reservations) take(id string, o Owner) bool {
	r.age(false)
	for _, generation := range []map[string]Owner{r.now, r.old} {
		if other, ok := generation[id]; ok && other != o {
			return false
		}
	}
	return true
}

// owner returns for whom an id is kept, or else the zero value.
func (r *reservations) owner(id string) Owner {
	if o, ok := r.now[id]; ok {
		return o
	}
	return r.old[id]
}

// AddClient makes m carry the client id, unless that is somebody else's.
func (h *Hub) AddClient(m *Member, id string) bool {
	return h.addClient(m, id, func() []string { return append(slices.Clone(m.clients), id) })
}

// OnlyClient makes id the one client of m, unless it is somebody else's: a classic connection is whoever it last said it was.
func (h *Hub) OnlyClient(m *Member, id string) bool {
	return h.addClient(m, id, func() []string { return []string{id} })
}

func (h *Hub) addClient(m *Member, id string, clients func() []string) bool {
	h.clientsMu.Lock()
	defer h.clientsMu.Unlock()
	if slices.Contains(m.clients, id) && (m.sole == id || m.sees == nil) {
		return true
	}
	if holders := h.clients[id]; len(holders) > 0 && holders[0].owner != m.owner || !h.reserved.take(id, m.owner) {
		return false
	}
	h.setClients(m, clients())
	h.joinClassic(m)
	return true
}

// MayBe reports whether a client id can be o's: nobody else has it.
func (h *Hub) MayBe(id string, o Owner) bool {
	h.clientsMu.RLock()
	defer h.clientsMu.RUnlock()
	holders := h.clients[id]
	return len(holders) == 0 || holders[0].owner == o
}

// Owners returns which user has each of these client ids, or has had it a moment ago; the zero value where that is nobody, or a visitor without an account.
// nil: nobody is known for any.
func (h *Hub) Owners(ids []string) (owners []Owner) {
	h.clientsMu.RLock()
	defer h.clientsMu.RUnlock()
	for i, id := range ids {
		o := h.reserved.owner(id)
		if holders := h.clients[id]; len(holders) > 0 {
			o = holders[0].owner
		}
		if o.User == "" {
			continue
		}
		if owners == nil {
			owners = make([]Owner, len(ids))
		}
		owners[i] = o
	}
	return owners
}

// Carries reports whether m has the client id.
func (h *Hub) Carries(m *Member, id string) bool {
	h.clientsMu.RLock()
	defer h.clientsMu.RUnlock()
	return slices.Contains(m.clients, id)
}

// RemoveClient ends m's client id, if it has it.
func (h *Hub) RemoveClient(m *Member, id string) {
	h.clientsMu.Lock()
	defer h.clientsMu.Unlock()
	if i := slices.Index(m.clients, id); i >= 0 {
		h.setClients(m, slices.Delete(slices.Clone(m.clients), i, i+1))
	}
}

// Clients returns the clients of m. Nobody may change the slice.
func (h *Hub) Clients(m *Member) []string {
	h.clientsMu.RLock()
	defer h.clientsMu.RUnlock()
	return m.clients
}

// holders is how many connections are reached by one client id: a page has an id of its own, and scripts that share one are few. Who comes later
// gets what is for everyone.
const holders = 64

func (h *Hub) setClients(m *Member, ids []string) {
	for _, id := range m.clients {
		if slices.Contains(ids, id) {
			continue
		}
		h.reserved.keep(id, m.owner)
		list := slices.DeleteFunc(h.clients[id], func(o *Member) bool { return o == m })
		if h.clients[id] = list; len(list) == 0 {
			delete(h.clients, id)
		}
	}
	for _, id := range ids {
		if !slices.Contains(m.clients, id) && len(h.clients[id]) < holders {
			h.clients[id] = append(h.clients[id], m)
		}
	}
	if m.clients, m.sole = ids, ""; len(ids) == 1 {
		m.sole = ids[0]
	}
}
