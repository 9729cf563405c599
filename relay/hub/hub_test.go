package hub_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

func TestMain(m *testing.M) { leak.Main(m) }

// box is an outbox that remembers.
type box struct {
	mu      sync.Mutex
	waiting []string
	written []string
}

func (b *box) Queue(frames []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := len(b.waiting) == 0
	for len(frames) > 0 {
		n := 2 + int(frames[1])
		if frames[1] == 126 {
			n = 4 + int(binary.BigEndian.Uint16(frames[2:]))
		}
		b.waiting = append(b.waiting, string(frames[:n]))
		frames = frames[n:]
	}
	return first
}

func (b *box) Send(frames []byte) {
	b.Queue(frames)
	b.Flush()
}

func (b *box) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.written = append(b.written, b.waiting...)
	b.waiting = nil
}

func message(k engine.Key, from string, to ...string) *engine.Message {
	return &engine.Message{Key: k, Message: codec.Message{Envelope: codec.Envelope{Type: k.Type, From: from, Recipients: to}}}
}

// Whatever joins and leaves in whatever order, a message reaches exactly the members that are in.
func TestJoinAndLeaveAgainstAModel(t *testing.T) {
	h := hub.New()
	random := rand.New(rand.NewPCG(1, 2))
	keys := []engine.Key{{Type: "T"}, {Wiki: "a:", Type: "T"}, {Wiki: "a:", Type: "a:T"}, {Wiki: "", Type: "a:T"}}
	var members []*hub.Member
	var boxes []*box
	in := make([]map[engine.Key]bool, 20)
	for i := range in {
		b := new(box)
		boxes, members, in[i] = append(boxes, b), append(members, hub.NewMember(b, nil)), make(map[engine.Key]bool)
	}
	d := h.NewDelivery(nil)
	for range 5000 {
		i, k := random.IntN(len(members)), keys[random.IntN(len(keys))]
		switch random.IntN(7) {
		case 0, 1, 2:
			h.Join(members[i], k)
			in[i][k] = true
		case 3, 4:
			h.Leave(members[i], k)
			delete(in[i], k)
		case 5:
			h.Drop(members[i])
			clear(in[i])
		case 6:
			d.Deliver(message(k, ""))
			d.Flush()
			for j, b := range boxes {
				want := 0
				if in[j][k] {
					want = 1
				}
				if len(b.written) != want {
					t.Fatalf("member %d got %d messages, want %d", j, len(b.written), want)
				}
				b.written = nil
			}
		}
		types := make(map[engine.Key]bool)
		for j, m := range members {
			if m.Len() != len(in[j]) || m.Subscribed(k) != in[j][k] {
				t.Fatalf("member %d has %d subscriptions, want %d", j, m.Len(), len(in[j]))
			}
			for k := range in[j] {
				types[k] = true
			}
		}
		if got := h.Stats().Types; got != len(types) {
			t.Fatalf("%d types, want %d", got, len(types))
		}
	}
}

// Who claims other people's ids with many connections must not make each message to them dear.
func TestHoldersOfOneClientIDAreLimited(t *testing.T) {
	h, k := hub.New(), engine.Key{Type: "T"}
	boxes := make([]*box, 65)
	members := make([]*hub.Member, len(boxes))
	for i := range boxes {
		boxes[i] = new(box)
		members[i] = hub.NewMember(boxes[i], nil)
		h.Join(members[i], k)
		h.AddClient(members[i], "claimed")
	}
	d := h.NewDelivery(nil)
	d.Deliver(message(k, "x", "claimed"))
	d.Deliver(message(k, "x"))
	d.Flush()
	for i, b := range boxes {
		if want := 2 - i/64; len(b.written) != want {
			t.Errorf("member %d got %d messages, want %d", i, len(b.written), want)
		}
	}
	for _, m := range members {
		h.Drop(m)
	}
	if st := h.Stats(); st.Clients != 0 || st.Types != 0 {
		t.Errorf("%+v", st)
	}
}

func TestRecipientsAreEachGivenItOnce(t *testing.T) {
	h, k := hub.New(), engine.Key{Type: "T"}
	one, two, classic := new(box), new(box), new(box)
	m1, m2 := hub.NewMember(one, nil), hub.NewMember(two, nil)
	m3 := hub.NewMember(classic, func(k engine.Key) bool { return k.Type == "T" })
	for _, id := range []string{"a", "b", "shared"} {
		h.AddClient(m1, id)
	}
	h.AddClient(m2, "shared")
	h.OnlyClient(m3, "c")
	h.Join(m1, k)
	d := h.NewDelivery(nil)
	d.Deliver(message(k, "x", "a", "b", "a", "shared", "c", "nobody"))
	d.Deliver(message(k, "c", "c"))
	d.Deliver(message(engine.Key{Type: "U"}, "x", "a", "c"))
	d.Flush()
	if len(one.written) != 1 || len(two.written) != 0 || len(classic.written) != 1 {
		t.Errorf("%d %d %d messages, want 1, 0 (not subscribed), 1", len(one.written), len(two.written), len(classic.written))
	}
	h.RemoveClient(m1, "a")
	h.RemoveClient(m1, "never had")
	h.OnlyClient(m3, "d")
	d.Deliver(message(k, "x", "a", "c"))
	d.Flush()
	if len(one.written) != 1 || len(classic.written) != 1 {
		t.Error("a client that is gone got a message")
	}
	for _, m := range []*hub.Member{m1, m2, m3} {
		h.Drop(m)
	}
	if st := h.Stats(); st.Clients != 0 || st.Types != 0 || st.Delivered != 2 {
		t.Errorf("%+v", st)
	}
}

