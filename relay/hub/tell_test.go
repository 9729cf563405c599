package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
)

// counting is an outbox that counts how often it is written to.
type counting struct {
	frames []byte
	writes int
}

func (c *counting) Queue(frames []byte) bool { c.frames = append(c.frames, frames...); return true }
func (c *counting) Flush()                   { c.writes++ }
func (c *counting) Send(frames []byte)       { c.Queue(frames); c.Flush() }

// split returns the frames in b.
func split(b []byte) (frames []string) {
	for len(b) > 0 {
		n := 2 + int(b[1])
		if b[1] == 126 {
			n = 4 + int(b[2])<<8 + int(b[3])
		}
		frames, b = append(frames, string(b[:n])), b[n:]
	}
	return frames
}

func told(text string) []byte { return hub.Seal(append(hub.NewFrame(len(text)), text...)) }

// When many come back at once, each of them hears of all of them: in a write for each that would be the square of their number.
func TestEachChangeIsAWriteForEachFollower(t *testing.T) {
	const changes = 1000
	h, k := hub.New(), engine.Key{Type: "T"}
	h.CompressBytes = 100
	plain, packed := new(counting), new(counting)
	h.Join(hub.NewMember(plain, nil), k)
	m := hub.NewMember(packed, nil)
	m.TakeDeflated()
	h.Join(m, k)
	d := h.NewDelivery(nil)
	var want []string
	for n := range changes {
		text := fmt.Sprintf(`{"op":"join","user":"%d%s"}`, n, strings.Repeat("x", n%3*100))
		want = append(want, text)
		d.Tell(k, told(text))
		d.Pace()
	}
	d.Flush()
	for name, c := range map[string]*counting{"plain": plain, "compressed": packed} {
		got, deflated := texts(t, split(c.frames))
		if !slices.Equal(got, want) || (deflated > 0) != (c == packed) {
			t.Errorf("%s: %d frames, %d of them compressed", name, len(got), deflated)
		}
		if c.writes > 6 {
			t.Errorf("%s: %d writes", name, c.writes)
		}
	}
}

// What is told goes to all, also behind a message that is not for its sender or only for some, and not to who comes later.
func TestWhatIsToldBehindMessages(t *testing.T) {
	h, k := hub.New(), engine.Key{Type: "T"}
	sender, one := subscriber(h, k, false, "S")
	other, _ := subscriber(h, k, true, "O")
	d := h.NewDelivery(nil)
	d.Deliver(said(k, "S", "from S"))
	d.Tell(k, told("first"))
	d.Deliver(said(k, "", "to O", "O"))
	d.Tell(k, told("second"))
	d.Deliver(said(k, "", "to all"))
	d.Tell(k, told("third"))
	late, _ := subscriber(h, k, false, "L")
	d.Tell(k, told("fourth"))
	d.Flush()
	for name, row := range map[string]struct {
		b    *box
		want string
	}{
		"sender": {sender, "first second to all third fourth"}, "other": {other, "from S first to O second to all third fourth"}, "late": {late, "fourth"},
	} {
		var got []string
		all, _ := texts(t, split([]byte(strings.Join(row.b.written, ""))))
		for _, text := range all {
			if _, msg, ok := strings.Cut(text, `"msg":"`); ok {
				text, _, _ = strings.Cut(msg, `"`)
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s got %q, want %s", name, got, row.want)
		}
	}
	if h.Owners([]string{"S"}) != nil || !h.Carries(one, "S") {
		t.Error("an id of nobody in particular has an owner")
	}
}

func TestOwnersOfClientIDs(t *testing.T) {
	h := hub.New()
	ann, bob := hub.Owner{Wiki: "a:", User: "Ann"}, hub.Owner{Wiki: "a:", User: "Bob"}
	come := func(o hub.Owner, id string) *hub.Member {
		m := hub.NewMember(new(counting), nil)
		h.SetOwner(m, o)
		if !h.AddClient(m, id) {
			t.Fatalf("%v does not get %s", o, id)
		}
		return m
	}
	gone := come(ann, "gone")
	h.Drop(gone)
	come(bob, "here")
	come(hub.Owner{Wiki: "a:"}, "visitor")
	if got := h.Owners([]string{"unknown", "gone", "visitor", "here"}); !slices.Equal(got, []hub.Owner{{}, ann, {}, bob}) {
		t.Errorf("%v", got)
	}
	if got := h.Owners([]string{"unknown", "visitor"}); got != nil {
		t.Errorf("%v", got)
	}
	m := come(ann, "gone")
	for name, row := range map[string]struct {
		owners       []hub.Owner
		wants, meant bool
	}{
		"hers": {[]hub.Owner{{}, ann}, true, true}, "another user's": {[]hub.Owner{{}, bob}, true, false}, "another wiki's": {[]hub.Owner{{}, {Wiki: "b:", User: "Ann"}}, true, false},
		"nobody's": {nil, true, false}, "of another id": {[]hub.Owner{ann, {}}, true, false},
	} {
		message := &engine.Message{Owners: row.owners}
		message.Recipients = []string{"other", "gone"}
		if wants, meant := h.Wants(m, message); wants != row.wants || meant != row.meant {
			t.Errorf("%s: wanted %t, meant %t", name, wants, meant)
		}
	}
	visitor := come(hub.Owner{Wiki: "a:"}, "v")
	message := &engine.Message{Owners: []hub.Owner{{Wiki: "a:"}}}
	message.Recipients = []string{"v"}
	if wants, meant := h.Wants(visitor, message); !wants || meant {
		t.Errorf("a visitor: wanted %t, meant %t", wants, meant)
	}
	message.Recipients = nil
	if wants, meant := h.Wants(visitor, message); !wants || !meant {
		t.Error("what is for everybody is for nobody")
	}
}
