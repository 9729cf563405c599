package session_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// A history is a relay that keeps the messages of one type, "A". A time is taken for the offset that was reached then.
type history struct {
	b     *browser
	epoch string
	now   uint64
	floor uint64 // the last offset that is gone
	asked []session.Since
}

// keeping has the browser's relay keep messages.
func (b *browser) keeping(now uint64) *history {
	h := &history{b: b, epoch: "E", now: now}
	b.answer = h.answer
	return h
}

func (h *history) answer(c *session.Command) *session.Frame {
	if c.Op != wire.OpSubscribe {
		return nil
	}
	h.asked = append(h.asked, c.Since)
	f := &session.Frame{Reply: true, Epoch: h.epoch, Offset: h.now, Recovered: true}
	from := c.Since.Offset
	switch since := c.Since; {
	case since == session.Since{}:
		return f
	case since.Epoch == "":
		from = uint64(since.Time)
	case since.Epoch != h.epoch:
		from = 0
		f.Recovered = false
	}
	if from < h.floor || from > h.now {
		f.Recovered = false
	}
	if f.Recovered {
		h.b.replay = messages(from+1, h.now)
	}
	return f
}

func messages(from, to uint64) (frames []*session.Frame) {
	for ; from <= to; from++ {
		frames = append(frames, numbered("A", from))
	}
	return frames
}

// publish delivers so many messages.
func (h *history) publish(n int) {
	for range n {
		h.now++
		h.b.socket().say(numbered("A", h.now))
	}
}

// openAt opens a tab that has had messages of "A".
func (b *browser) openAt(id string, since session.Since) *tab {
	t := &tab{b: b, id: id}
	b.Join(id, "ws://relay.example/", &session.Token{Text: "token"}, t)
	b.Session.Subscribe(id, "A", since)
	synctest.Wait()
	return t
}

func at(offset uint64) session.Since { return session.Since{Epoch: "E", Offset: offset} }

// got returns which messages a tab got since the last call, and forgets all else.
func (t *tab) got() string {
	synctest.Wait()
	var offsets []string
	for _, line := range t.log {
		if n, ok := strings.CutPrefix(line, "got A "); ok {
			offsets = append(offsets, n)
		}
	}
	t.log = nil
	return strings.Join(offsets, " ")
}

func TestWhatWasMissedComesOnceInOrderAndBeforeTheConnectionIsTold(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		h := b.keeping(3)
		one := b.open("WS1", "A")
		one.heard("at A E:3", "connected wiki:Ann")
		h.publish(2)
		one.heard("got A 4", "got A 5")
		b.socket().end(1006)
		h.now = 8
		b.wait(time.Second)
		if !slices.Equal(h.asked, []session.Since{{}, at(5)}) {
			t.Errorf("asked %+v", h.asked)
		}
		equal(t, "got", one.got(), "6 7 8")
		for _, f := range messages(6, 9) { // the relay repeats itself
			b.socket().say(f)
		}
		one.heard("got A 9")
	})
}

func TestWhatIsGoneIsToldAndTheSubscriptionGoesOn(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		h := b.keeping(3)
		one := b.open("WS1", "A", "B")
		b.socket().end(1006)
		h.now, h.floor = 8, 5
		one.log = nil
		b.wait(time.Second)
		one.heard("at A E:8", "missed A", "at B E:8", "missed B", "connected wiki:Ann")
		h.publish(1)
		one.heard("got A 9")
		b.socket().end(1006)
		h.now = 10
		one.log = nil
		b.wait(time.Second)
		equal(t, "got", one.got(), "10")
	})
}

func TestEpochChangeResetsPositions(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		h := b.keeping(1000)
		one, two := b.open("WS1", "A"), b.open("WS2", "A")
		b.socket().end(1006)
		h.epoch, h.now = "F", 2
		one.log, two.log = nil, nil
		b.wait(time.Second)
		one.heard("at A F:2", "missed A", "connected wiki:Ann")
		two.heard("at A F:2", "missed A", "connected wiki:Ann")
		equal(t, "asked", len(h.asked), 2)
		h.publish(1)
		one.heard("got A 3")
		two.heard("got A 3")
		b.socket().end(1006)
		b.wait(time.Second)
		equal(t, "asked", h.asked[2], session.Since{Epoch: "F", Offset: 3})
	})
}

