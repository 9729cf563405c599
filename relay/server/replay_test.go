package server_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
)

// withHistory is the farm, with types of the wiki a: that have history.
func withHistory(cfg *config.Config) {
	generous(cfg)
	keep := map[string]any{"count": 10000, "seconds": 3600}
	cfg.Wikis[0] = relaytest.Wiki("a:", publicOrigin, false, map[string]any{"types": []map[string]any{
		{"pattern": "a:Feed/*", "send": "user", "history": keep}, {"pattern": "Feed", "send": "user", "history": keep},
		{"pattern": "a:Few", "send": "user", "history": map[string]any{"count": 3, "seconds": 3600}},
		{"pattern": "a:Edit", "read": "right:edit", "history": keep}, {"pattern": "a:@page/*", "token": true, "history": keep}}})
}

// heard is a frame that a subscriber gets: a message or a reply.
type heard struct {
	ID     uint64
	Type   string
	Offset uint64
	Msg    json.RawMessage
	Ok     *struct {
		Epoch     string
		Offset    uint64
		Recovered bool
	}
}

func hear(t testing.TB, frame string) (h heard) {
	t.Helper()
	if err := json.Unmarshal([]byte(frame), &h); err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return h
}

// subscribeSince subscribes and returns the position as the value of "since".
func subscribeSince(t testing.TB, c *relaytest.Client, typ, since string) (position string, recovered bool) {
	t.Helper()
	if since != "" {
		since = `,"since":` + since
	}
	h := hear(t, c.Ask(fmt.Sprintf(`{"id":6,"op":"subscribe","type":%q%s}`, typ, since)))
	if h.Ok == nil {
		t.Fatalf("subscribe to %s: %+v", typ, h)
	}
	return fmt.Sprintf(`{"epoch":%q,"offset":%d}`, h.Ok.Epoch, h.Ok.Offset), h.Ok.Recovered
}

// follower is a subscriber that breaks off, subscribes anew, and again while it is subscribed, and must all the same have everything, once and in order.
type follower struct {
	t     *testing.T
	relay *relaytest.Relay
	name  string
	typ   string
	c     *relaytest.Client

	epoch string
	first uint64   // the position where it began
	seen  []uint64 // in order, without what it asked for again
	at    uint64   // its position: all up to it is in seen

	again    []replayed // what it asked for again
	now      *replayed  // that is coming
	asked    uint64
	answered bool
}

type replayed struct {
	since, to uint64
	got       []uint64
}

// take takes one frame.
func (f *follower) take(h heard) {
	switch {
	case h.Ok != nil && h.ID == 6:
		if !h.Ok.Recovered || f.epoch != "" && f.epoch != h.Ok.Epoch {
			f.t.Errorf("%s: not recovered: %+v", f.name, *h.Ok)
		}
		if f.epoch == "" {
			f.epoch, f.first, f.at, f.asked = h.Ok.Epoch, h.Ok.Offset, h.Ok.Offset, h.Ok.Offset
		}
		f.again = append(f.again, replayed{since: f.asked, to: h.Ok.Offset})
		f.now, f.answered = &f.again[len(f.again)-1], true
	case h.Ok != nil:
	case f.now != nil && h.Offset <= f.now.to: // what was missed
		f.now.got = append(f.now.got, h.Offset)
		if h.Offset > f.at {
			f.seen, f.at = append(f.seen, h.Offset), h.Offset
		}
	default: // live
		if h.Offset <= f.at {
			f.t.Errorf("%s: live message %d comes at %d", f.name, h.Offset, f.at)
		}
		f.now = nil
		f.seen, f.at = append(f.seen, h.Offset), h.Offset
	}
}

// subscribe asks for what came after a position, and reads up to the reply.
func (f *follower) subscribe(since uint64) {
	f.asked, f.answered = since, false
	position := ""
	if f.epoch != "" {
		position = fmt.Sprintf(`,"since":{"epoch":%q,"offset":%d}`, f.epoch, since)
	}
	f.c.Send(fmt.Sprintf(`{"id":6,"op":"subscribe","type":%q%s}`, f.typ, position))
	for !f.answered {
		f.take(hear(f.t, f.c.Next()))
	}
}

// settle takes all that waits for it.
func (f *follower) settle(command string) {
	f.c.Send(command)
	for {
		h := hear(f.t, f.c.Next())
		if h.ID == 7 {
			return
		}
		f.take(h)
	}
}

func (f *follower) step() {
	switch rand.IntN(4) {
	case 0: // breaks off, with what is under way
		f.c.CloseNow()
		f.now = nil
		f.c = f.relay.V1(f.t, connectToken("a:", f.name))
		f.subscribe(f.at)
	case 1:
		f.settle(fmt.Sprintf(`{"id":7,"op":"unsubscribe","type":%q}`, f.typ))
		f.subscribe(f.at)
	case 2: // a page that has seen less
		since := f.first
		if n := len(f.seen); n > 0 {
			since = f.seen[max(0, n-1-rand.IntN(30))]
		}
		f.subscribe(since)
	case 3:
		for range rand.IntN(20) {
			f.take(hear(f.t, f.c.Next()))
		}
	}
}

