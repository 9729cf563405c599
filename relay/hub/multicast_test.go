package hub_test

import (
	"slices"
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
)

func text(s string) []byte { return hub.Seal(append(hub.NewFrame(len(s)), s...)) }

func TestMulticastReachesAllButSome(t *testing.T) {
	h := hub.New()
	k, other := engine.Key{Wiki: "\x00app", Type: "room"}, engine.Key{Wiki: "a:", Type: "room"}
	boxes, members := make([]*box, 4), make([]*hub.Member, 4)
	for i := range boxes {
		boxes[i] = new(box)
		members[i] = hub.NewMember(boxes[i], nil)
	}
	for _, m := range members[:3] {
		h.Join(m, k)
	}
	h.Join(members[3], other)
	d := h.NewDelivery(nil)
	for _, row := range []struct {
		frame []byte
		skip  []*hub.Member
		want  int
	}{
		{text("all"), nil, 3}, {text("all again"), nil, 3}, {text("but one"), members[:1], 2}, {text("once more"), members[:1], 2},
		{text("twice the same"), []*hub.Member{members[1], members[1], members[3]}, 2}, {text("nobody"), members, 0},
		{hub.SealBinary(append(hub.NewFrame(1), 0xff)), nil, 3},
	} {
		if n := d.Multicast(k, row.frame, row.skip...); n != row.want {
			t.Errorf("%q for %d, want %d", row.frame, n, row.want)
		}
	}
	if n := d.Multicast(engine.Key{Wiki: "\x00app", Type: "empty"}, text("x")); n != 0 {
		t.Errorf("%d", n)
	}
	if len(boxes[0].written) != 0 {
		t.Error("written before Flush")
	}
	d.Flush()
	all := []string{"\x81\x03all", "\x81\x09all again", "\x81\x07but one", "\x81\x09once more", "\x81\x0etwice the same", "\x82\x01\xff"}
	for i, leave := range [][]string{{all[2], all[3]}, {all[4]}, nil, all} {
		want := slices.DeleteFunc(slices.Clone(all), func(f string) bool { return slices.Contains(leave, f) })
		if !slices.Equal(boxes[i].written, want) {
			t.Errorf("member %d got %q, want %q", i, boxes[i].written, want)
		}
	}
	if n := h.Stats().Delivered; n != 3+3+2+2+2+3 {
		t.Errorf("%d delivered", n)
	}
	if got := h.Members(k); len(got) != 3 || !slices.Contains(got, members[0].Outbox()) || len(h.Members(engine.Key{Type: "x"})) != 0 {
		t.Errorf("%d members", len(got))
	}
	h.LeaveAll(members[0])
	if n := d.Multicast(k, text("rest")); n != 2 || len(members[0].Subscriptions()) != 0 {
		t.Errorf("%d", n)
	}
	d.Flush()
}
