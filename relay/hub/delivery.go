package hub

import (
	"sync"

	"mediawiki-websocket/relay/engine"
)

// flushBytes is how much one delivery queues for a connection before it writes: well below any sensible outbox, so that a large batch does not
// make quick readers look slow.
const flushBytes = 32 << 10

// dirtyList is outboxes to be flushed. Lists are pooled: a connection that sends nothing keeps none.
type dirtyList struct{ list []Outbox }

var dirtyPool = sync.Pool{New: func() any { return new(dirtyList) }}

// Delivery hands messages to outboxes for one goroutine. It writes later, in Flush, so that messages that come together leave together; whoever
// has called Deliver or Queue must call Flush, whatever happens.
type Delivery struct {
	Origin *Member // the connection whose messages these are, or nil; it may change between messages
	hub    *Hub
	dirty  *dirtyList
	bytes  int
	count  uint64
}

// NewDelivery returns a delivery for what origin sends; origin may be nil.
func (h *Hub) NewDelivery(origin *Member) *Delivery { return &Delivery{Origin: origin, hub: h} }

// Deliver queues m for everybody who wants it. It writes nothing.
func (d *Delivery) Deliver(m *engine.Message) {
	h := d.hub
	h.clientsMu.RLock()
	defer h.clientsMu.RUnlock()
	if m.Recipients != nil {
		d.direct(m)
		return
	}
	d.bytes += len(d.toClassic(m, d.toSubscribers(m)))
}

func (d *Delivery) toSubscribers(m *engine.Message) (frame []byte) {
	s := d.hub.stripe(m.Key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if ch := s.channels[m.Key]; ch != nil {
		for _, sub := range ch.subs {
			frame = d.give(sub.member, m, frame)
		}
	}
	return frame
}

func (d *Delivery) toClassic(m *engine.Message, frame []byte) []byte {
	d.hub.classicMu.RLock()
	defer d.hub.classicMu.RUnlock()
	for _, member := range d.hub.classic {
		if member.sees(m.Key) {
			frame = d.give(member, m, frame)
		}
	}
	return frame
}

// direct delivers a message that names its recipients.
func (d *Delivery) direct(m *engine.Message) {
	var frame []byte
	done := make(map[*Member]bool, len(m.Recipients))
	for _, id := range m.Recipients {
		for _, member := range d.hub.clients[id] {
			if done[member] {
				continue
			}
			done[member] = true
			if member.Subscribed(m.Key) || member.sees != nil && member.sees(m.Key) {
				frame = d.give(member, m, frame)
			}
		}
	}
	d.bytes += len(frame)
}

// give queues m for member unless member is its sender, and returns m's frame, which the first receiver has made.
func (d *Delivery) give(member *Member, m *engine.Message, frame []byte) []byte {
	if m.From != "" && member.sole == m.From || member == d.Origin && member.sees != nil {
		return frame
	}
	if frame == nil {
		frame = messageFrame(m)
	}
	d.count++
	d.Queue(member.out, frame)
	return frame
}

// Queue queues a frame for one connection.
func (d *Delivery) Queue(out Outbox, frame []byte) {
	if !out.Queue(frame) {
		return
	}
	if d.dirty == nil {
		d.dirty = dirtyPool.Get().(*dirtyList)
	}
	d.dirty.list = append(d.dirty.list, out)
}

// Pace flushes when much is waiting. It is for the moments between messages.
func (d *Delivery) Pace() {
	if d.bytes >= flushBytes {
		d.Flush()
	}
}

// Flush writes what waits because of this delivery.
func (d *Delivery) Flush() {
	if d.count > 0 {
		d.hub.delivered.Add(d.count)
	}
	d.bytes, d.count = 0, 0
	dirty := d.dirty
	if dirty == nil {
		return
	}
	d.dirty = nil
	for i, out := range dirty.list {
		out.Flush()
		dirty.list[i] = nil
	}
	dirty.list = dirty.list[:0]
	dirtyPool.Put(dirty)
}