func TestOneAnswerTellsAllTabsThatTheEpochIsAnother(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		h := b.keeping(7)
		b.down = true
		one, two := b.openAt("WS1", session.Since{Epoch: "D", Offset: 1}), b.openAt("WS2", session.Since{Epoch: "D", Offset: 2})
		b.down = false
		b.wait(time.Minute)
		equal(t, "told", countOf(one.log, "missed A")+countOf(two.log, "missed A"), 2)
		equal(t, "asked", len(h.asked), 1)
	})
}

func TestTabsThatCameFromAnotherHostGoOnFromWhereEachWas(t *testing.T) {
	for name, c := range map[string]struct {
		floor    uint64
		one, two session.Since
		got      [2]string
		missed   [2]bool
	}{
		"all is there":            {0, at(3), at(5), [2]string{"4 5 6 7", "6 7"}, [2]bool{}},
		"in the other order":      {0, at(5), at(3), [2]string{"6 7", "4 5 6 7"}, [2]bool{}},
		"too old for one":         {4, at(3), at(5), [2]string{"", "6 7"}, [2]bool{true, false}},
		"too old for both":        {6, at(3), at(5), [2]string{"", ""}, [2]bool{true, true}},
		"one has seen it all":     {6, at(7), at(5), [2]string{"", ""}, [2]bool{false, true}},
		"by time":                 {0, session.Since{Time: 4}, at(6), [2]string{"5 6 7", "7"}, [2]bool{}},
		"by times":                {0, session.Since{Time: 4}, session.Since{Time: 6}, [2]string{"5 6 7", "7"}, [2]bool{}},
		"by a time too old":       {5, session.Since{Time: 4}, at(6), [2]string{"", "7"}, [2]bool{true, false}},
		"of another counting":     {0, session.Since{Epoch: "D", Offset: 1}, at(6), [2]string{"", "7"}, [2]bool{true, false}},
		"one wants nothing":       {0, session.Since{}, at(6), [2]string{"", "7"}, [2]bool{}},
		"they have all they want": {7, at(7), at(7), [2]string{"", ""}, [2]bool{}},
	} {
		for _, late := range []bool{false, true} { // the second comes when the first is served already
			in(t, func(t *testing.T, b *browser) {
				h := b.keeping(7)
				h.floor = c.floor
				b.down = !late
				one := b.openAt("WS1", c.one)
				two := b.openAt("WS2", c.two)
				b.down = false
				b.wait(time.Minute)
				for i, tab := range []*tab{one, two} {
					equal(t, name+": missed", slices.Contains(tab.log, "missed A"), c.missed[i])
					equal(t, name+": got", tab.got(), c.got[i])
				}
				h.publish(2)
				equal(t, name+": got later", one.got()+","+two.got(), "8 9,8 9")
				b.socket().end(1006)
				b.wait(time.Second)
				equal(t, name+": asked at last", h.asked[len(h.asked)-1], at(9))
			})
		}
	}
}

func TestReplayForOneTabIsNotForOthers(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		h := b.keeping(7)
		one := b.open("WS1", "A")
		h.publish(1)
		two := b.openAt("WS2", at(5))
		three := b.open("WS3", "A")
		h.publish(1)
		equal(t, "got", one.got(), "8 9")
		equal(t, "got", two.got(), "6 7 8 9")
		equal(t, "got", three.got(), "9")
		equal(t, "asked", len(h.asked), 2)
	})
}