func TestConcurrentDeliveriesArriveInOneOrder(t *testing.T) {
	h, e, k := hub.New(), engine.NewMemory(), engine.Key{Type: "T"}
	boxes := []*box{{}, {}, {}}
	for _, b := range boxes {
		h.Join(hub.NewMember(b, nil), k)
	}
	var publishers sync.WaitGroup
	for p := range 4 {
		publishers.Go(func() {
			d := h.NewDelivery(nil)
			for n := range 500 {
				e.Publish(message(k, fmt.Sprintf("%d-%d", p, n)), d.Deliver)
				if n%7 == 0 {
					d.Flush()
				}
			}
			d.Flush()
		})
	}
	publishers.Wait()
	for _, b := range boxes {
		b.Flush()
		if len(b.written) != 2000 || !slices.Equal(b.written, boxes[0].written) {
			t.Errorf("%d messages, not in the order of the first receiver's", len(b.written))
		}
	}
}

func TestFrames(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		f := hub.Seal(append(hub.NewFrame(n), make([]byte, n)...))
		head, want := len(f)-n, map[bool]int{n < 126: 2, n >= 126 && n < 65536: 4, n >= 65536: 10}[true]
		if f[0] != 0x81 || head != want {
			t.Errorf("%d bytes: head %x", n, f[:head])
		}
		length := int(f[1])
		if want > 2 {
			length = 0
			for _, b := range f[2:head] {
				length = length<<8 | int(b)
			}
		}
		if length != n {
			t.Errorf("%d bytes: says %d", n, length)
		}
	}
	if got := string(hub.CloseFrame(wire.Close{Code: 4000, Reason: "why"})); got != "\x88\x05\x0f\xa0why" {
		t.Errorf("%q", got)
	}
}

type nowhere struct{}

func (nowhere) Queue([]byte) bool { return true }
func (nowhere) Flush()            {}
func (nowhere) Send([]byte)       {}

func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{1, 100, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h, e, k := hub.New(), engine.NewMemory(), engine.Key{Type: "T"}
			for range n {
				h.Join(hub.NewMember(nowhere{}, nil), k)
			}
			d, m := h.NewDelivery(nil), message(k, "")
			m.Msg = []byte(`{"event":"edit","page":12,"title":"Main_Page","rev":34,"user":"Ann"}`)
			b.ReportAllocs()
			for b.Loop() {
				e.Publish(m, d.Deliver)
				d.Flush()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
		})
	}
}

// Whoever comes and goes with many ids must not make the hub forget that others are away only for a moment.
func TestCrowdOfIdsFreesAnothersID(t *testing.T) {
	h := hub.New()
	member := func(user string) *hub.Member {
		m := hub.NewMember(nowhere{}, nil)
		h.SetOwner(m, hub.Owner{Wiki: "a:", User: user})
		return m
	}
	ann := member("Ann")
	h.AddClient(ann, "WSann")
	h.Drop(ann)
	for i := range 1 << 17 {
		m := member("Mal")
		h.AddClient(m, fmt.Sprint("x", i))
		h.Drop(m)
	}
	if h.AddClient(member("Mal"), "WSann") {
		t.Error("taken")
	}
	if !h.AddClient(member("Ann"), "WSann") {
		t.Error("its owner was refused")
	}
}

// Who has left, or was revoked, gets nothing more, whatever had been decided before.
func TestMemberThatHasLeftStillGetsMessages(t *testing.T) {
	for name, to := range map[string][]string{"to all": nil, "to it": {"c"}} {
		t.Run(name, func(t *testing.T) {
			h, k := hub.New(), engine.Key{Type: "T"}
			gone, late := new(box), new(box)
			member, other := hub.NewMember(gone, nil), hub.NewMember(late, nil)
			h.AddClient(member, "c")
			h.Join(member, k)
			d := h.NewDelivery(nil)
			d.Deliver(message(k, "", to...))
			h.Join(other, k) // decides who gets what is pending: not itself
			h.Leave(member, k)
			d.Flush()
			if len(gone.written) != 0 || len(late.written) != 0 {
				t.Errorf("%q for who has left, %q for who has come later", gone.written, late.written)
			}
		})
	}
}
