package hub_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/relaytest/events"
)

// open returns the text of a frame, and whether that was compressed.
func open(t testing.TB, frame string) (text string, deflated bool) {
	t.Helper()
	head := 2
	if frame[1] == 126 {
		head = 4
	}
	switch text = frame[head:]; frame[0] {
	case 0x81:
		return text, false
	case 0xc1:
		inflated, err := io.ReadAll(flate.NewReader(strings.NewReader(text + "\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
		if err != nil {
			t.Fatalf("%v: %q", err, frame)
		}
		return string(inflated), true
	}
	t.Fatalf("frame of type %#x", frame[0])
	return "", false
}

// texts returns the texts of frames, and how many of them were compressed.
func texts(t testing.TB, frames []string) (all []string, deflated int) {
	t.Helper()
	for _, frame := range frames {
		text, packed := open(t, frame)
		if all = append(all, text); packed {
			deflated++
		}
	}
	return all, deflated
}

func subscriber(h *hub.Hub, k engine.Key, deflates bool, clients ...string) (*box, *hub.Member) {
	b := new(box)
	m := hub.NewMember(b, nil)
	if deflates {
		m.TakeDeflated()
	}
	for _, id := range clients {
		h.AddClient(m, id)
	}
	h.Join(m, k)
	return b, m
}

func said(k engine.Key, from, msg string, to ...string) *engine.Message {
	m := message(k, from, to...)
	m.Msg = []byte(`"` + msg + `"`)
	return m
}

func TestCompressionBeginsAtTheThreshold(t *testing.T) {
	k := engine.Key{Type: "T"}
	text := strings.Repeat("abcdefgh", 40)
	size := len(`{"type":"T","msg":"","offset":1}`) + len(text)
	for _, c := range []struct{ least, deflated int }{{size - 1, 1}, {size, 1}, {size + 1, 0}} {
		h := hub.New()
		h.CompressBytes = c.least
		with, _ := subscriber(h, k, true)
		without, _ := subscriber(h, k, false)
		d := h.NewDelivery(nil)
		m := said(k, "", text)
		m.Offset = 1
		d.Deliver(m)
		d.Flush()
		for b, want := range map[*box]int{with: c.deflated, without: 0} {
			if got, deflated := texts(t, b.written); len(got) != 1 || len(got[0]) != size || deflated != want {
				t.Errorf("from %d bytes on: %q, %d compressed, want %d", c.least, got, deflated, want)
			}
		}
	}
}

func TestWhatCannotBeMadeSmallerIsSentAsItIs(t *testing.T) {
	h, k := hub.New(), engine.Key{Type: "T"}
	h.CompressBytes = 1
	with, _ := subscriber(h, k, true)
	d := h.NewDelivery(nil)
	d.Deliver(said(k, "", "q"))
	d.Flush()
	if got, deflated := texts(t, with.written); len(got) != 1 || deflated != 0 || len(with.written[0]) != 2+len(got[0]) {
		t.Errorf("%q, %d compressed", got, deflated)
	}
}

// Messages that leave together are each a frame of their own in either form, large and small ones in their order.
func TestCompressedBurstsAreTheSameMessages(t *testing.T) {
	h, k := hub.New(), engine.Key{Type: "T"}
	h.CompressBytes = 300
	with, _ := subscriber(h, k, true)
	without, _ := subscriber(h, k, false)
	sender, _ := subscriber(h, k, true, "S")
	both, _ := subscriber(h, k, true, "S", "another")
	d := h.NewDelivery(nil)
	var large int
	for i := range 300 {
		text := strings.Repeat(fmt.Sprint("message ", i, " "), i%60)
		if i%3 == 0 {
			text = "small"
		}
		if len(text) > 280 {
			large++
		}
		d.Deliver(said(k, "S", text))
		if i%100 == 99 {
			d.Flush()
		}
	}
	plain, none := texts(t, without.written)
	if len(plain) != 300 || none != 0 || len(sender.written) != 0 {
		t.Errorf("%d messages, %d compressed; the sender got %d", len(plain), none, len(sender.written))
	}
	for name, b := range map[string]*box{"another": with, "of the sender and another": both} {
		got, deflated := texts(t, b.written)
		if !slices.Equal(got, plain) || deflated < large || deflated > large+20 {
			t.Errorf("%s: %d messages, %d compressed of %d", name, len(got), deflated, large)
		}
	}
}

func TestRecipientsGetItCompressed(t *testing.T) {
	h, k := hub.New(), engine.Key{Type: "T"}
	h.CompressBytes = 100
	sees := func(k engine.Key) bool { return k.Type == "T" }
	with, _ := subscriber(h, k, true, "a")
	without, _ := subscriber(h, k, false, "b")
	classic, old := new(box), new(box)
	m, o := hub.NewMember(classic, sees), hub.NewMember(old, sees)
	m.TakeDeflated()
	h.OnlyClient(m, "c")
	h.OnlyClient(o, "o")
	d := h.NewDelivery(nil)
	long := strings.Repeat("to some ", 50)
	d.Deliver(said(k, "", long, "a", "b", "c", "o")) // for some
	d.Deliver(said(k, "", long))                     // for all
	d.Deliver(said(k, "", long))
	d.Deliver(said(k, "c", long))
	d.Deliver(said(k, "", "short"))
	d.Flush()
	h.Drop(m)
	d.Deliver(said(k, "", long))
	d.Flush()
	for name, c := range map[string]struct {
		box            *box
		count, deflate int
	}{"with": {with, 6, 5}, "without": {without, 6, 0}, "classic": {classic, 4, 3}, "old": {old, 6, 0}} {
		got, deflated := texts(t, c.box.written)
		if len(got) != c.count || deflated != c.deflate {
			t.Errorf("%s: %d messages, %d compressed, want %d, %d", name, len(got), deflated, c.count, c.deflate)
		}
		for _, text := range got {
			if !strings.Contains(text, long) && !strings.Contains(text, "short") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}

// Publishers of the same and of other keys share what they deliver with classic connections, which come and go.
func TestCompressedConcurrently(t *testing.T) {
	h, e := hub.New(), engine.NewMemory()
	h.CompressBytes = 200
	keys := []engine.Key{{Type: "T"}, {Type: "U"}}
	var boxes []*box
	for i := range 4 {
		b, m := subscriber(h, keys[0], i%2 == 0)
		h.Join(m, keys[1])
		boxes = append(boxes, b)
	}
	classic := new(box)
	member := hub.NewMember(classic, func(engine.Key) bool { return true })
	member.TakeDeflated()
	h.OnlyClient(member, "classic")
	boxes = append(boxes, classic)
	var all sync.WaitGroup
	for p := range 4 {
		all.Go(func() {
			d := h.NewDelivery(nil)
			for n := range 200 {
				e.Publish(said(keys[p%2], "", strings.Repeat(fmt.Sprint(p, "-", n, " "), 1+n)), d.Deliver)
				if n%5 == 0 {
					d.Flush()
				}
			}
			d.Flush()
		})
	}
	all.Go(func() {
		for range 100 {
			m := hub.NewMember(new(box), func(engine.Key) bool { return true })
			m.TakeDeflated()
			h.OnlyClient(m, "passing")
			h.Drop(m)
		}
	})
	all.Wait()
	want := make(map[string][]string)
	for i, b := range boxes {
		b.Flush()
		got, _ := texts(t, b.written)
		if len(got) != 800 {
			t.Errorf("%d of 800 messages", len(got))
		}
		for _, k := range keys { // in one order each
			of := slices.DeleteFunc(slices.Clone(got), func(text string) bool { return !strings.Contains(text, `"type":"`+k.Type+`"`) })
			if i == 0 {
				want[k.Type] = of
			} else if !slices.Equal(of, want[k.Type]) {
				t.Errorf("receiver %d got other messages of %s than the first, or in another order", i, k.Type)
			}
		}
	}
}

// sink counts.
type sink struct{ bytes *int }

func (s sink) Queue(frames []byte) bool { *s.bytes += len(frames); return false }
func (s sink) Flush()                   {}
func (s sink) Send(frames []byte)       { *s.bytes += len(frames) }

// BenchmarkCompression is the recent changes of a wiki, one after the other, for one connection and for 1000, which take compressed frames or do not.
func BenchmarkCompression(b *testing.B) {
	k := engine.Key{Wiki: "examplewiki:", Type: "examplewiki:@changes"}
	changes := events.Changes(200)
	for _, n := range []int{1, 1000} {
		for _, least := range []int{0, 256} {
			b.Run(fmt.Sprintf("%d/%s", n, map[int]string{0: "plain", 256: "deflate"}[least]), func(b *testing.B) {
				h, e := hub.New(), engine.NewMemory()
				h.CompressBytes = least
				bytes := 0
				for range n {
					m := hub.NewMember(sink{&bytes}, nil)
					if least > 0 {
						m.TakeDeflated()
					}
					h.Join(m, k)
				}
				d, m := h.NewDelivery(nil), message(k, "")
				m.Wiki = true
				b.ReportAllocs()
				count := 0
				for b.Loop() {
					m.Msg = changes[count%len(changes)]
					e.Publish(m, d.Deliver)
					d.Flush()
					count++
				}
				b.ReportMetric(float64(bytes)/float64(count)/float64(n), "bytes/message")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(count)/float64(n), "ns/delivery")
			})
		}
	}
}

// What a browser, or any other implementation, makes of a compressed message is the message, whatever its length.
func TestCompressedFramesOfEveryLength(t *testing.T) {
	h, k := hub.New(), engine.Key{Type: "T"}
	h.CompressBytes = 1
	with, _ := subscriber(h, k, true)
	d := h.NewDelivery(nil)
	var want []string
	for i, change := range events.Changes(200) {
		text := bytes.Repeat([]byte("x"), i*i)
		m := message(k, "")
		m.Msg = fmt.Appendf(nil, `[%s,"%s"]`, change, text)
		want = append(want, string(m.Msg))
		d.Deliver(m)
		d.Pace()
	}
	d.Flush()
	got, deflated := texts(t, with.written)
	if len(got) != len(want) || deflated != len(want) {
		t.Fatalf("%d messages, %d compressed, want %d", len(got), deflated, len(want))
	}
	for i, text := range got {
		if !strings.Contains(text, want[i]) {
			t.Fatalf("message %d: %s", i, text)
		}
	}
}
