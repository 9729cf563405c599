package hub_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
)

// slow is an outbox with which a write takes 10 µs.
type slow struct{ box }

func (s *slow) Send(frames []byte) {
	time.Sleep(10 * time.Microsecond)
	s.box.Send(frames)
}

func (s *slow) Flush() {
	time.Sleep(10 * time.Microsecond)
	s.box.Flush()
}

// Who sends to many lets others in now and then, and sooner with much to send: also when frames are queued first, and when they are another's.
func TestLongDeliveriesLetOthersIn(t *testing.T) {
	k, other := engine.Key{Type: "T"}, engine.Key{Type: "U"}
	var types []engine.Key
	for i := range 100 {
		types = append(types, engine.Key{Type: strconv.Itoa(i)})
	}
	const rare, often = 5 * time.Millisecond, time.Millisecond
	for name, test := range map[string]struct {
		joined   func(member int) []engine.Key
		others   []engine.Key // messages that somebody else has delivered and not sent
		messages []engine.Key
		after    time.Duration
	}{
		"one message":                {always(k), nil, many(1, k), rare},
		"messages of two types":      {always(k, other), nil, many(1, k, other), rare},
		"messages of many types":     {func(i int) []engine.Key { return types[i%len(types):][:1] }, nil, types, rare},
		"many messages":              {always(k), nil, many(400, k), often},
		"many messages of two types": {always(k, other), nil, many(200, k, other), often},
		"one message behind many":    {always(k), many(400, k), many(1, k), often},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hub.New()
				for i := range 3000 {
					m := hub.NewMember(new(slow), nil)
					for _, k := range test.joined(i) {
						h.Join(m, k)
					}
				}
				somebody := h.NewDelivery(nil)
				deliver(somebody, test.others)
				breathes(t, h, test.messages, test.after)
				somebody.Flush()
			})
		})
	}
}

// breathes sends the messages, which takes long, and checks that others are let in after that time, and again and again.
func breathes(t *testing.T, h *hub.Hub, messages []engine.Key, after time.Duration) {
	const check = 640 * time.Microsecond // 64 writes
	d := h.NewDelivery(nil)
	breaths, last := 0, time.Now()
	d.Breathe = func() {
		if since := time.Since(last); since <= after || since > after+check {
			t.Errorf("others are let in after %s, want %s", since, after)
		}
		time.Sleep(time.Second) // the others
		breaths++
		last = time.Now()
	}
	begin := time.Now()
	deliver(d, messages)
	d.Flush()
	took := time.Since(begin) - time.Duration(breaths)*time.Second
	if want := int(took / (after + check)); breaths < want || want == 0 {
		t.Errorf("others are let in %d times, want %d", breaths, want)
	}
}

func deliver(d *hub.Delivery, messages []engine.Key) {
	for _, k := range messages {
		d.Deliver(message(k, ""))
	}
}

func always(keys ...engine.Key) func(int) []engine.Key { return func(int) []engine.Key { return keys } }

// many returns the keys so many times.
func many(n int, keys ...engine.Key) (list []engine.Key) {
	for range n {
		list = append(list, keys...)
	}
	return list
}

// full is an outbox that knows how much has waited in it.
type full struct {
	box
	bytes, most int
}

func (f *full) Queue(frames []byte) bool {
	f.bytes += len(frames)
	f.most = max(f.most, f.bytes)
	return f.box.Queue(frames)
}

func (f *full) Flush() {
	f.bytes = 0
	f.box.Flush()
}

// Whoever sends what many others have delivered, while nobody could send, fills no outbox with it: quick readers would be taken for slow ones.
func TestWhatOthersHaveDeliveredFillsNoOutbox(t *testing.T) {
	h := hub.New()
	k := engine.Key{Type: "T"}
	to := new(full)
	m := hub.NewMember(to, nil)
	h.AddClient(m, "a")
	h.Join(m, k)
	const publishers, size = 100, 20 << 10
	for range publishers {
		x := message(k, "", "a") // an item of its own
		x.Msg = []byte(`"` + strings.Repeat("x", size-2) + `"`)
		h.NewDelivery(nil).Deliver(x)
	}
	d := h.NewDelivery(nil)
	d.Deliver(message(k, ""))
	d.Flush()
	if len(to.written) != publishers+1 || to.most > 64<<10 {
		t.Errorf("%d messages, want %d; %d bytes have waited at once, want at most 64 KiB", len(to.written), publishers+1, to.most)
	}
}
