// Package enginetest says in tests what an [engine.Engine] must do, so that all engines do the same.
//
// It takes nothing for granted that an engine of several relays could not do: what one object has been told, another one may be asked about.
package enginetest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// Options says how an engine is to be.
type Options struct {
	Store   string                // names what the engine keeps its messages in, among those of the test; "": a new one
	Clock   *Clock                // nil: the real one
	Bytes   int                   // of memory for kept messages; 0: enough
	Changed func([]engine.Change) // nil: nobody wants to know
}

// Abilities says what an engine can do that not all can.
type Abilities struct {
	// Clock: it keeps to Options.Clock.
	Clock bool
	// Bytes: it keeps to Options.Bytes.
	Bytes bool
	// Lasts: an engine that is opened when the one before on its store has been closed goes on where that ended.
	Lasts bool
	// Killed returns the options for an engine that is to go on where one with o would have ended if it had been killed now. It still runs. nil: it
	// cannot go on.
	Killed func(t *testing.T, o Options) Options
	// Together: several engines may be open on one store.
	Together bool
}

// Open returns an engine. It fails the test when that is not possible.
type Open func(t *testing.T, o Options) engine.Engine

// Run tests the engine that open returns.
func Run(t *testing.T, open Open, can Abilities) {
	s := &suite{open, can}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
		skip bool
	}{
		{"Offsets", s.offsets, false},
		{"Order", s.order, false},
		{"Missed", s.missed, false},
		{"Copies", s.copies, false},
		{"NoHistory", s.noHistory, false},
		{"Strangers", s.strangers, false},
		{"Quiet", s.quiet, false},
		{"Policies", s.policies, !can.Clock},
		{"Count", s.count, false},
		{"Age", s.age, !can.Clock},
		{"Time", s.time, !can.Clock},
		{"Bytes", s.bytes, !can.Bytes},
		{"WikisBytes", s.wikisBytes, !can.Bytes},
		{"Repeats", s.repeats, false},
		{"RepeatsEnd", s.repeatsEnd, !can.Clock},
		{"RepeatsAtOnce", s.repeatsAtOnce, false},
		{"ComingBack", s.comingBack, false},
		{"Reopened", s.reopened, !can.Lasts},
		{"Killed", s.killed, can.Killed == nil},
		{"Again", s.again, !can.Lasts},
		{"Forgotten", s.forgotten, false},
		{"Together", s.together, !can.Together},
		{"Presence", s.presence, !can.Clock},
		{"Anonymous", s.anonymous, !can.Clock},
		{"Herd", s.herd, !can.Clock},
		{"Crowd", s.crowd, false},
	} {
		if !test.skip {
			t.Run(test.name, test.run)
		}
	}
}

type suite struct {
	open func(*testing.T, Options) engine.Engine
	can  Abilities
}

var (
	keep  = engine.History{Count: 20, Seconds: 3600}
	page  = engine.Key{Wiki: "a:", Type: "a:@page/12"}
	other = engine.Key{Wiki: "a:", Type: "a:@page/13"}
)

// engine returns an engine that ends with the test.
func (s *suite) engine(t *testing.T, o Options) engine.Engine {
	t.Helper()
	e := s.open(t, o)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// message returns the nth message of k, kept as keep says.
func message(k engine.Key, n int, keep engine.History) *engine.Message {
	return &engine.Message{Key: k, Keep: keep, Message: codec.Message{Envelope: codec.Envelope{Type: k.Type, Msg: fmt.Append(nil, n)}}}
}

// publish publishes messages from, …, to-1 of k and returns the offset of the last.
func publish(t *testing.T, e engine.Engine, k engine.Key, from, to int, keep engine.History) (last uint64) {
	t.Helper()
	for n := from; n < to; n++ {
		m := message(k, n, keep)
		delivered := 0
		repeated, err := e.Publish(m, func(d *engine.Message) {
			if delivered++; d.Offset <= last || !bytes.Equal(d.Msg, m.Msg) || d.Key != k {
				t.Errorf("%+v was delivered after offset %d", d, last)
			}
		})
		if err != nil || repeated || delivered != 1 || m.Time == 0 && keep != (engine.History{}) {
			t.Fatalf("%v, repeated %t, delivered %d times, time %d", err, repeated, delivered, m.Time)
		}
		last = m.Offset
	}
	return last
}

// at returns what an engine says about k since.
func at(e engine.Engine, k engine.Key, keep engine.History, since *codec.Since) (m engine.Missed) {
	called := 0
	e.At(k, keep, since, func(found engine.Missed) { m, called = found, called+1 })
	if called != 1 {
		panic(fmt.Sprintf("At has called f %d times", called))
	}
	return m
}

func here(e engine.Engine, k engine.Key) codec.Position { return at(e, k, keep, nil).Now }

func after(p codec.Position) *codec.Since { return &codec.Since{Position: p} }

func since(t time.Time) *codec.Since { return &codec.Since{Time: t.Unix()} }

// wants fails the test unless the messages from, …, to-1 were missed, and no others.
func wants(t *testing.T, m engine.Missed, from, to int) {
	t.Helper()
	var got, want []string
	for i, message := range m.Messages {
		if got = append(got, string(message.Msg)); i > 0 && message.Offset <= m.Messages[i-1].Offset || message.Offset > m.Now.Offset {
			t.Errorf("offset %d comes where it should not", message.Offset)
		}
	}
	for n := from; n < to; n++ {
		want = append(want, fmt.Sprint(n))
	}
	if !m.All || !slices.Equal(got, want) {
		t.Errorf("missed %v, all: %t, want %v", got, m.All, want)
	}
}

// lost fails the test unless the engine says that it cannot know what was missed.
func lost(t *testing.T, m engine.Missed) {
	t.Helper()
	if m.All || len(m.Messages) > 0 {
		t.Errorf("%d messages were missed, all: %t, but some are gone", len(m.Messages), m.All)
	}
}

// soon fails the test unless is becomes true.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(leak.Patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// example is a message with everything that one may have, which is read from buf.
func example(k engine.Key, buf []byte) *engine.Message {
	frame := append(buf[:0], `{"type":"t","msg":{"text":"é \"x\""},"from":"abc","to":["x","yz"]}`...)
	envelope, err := codec.ParseEnvelope(frame, wire.DefaultLimits())
	if err != nil {
		panic(err)
	}
	envelope.Type = k.Type
	return &engine.Message{Key: k, Keep: keep, Message: codec.Message{Envelope: envelope, User: "Ann", Wiki: true}, Owners: []engine.Owner{{Wiki: "a:", User: "Bob"}, {}}}
}
