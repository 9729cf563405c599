package engine_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/engine/enginetest"
	"mediawiki-websocket/relay/wire/codec"
)

func withClock(o engine.Options) (engine.Options, *enginetest.Clock) {
	clock := enginetest.NewClock()
	o.Now, o.After = clock.Now, clock.After
	return o, clock
}

// edit is a message as the wiki publishes it for an edit.
func edit(k engine.Key, keep engine.History) *engine.Message {
	text := `{"event":"edit","page":1234,"title":"Main_Page","rev":56789,"parent":56788,"user":"Ann","time":"2026-01-02T03:04:05Z","minor":false,"bot":false,"comment":"` +
		strings.Repeat("x", 80) + `"}`
	return &engine.Message{Key: k, Keep: keep, Message: codec.Message{Envelope: codec.Envelope{Type: k.Type, Msg: []byte(text), From: "0123456789abcdef0123456789abcdef"}, Wiki: true}}
}

func BenchmarkPublish(b *testing.B) {
	of := func(count int) engine.History { return engine.History{Count: count, Seconds: 604800} }
	for _, c := range []struct {
		name    string
		journal bool
		keep    engine.History
		keys    int
		dedup   bool
	}{
		{"plain", false, none, 1, false},
		{"plain/1000 keys", false, none, 1000, false},
		{"plain/journal", true, none, 1, false},
		{"plain/dedup", false, none, 1, true},
		{"history", false, of(20), 1, false},
		{"history/1000 keys", false, of(20), 1000, false},
		{"history/journal", true, of(20), 1, false},
		{"history/journal/1000 keys", true, of(20), 1000, false},
		{"history/journal/dedup", true, of(20), 1000, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			o := engine.Options{}
			if c.journal {
				o = inFolder(b)
			}
			e := open(b, o)
			messages := make([]*engine.Message, c.keys)
			for n := range messages {
				messages[n] = edit(engine.Key{Wiki: "a:", Type: fmt.Sprint("a:@page/", n)}, c.keep)
			}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				m := messages[n%c.keys]
				if n++; c.dedup {
					m.Dedup = fmt.Sprint("a:\x00", n)
				}
				if _, err := e.Publish(m, ignore); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAt(b *testing.B) {
	for _, missed := range []int{0, 20, 500} {
		b.Run(fmt.Sprint(missed), func(b *testing.B) {
			e := engine.NewMemory()
			e.Declare("a:", "1")
			h := engine.History{Count: 500, Seconds: 3600}
			var since codec.Position
			for n := range 500 {
				if n == 500-missed {
					since = at(e, page, nil).Now
				}
				e.Publish(edit(page, h), ignore)
			}
			if missed == 0 {
				since = at(e, page, nil).Now
			}
			s, got := after(since), 0
			b.ReportAllocs()
			for b.Loop() {
				e.At(page, h, s, func(m engine.Missed) { got = len(m.Messages) })
			}
			if got != missed {
				b.Error(got)
			}
		})
	}
}

// BenchmarkOpen opens the journal of an engine whose memory is full.
func BenchmarkOpen(b *testing.B) {
	o := inFolder(b)
	e := open(b, o)
	for n := range 400_000 {
		e.Publish(edit(engine.Key{Wiki: "a:", Type: fmt.Sprint("a:@page/", n%40_000)}, engine.History{Count: 20, Seconds: 604800}), ignore)
	}
	s := e.Stats()
	e.Close()
	content, err := os.ReadFile(o.Journal)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := engine.Open(o)
		if err != nil {
			b.Fatal(err)
		}
		if now := e.Stats(); now.Messages != s.Messages {
			b.Fatal(now, s)
		}
		b.StopTimer()
		e.Close()
		os.WriteFile(o.Journal, content, 0o600)
		b.StartTimer()
	}
	b.ReportMetric(float64(len(content))/(1<<20), "file-MiB")
	b.ReportMetric(float64(s.Bytes)/(1<<20), "memory-MiB")
	b.ReportMetric(float64(s.Messages), "messages")
}

func BenchmarkRewrite(b *testing.B) {
	e := open(b, inFolder(b))
	for n := range 200_000 {
		e.Publish(edit(engine.Key{Wiki: "a:", Type: fmt.Sprint("a:@page/", n%40_000)}, engine.History{Count: 20, Seconds: 604800}), ignore)
	}
	for b.Loop() {
		if err := e.Rewrite(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPresence is somebody who comes to and leaves a type where a crowd is.
func BenchmarkPresence(b *testing.B) {
	for _, crowd := range []int{10, 100_000} {
		b.Run(fmt.Sprint(crowd), func(b *testing.B) {
			e := open(b, engine.Options{})
			for n := range crowd {
				e.Enter(page, engine.Person{User: fmt.Sprint(n), Connection: uint64(n)})
			}
			b.ReportAllocs()
			for b.Loop() {
				e.Enter(page, engine.Person{User: "0", Connection: 1 << 40})
				e.Exit(page, engine.Person{User: "0", Connection: 1 << 40})
				e.Enter(page, engine.Person{Connection: 1})
				e.Exit(page, engine.Person{Connection: 1})
			}
		})
		b.Run(fmt.Sprint("present/", crowd), func(b *testing.B) {
			e := open(b, engine.Options{})
			for n := range crowd {
				e.Enter(page, engine.Person{User: fmt.Sprint(n), Connection: uint64(n)})
			}
			for b.Loop() {
				e.Present(page)
			}
		})
	}
}