// check compares with what was published.
func (f *follower) check(published []uint64) {
	between := func(after, to uint64) (list []uint64) {
		for _, offset := range published {
			if offset > after && offset <= to {
				list = append(list, offset)
			}
		}
		return list
	}
	if want := between(f.first, f.at); !slices.Equal(f.seen, want) {
		f.t.Errorf("%s: %d messages, want %d", f.name, len(f.seen), len(want))
	}
	for i, r := range f.again {
		// What was under way when it broke off or asked anew is cut short.
		if want := between(r.since, r.to); len(r.got) > len(want) || !slices.Equal(r.got, want[:len(r.got)]) || i == len(f.again)-1 && len(r.got) < len(want) {
			f.t.Errorf("%s: since %d to %d: %d, want %d", f.name, r.since, r.to, r.got, want)
		}
	}
}

func TestMessagesAreMissedDoubledOrReordered(t *testing.T) {
	const types, followers = 2, 8
	r := relaytest.Start(t, withHistory)
	var mu sync.Mutex
	published := make(map[string][]uint64)
	stop := make(chan struct{})
	var publishers sync.WaitGroup
	for range 3 {
		publishers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var messages, names []string
				for range 1 + rand.IntN(6) {
					typ := fmt.Sprintf("a:Feed/%d", rand.IntN(types))
					names = append(names, typ)
					messages = append(messages, fmt.Sprintf(`{"type":%q,"msg":%q}`, typ, strings.Repeat("x", rand.IntN(2000))))
				}
				status, _, text := r.HTTP(t, "POST", "http://relay/api/publish", `{"messages":[`+strings.Join(messages, ",")+`]}`, jsonType, publishToken("a:", nil))
				var answer struct{ Published []struct{ Offset uint64 } }
				if json.Unmarshal([]byte(text), &answer) != nil || status != 200 || len(answer.Published) != len(names) {
					t.Error(status, text)
					return
				}
				mu.Lock()
				for i, p := range answer.Published {
					published[names[i]] = append(published[names[i]], p.Offset)
				}
				mu.Unlock()
			}
		})
	}
	list := make([]*follower, followers)
	var walks sync.WaitGroup
	for i := range list {
		f := &follower{t: t, relay: r, name: fmt.Sprintf("User%d", i), typ: fmt.Sprintf("a:Feed/%d", i%types)}
		list[i] = f
		walks.Go(func() {
			f.c = r.V1(t, connectToken("a:", f.name))
			f.subscribe(0)
			for range 60 {
				f.step()
			}
		})
	}
	walks.Wait()
	close(stop)
	publishers.Wait()
	for _, f := range list {
		f.subscribe(f.at)
		f.settle(`{"id":7,"op":"unsubscribe","type":"nothing"}`)
		f.now.to = max(f.now.to, f.at)
		slices.Sort(published[f.typ])
		f.check(published[f.typ])
	}
	if n := len(published["a:Feed/0"]); n < 100 {
		t.Errorf("only %d messages", n)
	}
}

// Who subscribes again, because a token has run out or a page wants more than the relay has, gets all of what is live meanwhile.
func TestWhoSubscribesAgainLosesWhatIsLive(t *testing.T) {
	for name, since := range map[string]string{"with a new token": "", "since another epoch": `,"since":{"epoch":"another","offset":1}`} {
		t.Run(name, func(t *testing.T) {
			r := relaytest.Start(t, withHistory)
			c := r.V1(t, connectToken("a:", "Ann"), "ann")
			c.Subscribe("a:Feed/1")
			for range 100 { // so that a fan-out takes a while
				r.V1(t, connectToken("a:", "Bob")).Subscribe("a:Feed/1")
			}
			const publishers, each = 4, 50
			var work, asking sync.WaitGroup
			for p := range publishers {
				work.Go(func() {
					for i := range each {
						r.Publish(t, "a:", fmt.Sprintf(`[{"type":"a:Feed/1","msg":"%d/%d"}]`, p, i))
					}
				})
			}
			done := make(chan struct{})
			asking.Go(func() {
				for {
					select {
					case <-done:
						return
					default: // the next publish paces it
					}
					for range 5 {
						c.Send(fmt.Sprintf(`{"id":6,"op":"subscribe","type":"a:Feed/1"%s}`, since))
					}
					r.Publish(t, "a:", `[{"type":"a:Feed/9","msg":"x"}]`)
				}
			})
			go func() {
				work.Wait()
				close(done)
				asking.Wait()
				r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":"end"}]`)
			}()
			got := make(map[string]bool)
			replies := 0
			for f := c.Next(); !strings.Contains(f, `"end"`); f = c.Next() {
				switch {
				case strings.Contains(f, `"ok"`):
					replies++
				case got[f]:
					t.Errorf("twice: %s", f)
				default:
					got[f] = true
				}
			}
			if len(got) != publishers*each || replies == 0 {
				t.Errorf("%d of %d messages, %d replies", len(got), publishers*each, replies)
			}
		})
	}
}
