package engine

import (
	"slices"
	"sort"
	"strings"
	"sync"

	"mediawiki-websocket/relay/wire/codec"
)

const (
	// lostMost is how many keys without kept messages are remembered, of which there were some, before the older half is forgotten.
	lostMost = 16 << 10
	// ringBytes is about what a key with kept messages takes, without its name.
	ringBytes = 280
)

func (h History) some() bool { return h.Count > 0 && h.Seconds > 0 }

// history is the kept messages of all keys.
type history struct {
	mu sync.Mutex

	rings  map[Key]*ring
	order  []*ring // all of rings
	cursor int     // in order: whose messages are looked at next for their age

	messages int
	limit    int // of bytes
	bytes    int // of memory
	recorded int // bytes in the journal
	holders  int // wikis that have messages

	// The keys that have none any more, and up to where those that they had are gone. What is forgotten is in the floor of its wiki, so that no wiki
	// can make another's messages look lost.
	lost, lostBefore map[Key]point
	wikis            map[string]*wiki
}

// wiki is what is known about all types of a wiki.
type wiki struct {
	first, last *node // its messages in the order in which they came
	bytes       int   // of memory

	floor point // no message of a key without ring and lost was lost after it

	declared bool
	settled  bool // no message is on its way any more that was looked at with other policies
	policies digest
	since    point // when they were declared: from then on it is known which types are kept
}

// lasting returns what a next process may take for declared; as long as that has not settled, nothing.
func (w *wiki) lasting() digest {
	if !w.settled {
		return digest{}
	}
	return w.policies
}

// ring is the kept messages of a key, the oldest first: at least one.
type ring struct {
	key   Key
	wiki  *wiki
	list  []*node
	keep  History // of the last message
	floor point   // what the key had up to here is gone
	place int     // in history.order
}

// node is a kept message. The message does not change.
type node struct {
	Message
	once       digest // of Dedup; zero: none
	ring       *ring
	prev, next *node
	bytes      int // of memory
	recorded   int // bytes in the journal
}

// init empties h. Nobody else uses it yet.
func (h *history) init(limit int) {
	h.rings, h.order, h.cursor = make(map[Key]*ring), nil, 0
	h.messages, h.holders, h.limit, h.bytes, h.recorded = 0, 0, limit, 0, 0
	h.lost, h.lostBefore, h.wikis = make(map[Key]point), nil, make(map[string]*wiki)
}

func (h *history) wiki(id string) *wiki {
	w := h.wikis[id]
	if w == nil {
		w = new(wiki)
		h.wikis[id] = w
	}
	return w
}

// add keeps n, and lets go what may not be kept any longer.
func (h *history) add(n *node, clock int64) {
	r := h.rings[n.Key]
	if r == nil {
		r = h.newRing(n.Key)
	}
	if n.Key = r.key; n.Type == r.key.Type {
		n.Type = r.key.Type // one string for all
	}
	n.ring, r.keep, r.list = r, n.Keep, append(r.list, n)
	w := r.wiki
	if n.prev = w.last; n.prev != nil {
		n.prev.next = n
	} else {
		w.first = n
		h.holders++
	}
	w.last = n
	h.messages++
	h.takes(w, n.bytes)
	h.recorded += n.recorded
	h.trim(r, r.keep, clock)
	for h.bytes > h.limit && h.messages > 0 {
		h.drop(h.tooMuch(w).first.ring)
	}
	h.sweep(clock)
}

func (h *history) takes(w *wiki, bytes int) {
	w.bytes += bytes
	h.bytes += bytes
}

// tooMuch returns the wiki whose oldest message has to give way to another's: w, whose turn it is, when it has its share or more, else the one that has most.
// So no wiki pushes out what others keep within theirs.
func (h *history) tooMuch(w *wiki) *wiki {
	if w.first != nil && w.bytes >= h.limit/h.holders {
		return w
	}
	w = nil
	for _, other := range h.wikis {
		if other.first != nil && (w == nil || other.bytes > w.bytes) {
			w = other
		}
	}
	return w
}

// sweep looks at two keys, one more than can come in between: so all are looked at that nobody asks about.
func (h *history) sweep(clock int64) {
	for range 2 {
		if len(h.order) == 0 {
			return
		}
		if h.cursor >= len(h.order) {
			h.cursor = 0
		}
		r := h.order[h.cursor]
		h.trim(r, r.keep, clock)
		h.cursor++
	}
}

// sweepAll looks at all keys.
func (h *history) sweepAll(clock int64) {
	for _, r := range slices.Clone(h.order) {
		h.trim(r, r.keep, clock)
	}
}

