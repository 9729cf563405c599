package hub

import (
	"slices"
	"sync"
	"time"

	"mediawiki-websocket/relay/engine"
)

// channel is those who get the messages of one key, and the messages that are about to be sent to them. Sending comes later than delivering: what arrives
// together is then one piece of memory, and one write for each of them.
type channel struct {
	key engine.Key

	mu    sync.Mutex
	subs  []*Member
	items []item
	count uint32 // of items that there have been

	sending sync.Mutex // held by who sends the items, so that they leave in their order
}

// renumberAt is after how many items they are counted anew, well before the count would turn over.
const renumberAt = 1 << 30

// renumber counts the items from 1. Nothing is being sent; the caller holds both locks.
func (ch *channel) renumber() {
	base := ch.count - uint32(len(ch.items))
	ch.count -= base
	for i := range ch.items {
		ch.items[i].number -= base
	}
	for _, m := range ch.subs {
		m.mu.Lock()
		after := &m.subs[m.find(ch)].after
		*after = max(*after, base) - base
		m.mu.Unlock()
	}
}

// item is messages for the same members.
type item struct {
	forms
	count  int       // of messages
	number uint32    // among the channel's items
	early  bool      // to was decided before: some may have left since, or begun anew
	to     []*Member // nil: those that are subscribed when it is sent
	skip   []*Member // but for these
}

// join adds m, if it is not in, and sees to it that it does not get what has been delivered before. It returns what of that m would have got.
func (ch *channel) join(m *Member) (pending []byte) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	settle(ch.items, ch.subs, nil)
	if i := m.find(ch); i >= 0 {
		pending = ch.pending(m, m.subs[i].after)
		m.subs[i].after = ch.count
		return pending
	}
	m.subs = append(m.subs, subscription{ch, int32(len(ch.subs)), ch.count})
	m.counted()
	ch.subs = append(ch.subs, m)
	return nil
}

// pending returns the frames of the items after one that are for m. Who gets each is settled; the caller holds the lock.
func (ch *channel) pending(m *Member, after uint32) (frames []byte) {
	for i := range ch.items {
		it := &ch.items[i]
		if it.number > after && slices.Contains(it.to, m) && !slices.Contains(it.skip, m) {
			frames = append(frames, it.plain...)
		}
	}
	return frames
}

// settle decides who gets the items that are not for certain members: subs, of which room becomes a copy when one is needed.
func settle(items []item, subs, room []*Member) []*Member {
	for i := range items {
		if items[i].to != nil {
			continue
		}
		if len(room) == 0 {
			room = append(room, subs...)
		}
		items[i].to = room
	}
	return room
}

// leave takes m out and reports whether it was in. The last subscriber takes the place that becomes free.
func (ch *channel) leave(m *Member) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	place, ok := m.forget(ch)
	if !ok {
		return false
	}
	last := len(ch.subs) - 1
	if mover := ch.subs[last]; mover != m {
		ch.subs[place] = mover
		mover.mu.Lock()
		mover.subs[mover.find(ch)].place = int32(place)
		mover.mu.Unlock()
	}
	ch.subs[last] = nil
	ch.subs = ch.subs[:last]
	if roomy := cap(ch.subs); roomy > 64 && last < roomy/4 {
		ch.subs = append(make([]*Member, 0, roomy/2), ch.subs...)
	}
	return true
}

// forget drops a subscription and returns its place.
func (m *Member) forget(ch *channel) (place int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(ch)
	if i < 0 {
		return 0, false
	}
	place = int(m.subs[i].place)
	last := len(m.subs) - 1
	m.subs[i], m.subs[last] = m.subs[last], subscription{}
	m.subs = m.subs[:last]
	m.counted()
	return place, true
}

// add appends a message for all that are subscribed when it is sent, but for skip. made is its frame, when there is one already.
func (ch *channel) add(m *engine.Message, made forms, skip []*Member) (bytes int) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if len(ch.subs) == 0 {
		return 0
	}
	if n := len(ch.items); n > 0 {
		if last := &ch.items[n-1]; last.to == nil && len(last.plain) < flushBytes && slices.Equal(last.skip, skip) {
			before := len(last.plain)
			last.plain = AppendMessage(last.plain, m)
			if made.done > 0 && last.done == before {
				last.deflated, last.done = append(last.deflated, made.deflated...), len(last.plain)
			}
			last.count++
			return len(last.plain) - before
		}
	}
	if made.plain == nil {
		made.plain = AppendMessage(nil, m)
	} else { // others have it too, and both forms may be one: what is appended to the item must not go behind it
		made.plain, made.deflated = slices.Clip(made.plain), slices.Clip(made.deflated)
	}
	ch.put(item{forms: made, count: 1, skip: skip})
	return len(made.plain)
}