func TestWhatIsLiveGoesOnWhileAnotherTabWaitsForAReplay(t *testing.T) {
	for _, since := range []session.Since{at(2), {Time: 2}} {
		for _, floor := range []uint64{0, 6} { // all that was missed is there; it is gone
			in(t, func(t *testing.T, b *browser) {
				h := b.keeping(4)
				h.floor = floor
				one := b.open("WS1", "A")
				b.deaf = true
				two := b.openAt("WS2", since)
				asked := b.socket().commands(wire.OpSubscribe)
				h.publish(2)
				equal(t, "got", one.got(), "5 6")
				b.deaf = false
				reply := h.answer(&asked[1])
				reply.ID = asked[1].ID
				for _, f := range append([]*session.Frame{reply}, b.replay...) {
					b.socket().say(f)
				}
				b.replay = nil
				h.publish(1)
				equal(t, "missed", slices.Contains(one.log, "missed A"), false)
				equal(t, "missed", slices.Contains(two.log, "missed A"), floor > 0)
				equal(t, "got", one.got(), "7")
				equal(t, "got", two.got(), map[uint64]string{0: "3 4 5 6 7", 6: "7"}[floor])
			})
		}
	}
}

func TestReplayThatBreaksOffIsAskedForFromThereAndByTimeAsLongAsThereIsNoPosition(t *testing.T) {
	for name, since := range map[string]session.Since{"position": at(2), "time": {Time: 2}} {
		in(t, func(t *testing.T, b *browser) {
			h := b.keeping(9)
			sent := 0
			b.answer = func(c *session.Command) *session.Frame {
				f := h.answer(c)
				b.replay = b.replay[:min(len(b.replay), sent)]
				return f
			}
			one := b.openAt("WS1", since)
			b.socket().end(1006)
			b.wait(time.Second)
			equal(t, name+": asked", h.asked[1], since)
			sent = 3
			b.socket().end(1006)
			b.wait(time.Second)
			equal(t, name+": got", one.got(), "3 4 5")
			b.socket().end(1006)
			b.wait(time.Second)
			equal(t, name+": asked", h.asked[3], at(5))
		})
	}
}

func TestPositionOfAQuietTypeMovesWhenTheReplayIsComplete(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		h := b.keeping(2)
		one := b.open("WS1", "A")
		b.socket().end(1006)
		h.now, h.floor = 2, 0
		one.log = nil
		b.answer = func(c *session.Command) *session.Frame {
			f := h.answer(c)
			if f != nil {
				f.Offset = 500 // of other types
			}
			return f
		}
		b.wait(time.Second)
		one.heard("connected wiki:Ann")
		b.wait(26 * time.Second) // a ping
		one.heard("at A E:500")
	})
}

func TestRevokedSubscriptionComesBackWithoutAGap(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		h := b.keeping(2)
		one := b.open("WS1", "A")
		one.grants = func([]string, []string) ([]session.Grant, bool) {
			return []session.Grant{{Type: "A", Token: session.Token{Text: "G"}}}, false
		}
		b.socket().say(&session.Frame{Op: wire.OpRevoked, Type: "A"})
		h.now = 4
		b.wait(5 * time.Second)
		equal(t, "got", one.got(), "3 4")

		b.socket().say(&session.Frame{Op: wire.OpExpire, Type: "A"}) // goes on without a gap: nothing need be replayed
		b.wait(5 * time.Second)
		equal(t, "asked", h.asked[len(h.asked)-1], session.Since{})
		h.publish(1)
		equal(t, "got", one.got(), "5")
	})
}

func TestTabThatSaysHelloAgainSaysWhatReachedIt(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		h := b.keeping(2)
		one, two := b.open("WS1", "A"), b.open("WS2", "A")
		h.publish(3)
		for i, c := range []struct {
			since session.Since
			got   string
		}{{at(5), ""}, {at(9), ""}, {session.Since{}, ""}, {at(3), "4 5"}, {session.Since{Time: 4}, "5"}} {
			one.log = nil
			b.Session.Subscribe("WS1", "A", c.since)
			equal(t, itoa(i)+": got", one.got(), c.got)
		}
		equal(t, "got", two.got(), "3 4 5")
		b.socket().end(1006)
		one.log = nil
		b.Session.Subscribe("WS1", "A", session.Since{Time: 4}) // which cannot be put in order with what is missed
		one.heard("missed A")
		b.wait(time.Second)
		h.publish(1)
		equal(t, "got", one.got()+","+two.got(), "6,6")
	})
}

func TestMessagesWithoutAnOffsetAreDelivered(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1", "A")
		b.socket().say(message("A", ""))
		b.socket().say(message("A", ""))
		one.heard("connected wiki:Ann", "got A", "got A")
	})
}
