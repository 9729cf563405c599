package hub_test

import (
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

// Who sends to many lets others in now and then, and sooner with much to send: also when frames are queued first.
func TestLongDeliveriesLetOthersIn(t *testing.T) {
	k, other := engine.Key{Type: "T"}, engine.Key{Type: "U"}
	for name, test := range map[string]struct {
		messages []engine.Key
		after    time.Duration
	}{
		"one message":                {[]engine.Key{k}, 5 * time.Millisecond},
		"messages of two types":      {[]engine.Key{k, other}, 5 * time.Millisecond},
		"many messages":              {many(400, k), time.Millisecond},
		"many messages of two types": {many(200, k, other), time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { breathes(t, test.messages, test.after) })
		})
	}
}

// breathes sends the messages to many, which takes long, and checks that others are let in after that time, and again and again.
func breathes(t *testing.T, messages []engine.Key, after time.Duration) {
	const members, check = 3000, 640 * time.Microsecond // 64 writes
	h := hub.New()
	for range members {
		m := hub.NewMember(new(slow), nil)
		for _, k := range messages {
			h.Join(m, k)
		}
	}
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
	for _, k := range messages {
		d.Deliver(message(k, ""))
	}
	d.Flush()
	took := time.Since(begin) - time.Duration(breaths)*time.Second
	if want := int(took / (after + check)); breaths < want || want == 0 {
		t.Errorf("others are let in %d times, want %d", breaths, want)
	}
}

// many returns each key so many times, by turns.
func many(n int, keys ...engine.Key) (list []engine.Key) {
	for range n {
		list = append(list, keys...)
	}
	return list
}