// put appends an item; the caller holds the lock.
func (ch *channel) put(it item) {
	ch.count++
	it.number = ch.count
	ch.items = append(ch.items, it)
}

// tell appends a frame that is no message, for all that are subscribed when it is sent.
func (ch *channel) tell(frame []byte) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if len(ch.subs) == 0 {
		return
	}
	if n := len(ch.items); n > 0 {
		if last := &ch.items[n-1]; last.to == nil && len(last.skip) == 0 && len(last.plain) < flushBytes {
			last.plain = append(last.plain, frame...) // which is compressed when it is sent
			return
		}
	}
	ch.put(item{forms: forms{plain: slices.Clip(frame)}})
}

// addFor appends a message for certain members.
func (ch *channel) addFor(frame forms, to []*Member) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.put(item{forms: frame, count: 1, to: to})
}

// roomPool holds memory for the members that items are for.
var roomPool = sync.Pool{New: func() any { return new([]*Member) }}

// Others are let in when sending has taken so long, which is looked at every so many writes. Who has much to send, and so takes long for each write, does it
// sooner: beside somebody who floods a type, a message of another one waits for that time, and is then sent at one go.
const (
	breathAfter = 5 * time.Millisecond
	breathSoon  = time.Millisecond
	breathBytes = 4 << 10 // this is much
	breathEvery = 64
)

// send sends all items for d, or queues them for those who may get more before d has written, and returns how many messages that were. only: d has nothing for
// other channels.
func (ch *channel) send(d *Delivery, only bool) (count uint64) {
	if !ch.sending.TryLock() {
		if d.Wait != nil {
			d.Wait()
		}
		ch.sending.Lock()
	}
	defer ch.sending.Unlock()
	room := roomPool.Get().(*[]*Member)
	ch.mu.Lock()
	if ch.count > renumberAt {
		ch.renumber()
	}
	items := ch.items
	ch.items = nil
	for i := range items {
		items[i].early = items[i].to != nil
	}
	*room = settle(items, ch.subs, (*room)[:0])
	ch.mu.Unlock()
	bytes := 0 // also of what others have delivered
	for i := range items {
		bytes += len(items[i].plain)
	}
	d.bytes = max(d.bytes, bytes)
	for i := range items {
		count += items[i].send(ch, d, way{one: len(items) == 1, only: only})
		if d.queued += len(items[i].plain); d.queued >= flushBytes {
			d.wash()
		}
	}
	clear(*room)
	roomPool.Put(room)
	return count
}

// way is what a channel's send knows of who gets how much of it.
type way struct {
	one  bool // the channel has but one item
	only bool // and the delivery but one channel
}

// now reports whether a member gets nothing more by the same delivery, with which it could leave in one write: then it needs no queue, and to be visited but
// once.
func (w way) now(m *member) bool { return w.one && (w.only || m.is&single != 0) }

// send gives the item to its members. It is compressed for the first of them that takes that, while no lock but that of sending is held.
func (it *item) send(ch *channel, d *Delivery, w way) (count uint64) {
	var near [lookAhead]member
	for i, m := range it.to {
		if i%lookAhead == 0 {
			fetch(&near, it.to[i:])
		}
		if len(it.skip) > 0 && slices.Contains(it.skip, m) || it.early && !m.wants(ch, it.number) {
			continue
		}
		to, frames := &near[i%lookAhead], it.plain
		if to.is&deflating != 0 {
			frames = it.packed(d.hub.CompressBytes)
		}
		if w.now(to) {
			d.breathe()
			to.out.Send(frames)
		} else {
			d.Queue(to.out, frames)
		}
		count += uint64(it.count)
	}
	return count
}

// lookAhead is how many members are looked at together before they are sent to. They lie far apart in memory, and a member is out of the caches by the time
// that its turn comes again: a processor fetches several at once in the time of one.
const lookAhead = 16

// member is what sending needs of a Member.
type member struct {
	out Outbox
	is  uint32
}

// fetch copies what sending needs of the first members.
func fetch(near *[lookAhead]member, members []*Member) {
	for i, m := range members[:min(lookAhead, len(members))] {
		near[i] = member{m.out, m.is.Load()}
	}
}
