package hub

import (
	"slices"

	"mediawiki-websocket/relay/engine"
)

// Multicast queues a frame of a program for all who have joined k, but for skip, which nobody may change afterwards. It returns how many those are, and
// writes nothing.
func (d *Delivery) Multicast(k engine.Key, frame []byte, skip ...*Member) (n int) {
	ch := d.hub.channel(k)
	if ch == nil {
		return 0
	}
	if n = ch.multicast(frame, skip); n > 0 {
		d.grew(ch, len(frame))
	}
	return n
}

// multicast appends a frame, for all that are subscribed when it is sent, but for skip, and returns how many those would be now.
func (ch *channel) multicast(frame []byte, skip []*Member) (n int) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	n = len(ch.subs)
	for i, m := range skip {
		if !slices.Contains(skip[:i], m) && m.in(ch) {
			n--
		}
	}
	if n == 0 {
		return 0
	}
	if last := len(ch.items) - 1; last >= 0 {
		if it := &ch.items[last]; it.to == nil && len(it.plain) < flushBytes && slices.Equal(it.skip, skip) {
			it.plain = append(it.plain, frame...)
			it.count++
			return n
		}
	}
	ch.put(item{forms: forms{plain: slices.Clip(frame)}, count: 1, skip: skip})
	return n
}

// Members returns the outboxes of those who have joined k.
func (h *Hub) Members(k engine.Key) []Outbox {
	ch := h.channel(k)
	if ch == nil {
		return nil
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	all := make([]Outbox, len(ch.subs))
	for i, m := range ch.subs {
		all[i] = m.out
	}
	return all
}

// Outbox returns where the member's frames wait.
func (m *Member) Outbox() Outbox { return m.out }

// LeaveAll ends all of m's subscriptions, without waiting for what is just being sent. Any goroutine may call it that sees to it that m joins nothing
// meanwhile, also one that holds locks of the hub.
func (h *Hub) LeaveAll(m *Member) {
	for _, k := range m.Subscriptions() {
		h.leave(m, k)
	}
}