// trim lets go what keep does not allow any more.
func (h *history) trim(r *ring, keep History, clock int64) {
	for len(r.list) > 0 && (len(r.list) > keep.Count || r.list[0].Time < clock-int64(keep.Seconds)*1000) {
		h.drop(r)
	}
}

// drop lets the oldest message of r go.
func (h *history) drop(r *ring) {
	n := r.list[0]
	r.list[0] = nil
	r.list = r.list[1:]
	w := r.wiki
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		w.first = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		w.last = n.prev
	}
	if w.first == nil {
		h.holders--
	}
	n.prev, n.next = nil, nil
	h.messages--
	h.takes(w, -n.bytes)
	h.recorded -= n.recorded
	r.floor = r.floor.max(point{n.Offset, n.Time})
	if len(r.list) == 0 {
		h.remove(r)
	}
}

func (h *history) newRing(k Key) *ring {
	r := &ring{key: Key{clone(k.Wiki), clone(k.Type)}, place: len(h.order)}
	r.floor, _ = h.gone(k)
	delete(h.lost, k)
	delete(h.lostBefore, k)
	h.rings[r.key], h.order = r, append(h.order, r)
	r.wiki = h.wiki(r.key.Wiki)
	h.takes(r.wiki, ringBytes+len(k.Wiki)+len(k.Type))
	return r
}

func (h *history) remove(r *ring) {
	end := len(h.order) - 1
	h.order[r.place] = h.order[end]
	h.order[r.place].place = r.place
	h.order[end] = nil
	h.order = h.order[:end]
	delete(h.rings, r.key)
	h.takes(r.wiki, -ringBytes-len(r.key.Wiki)-len(r.key.Type))
	h.lose(r.key, r.floor)
}

// forget lets the messages of k go up to p.
func (h *history) forget(k Key, p point) {
	r := h.rings[k]
	if r == nil {
		h.lose(k, p)
		return
	}
	for len(r.list) > 0 && r.list[0].Offset <= p.offset {
		h.drop(r)
	}
}

// chosen returns the ring of k or, with all, those of its wiki whose types begin with its own.
func (h *history) chosen(k Key, all bool) (rings []*ring) {
	if r := h.rings[k]; r != nil && !all {
		return []*ring{r}
	}
	for _, r := range h.order {
		if all && r.key.Wiki == k.Wiki && strings.HasPrefix(r.key.Type, k.Type) {
			rings = append(rings, r)
		}
	}
	return rings
}

// lose remembers that what k had up to p is gone.
func (h *history) lose(k Key, p point) {
	if len(h.lost) >= lostMost {
		for k, p := range h.lostBefore {
			w := h.wiki(k.Wiki)
			w.floor = w.floor.max(p)
		}
		h.lostBefore, h.lost = h.lost, make(map[Key]point)
	}
	h.lost[k] = p
}

// gone returns the point after which nothing of a key without ring was lost; exact: something was at it.
func (h *history) gone(k Key) (p point, exact bool) {
	if p, exact = h.lost[k]; exact {
		return p, true
	}
	if p, exact = h.lostBefore[k]; exact {
		return p, true
	}
	if w := h.wikis[k.Wiki]; w != nil {
		p = w.floor
	}
	return p, false
}

// missed returns the messages of k since and, in all, whether there were no others.
func (h *history) missed(k Key, keep History, since *codec.Since, clock int64) (messages []*Message, all bool) {
	r := h.rings[k]
	if r != nil {
		if h.trim(r, keep, clock); len(r.list) == 0 {
			r = nil
		}
	}
	if r == nil {
		p, _ := h.gone(k)
		return nil, covers(since, p)
	}
	if !covers(since, r.floor) {
		return nil, false
	}
	had := func(n *node) bool { return covers(since, point{n.Offset, n.Time}) }
	var from int
	if since.Epoch != "" {
		from = sort.Search(len(r.list), func(i int) bool { return !had(r.list[i]) })
	} else if from = slices.IndexFunc(r.list, func(n *node) bool { return !had(n) }); from < 0 { // clocks may be set back: times need not rise
		from = len(r.list)
	}
	if from == len(r.list) {
		return nil, true
	}
	messages = make([]*Message, 0, len(r.list)-from)
	for _, n := range r.list[from:] {
		messages = append(messages, &n.Message)
	}
	return messages, true
}

// after reports whether a message of k, which is not kept now, was kept since. declared: what is kept has been declared all the time since.
func (h *history) after(k Key, since *codec.Since, declared bool) bool {
	if r := h.rings[k]; r != nil {
		last := r.list[len(r.list)-1]
		return !covers(since, r.floor.max(point{last.Offset, last.Time}))
	}
	p, exact := h.gone(k)
	return !covers(since, p) && (exact || !declared)
}
