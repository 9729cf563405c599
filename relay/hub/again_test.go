package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire/codec"
)

// Whoever comes back, or begins anew, gets nothing that was delivered before and is still to be sent: it has had it, or gets it otherwise.
func TestWhoBeginsAnewGetsOldMessages(t *testing.T) {
	k := engine.Key{Type: "T"}
	for name, again := range map[string]func(h *hub.Hub, m *hub.Member){
		"comes back": func(h *hub.Hub, m *hub.Member) {
			h.Part(m, k)
			h.Join(m, k)
		},
		"begins anew": func(h *hub.Hub, m *hub.Member) {
			h.Still(m, k, func() {}, func() { h.Join(m, k) })
		},
		"comes back when another has come": func(h *hub.Hub, m *hub.Member) {
			h.Join(hub.NewMember(new(outbox), nil), k)
			h.Part(m, k)
			h.Join(m, k)
		},
	} {
		h := hub.New()
		mine, others := new(outbox), new(outbox)
		m, other := hub.NewMember(mine, nil), hub.NewMember(others, nil)
		h.Join(m, k)
		h.Join(other, k)
		d := h.NewDelivery(nil)
		publish := func(msg string) {
			d.Deliver(&engine.Message{Key: k, Message: codec.Message{Envelope: codec.Envelope{Type: "T", Msg: []byte(msg)}}})
		}
		publish("1")
		again(h, m)
		publish("2")
		d.Tell(k, []byte("told"))
		d.Flush()
		if strings.Contains(mine.text, `"msg":1`) || strings.Count(mine.text, `"msg":2`) != 1 || strings.Count(mine.text, "told") != 1 {
			t.Errorf("who %s got %q", name, mine.text)
		}
		if strings.Count(others.text, `"msg":1`) != 1 || strings.Count(others.text, `"msg":2`) != 1 || strings.Count(others.text, "told") != 1 {
			t.Errorf("beside who %s another got %q", name, others.text)
		}
		if st := h.Stats(); st.Delivered == 0 {
			t.Errorf("%+v", st)
		}
	}
}

// What had been delivered and not sent is returned to who begins anew, who has no other way to get it.
func TestWhoBeginsAnewLosesWhatIsOnItsWay(t *testing.T) {
	h, k := hub.New(), engine.Key{Type: "T"}
	mine := new(outbox)
	m, other := hub.NewMember(mine, nil), hub.NewMember(new(outbox), nil)
	h.AddClient(m, "me")
	d := h.NewDelivery(nil)
	publish := func(msg, from string, to ...string) {
		d.Deliver(&engine.Message{Key: k, Message: codec.Message{Envelope: codec.Envelope{Type: "T", Msg: []byte(msg), From: from, Recipients: to}}})
	}
	h.Join(other, k)
	publish("0", "")
	if pending := h.Join(m, k); pending != nil {
		t.Errorf("who joins gets %q", pending)
	}
	publish("1", "")
	publish("2", "me")
	publish("3", "", "me")
	publish("4", "", "you")
	publish("5", "")
	var pending []byte
	h.Still(m, k, func() {}, func() { pending = h.Join(m, k) })
	publish("6", "")
	d.Flush()
	for msg, want := range map[string][2]int{"0": {}, "1": {1, 0}, "2": {}, "3": {1, 0}, "4": {}, "5": {1, 0}, "6": {0, 1}} {
		frame := `"msg":` + msg
		if got := [2]int{strings.Count(string(pending), frame), strings.Count(mine.text, frame)}; got != want {
			t.Errorf("message %s: returned %d times and sent %d times, want %v", msg, got[0], got[1], want)
		}
	}
}

func TestFollowersAreAType(t *testing.T) {
	k := engine.Key{Wiki: "a:", Type: "a:T"}
	if typ, ok := hub.Followed(hub.Followers(k)); !ok || typ != k.Type || hub.Followers(k) == k {
		t.Error(typ, ok)
	}
	if _, ok := hub.Followed(k); ok {
		t.Error("a type is taken for its followers")
	}
}

// outbox is one that keeps everything.
type outbox struct{ text string }

func (b *outbox) Queue(frames []byte) bool { b.text += string(frames); return false }
func (b *outbox) Flush()                   {}
func (b *outbox) Send(frames []byte)       { b.Queue(frames) }

// The items of a type that is never quiet are so many that their count would turn over.
func TestManyItemsLater(t *testing.T) {
	h, k := hub.New(), engine.Key{Type: "T"}
	mine, others := new(outbox), new(outbox)
	m := hub.NewMember(mine, nil)
	h.AddClient(m, "me")
	h.Join(m, k)
	d := h.NewDelivery(nil)
	sent := 0
	for range 6 {
		h.Age(k, 1<<30-1)
		late := hub.NewMember(others, nil)
		for range 3 {
			sent++
			d.Deliver(&engine.Message{Key: k, Message: codec.Message{Envelope: codec.Envelope{Type: "T", Msg: fmt.Append(nil, sent), Recipients: []string{"me"}}}})
			h.Join(late, k) // decides who gets what is pending
			if sent%2 == 0 {
				d.Flush()
			}
		}
		d.Flush()
		h.Part(late, k)
	}
	for n := 1; n <= sent; n++ {
		if strings.Count(mine.text, fmt.Sprintf(`"msg":%d}`, n))+strings.Count(mine.text, fmt.Sprintf(`"msg":%d,`, n)) != 1 {
			t.Errorf("message %d of %d: %s", n, sent, mine.text)
		}
	}
	if strings.Contains(others.text, "msg") {
		t.Errorf("who came later got %s", others.text)
	}
}
