package hub

import (
	"slices"
	"sync"
	"time"

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
	Origin  *Member // the connection whose messages these are, or nil; it may change between messages
	Wait    func()  // called before others are waited for; may be nil
	Breathe func()  // called now and then while much is written; may be nil

	hub      *Hub
	channels []*channel // with items
	dirty    *dirtyList
	bytes    int // to be written
	queued   int // of these, how many wait in an outbox at the most
	count    uint64
	writes   int       // since Flush began
	breathed time.Time // when others were let in last, or else Flush began
}

// NewDelivery returns a delivery for what origin sends; origin may be nil.
func (h *Hub) NewDelivery(origin *Member) *Delivery { return &Delivery{Origin: origin, hub: h} }

// Deliver queues m for everybody who wants it. It writes nothing.
func (d *Delivery) Deliver(m *engine.Message) {
	h := d.hub
	frame := d.ahead(m)
	h.clientsMu.RLock()
	defer h.clientsMu.RUnlock()
	if m.Recipients != nil {
		d.direct(m, frame)
		return
	}
	skip := h.senders(m.From, d.Origin)
	if ch := h.channel(m.Key); ch != nil {
		d.grew(ch, ch.add(m, frame, skip))
	}
	d.toClassic(m, frame, skip)
}

// Tell queues a frame that is no message for all who have joined k. It writes nothing.
func (d *Delivery) Tell(k engine.Key, frame []byte) {
	if ch := d.hub.channel(k); ch != nil {
		ch.tell(frame)
		d.grew(ch, len(frame))
	}
}

// Wants reports whether m, if it has joined the message's key, would be given a message that was kept if it were delivered now. meant: it is for m. One with
// recipients is so only when one of the ids that m has was known to be its owner's at that time: others may have had the id then.
func (h *Hub) Wants(m *Member, message *engine.Message) (wants, meant bool) {
	h.clientsMu.RLock()
	defer h.clientsMu.RUnlock()
	if message.From != "" && m.sole == message.From {
		return false, false
	}
	if message.Recipients == nil {
		return true, true
	}
	for i, id := range message.Recipients {
		if slices.Contains(h.clients[id], m) {
			wants = true
			meant = meant || m.owner.User != "" && i < len(message.Owners) && message.Owners[i] == m.owner
		}
	}
	return wants, meant
}

// senders returns whom a message from a client is not for: those that carry only that client.
func (h *Hub) senders(from string, origin *Member) (skip []*Member) {
	if from == "" {
		return nil
	}
	for _, holder := range h.clients[from] {
		if holder.sole == from {
			skip = append(skip, holder)
		}
	}
	if origin != nil && origin.sole == from && !slices.Contains(skip, origin) {
		skip = append(skip, origin)
	}
	return skip
}

// grew remembers that something must be sent to ch.
func (d *Delivery) grew(ch *channel, bytes int) {
	if d.bytes += bytes; bytes > 0 && !slices.Contains(d.channels, ch) {
		d.channels = append(d.channels, ch)
	}
}

func (d *Delivery) toClassic(m *engine.Message, frame forms, skip []*Member) {
	d.hub.classicMu.RLock()
	defer d.hub.classicMu.RUnlock()
	for _, member := range d.hub.classic {
		if member != d.Origin && member.sees(m.Key) && !slices.Contains(skip, member) {
			d.give(member, m, &frame)
		}
	}
	d.bytes += len(frame.plain)
}

// direct delivers a message that names its recipients.
func (d *Delivery) direct(m *engine.Message, frame forms) {
	var subscribers []*Member
	ch := d.hub.channel(m.Key)
	done := make(map[*Member]bool, len(m.Recipients))
	for _, id := range m.Recipients {
		for _, member := range d.hub.clients[id] {
			if done[member] || m.From != "" && member.sole == m.From || member == d.Origin && member.sees != nil {
				continue
			}
			done[member] = true
			if member.sees != nil && member.sees(m.Key) {
				d.give(member, m, &frame)
			} else if ch != nil && member.in(ch) {
				subscribers = append(subscribers, member)
			}
		}
	}
	if len(subscribers) > 0 {
		if frame.plain == nil {
			frame.plain = AppendMessage(nil, m)
		}
		ch.addFor(frame, subscribers)
		d.grew(ch, len(frame.plain))
	}
}

// give queues m for member. Its frame is made for the first receiver. Who takes compressed ones, but has come since ahead looked, gets a plain one.
func (d *Delivery) give(member *Member, m *engine.Message, frame *forms) {
	if frame.plain == nil {
		frame.plain = AppendMessage(nil, m)
	}
	d.count++
	if member.deflates() && frame.done > 0 {
		d.Queue(member.out, frame.deflated)
	} else {
		d.Queue(member.out, frame.plain)
	}
}

// Reply queues a frame for the connection that is being served.
func (d *Delivery) Reply(out Outbox, frame []byte) {
	d.bytes += len(frame)
	d.Queue(out, frame)
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

// breathe lets others in when it is time to. It comes before every write.
func (d *Delivery) breathe() {
	if d.writes++; d.writes%breathEvery != 0 || d.Breathe == nil {
		return
	}
	after := breathAfter
	if d.bytes >= breathBytes {
		after = breathSoon
	}
	if time.Since(d.breathed) > after {
		d.Breathe()
		d.breathed = time.Now()
	}
}

// Pace flushes when much is waiting. It is for the moments between messages.
func (d *Delivery) Pace() {
	if d.bytes >= flushBytes {
		d.Flush()
	}
}

// Flush writes what waits because of this delivery.
func (d *Delivery) Flush() {
	d.writes = 0
	if len(d.channels) > 0 || d.dirty != nil && len(d.dirty.list) >= breathEvery {
		d.breathed = time.Now()
	}
	only := len(d.channels) == 1
	for i, ch := range d.channels {
		d.count += ch.send(d, only)
		d.channels[i] = nil
	}
	d.channels = d.channels[:0]
	if d.count > 0 {
		d.hub.delivered.Add(d.count)
	}
	d.wash()
	d.bytes, d.count = 0, 0
}

// wash flushes the outboxes that frames are queued in.
func (d *Delivery) wash() {
	dirty := d.dirty
	d.dirty, d.queued = nil, 0
	if dirty == nil {
		return
	}
	for i, out := range dirty.list {
		d.breathe()
		out.Flush()
		dirty.list[i] = nil
	}
	dirty.list = dirty.list[:0]
	dirtyPool.Put(dirty)
}
