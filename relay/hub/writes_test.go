package hub_test

import (
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
)

// counter is a box that counts its writes, and how often something had to wait for one.
type counter struct {
	box
	writes, waits int
}

func (c *counter) Queue(frames []byte) bool {
	c.waits++
	return c.box.Queue(frames)
}

func (c *counter) Send(frames []byte) {
	c.writes++
	c.box.Send(frames)
}

func (c *counter) Flush() {
	c.writes++
	c.box.Flush()
}

// Messages of several types that come together leave in one write for whoever gets several of them; for all others nothing waits.
func TestTypesThatComeTogetherLeaveTogether(t *testing.T) {
	h := hub.New()
	a, b, c := engine.Key{Type: "A"}, engine.Key{Type: "B"}, engine.Key{Type: "C"}
	var one, both, left, more counter
	members := make(map[*counter]*hub.Member)
	for to, keys := range map[*counter][]engine.Key{&one: {a}, &both: {a, b}, &left: {a, b}, &more: {a}} {
		members[to] = hub.NewMember(to, nil)
		for _, k := range keys {
			h.Join(members[to], k)
		}
	}
	h.Leave(members[&left], a)
	h.Join(members[&more], c)
	d := h.NewDelivery(nil)
	for _, k := range []engine.Key{a, b, a, c} {
		d.Deliver(message(k, ""))
	}
	d.Flush()
	for name, want := range map[string]struct {
		to                      *counter
		messages, writes, waits int
	}{"of one type": {&one, 2, 1, 0}, "of both": {&both, 3, 1, 2}, "of one that is left": {&left, 1, 1, 0}, "of one more": {&more, 3, 1, 2}} {
		if got := want.to; len(got.written) != want.messages || got.writes != want.writes || got.waits != want.waits {
			t.Errorf("a member %s got %q in %d writes, %d waited; want %d in %d, %d waited",
				name, got.written, got.writes, got.waits, want.messages, want.writes, want.waits)
		}
	}
}

// So do messages of one type that not all members get.
func TestMessagesForSomeLeaveTogether(t *testing.T) {
	h := hub.New()
	k := engine.Key{Type: "T"}
	var to counter
	m := hub.NewMember(&to, nil)
	h.AddClient(m, "a")
	h.Join(m, k)
	d := h.NewDelivery(nil)
	d.Deliver(message(k, "b", "a"))
	d.Deliver(message(k, "b"))
	d.Deliver(message(k, "b", "a", "c"))
	d.Flush()
	if len(to.written) != 3 || to.writes != 1 {
		t.Errorf("%q in %d writes, want 3 messages in one", to.written, to.writes)
	}
}
