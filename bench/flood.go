//go:build linux

package main

import (
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/peer"
	"mediawiki-websocket/bench/report"
)

const (
	floodSubs   = 500
	floodRate   = 20 * floodSubs // deliveries a second of the other room
	floodBurst  = 16             // messages that are written at once
	floodLength = 3 * time.Second
	drainEvery  = 20 * time.Millisecond // each socket
)

// flood is one publisher that sends into its room as fast as the server takes it, and a second room with few messages: how long do those take, beside
// the same without a flood? Both rooms have as many subscribers. One server comes after the other: what it has yet to do of a flood keeps one busy for long.
func flood(b *bench) error {
	for _, name := range b.chosen(peer.Naive, peer.Relay) {
		if err := b.with([]string{name}, peer.Options{}, func(rigs []*rig) error { return b.beside(rigs[0]) }); err != nil {
			return err
		}
	}
	return nil
}

// beside measures the second room, without a flood and with one.
func (b *bench) beside(r *rig) error {
	if err := r.populate(floodSubs, 1); err != nil {
		return err
	}
	others := r.add(gen.Drainer, floodSubs, func(int) int { return 1 })
	flooder := r.add(gen.Publisher, 1, func(int) int { return 1 })
	if err := r.connect(append(flooder, others...), atOnce); err != nil {
		return err
	}
	l := load{room: first, each: floodSubs, size: 128, length: floodLength}
	row := report.Row{Scenario: "flood", Peer: r.peer.Name, N: floodSubs, Size: 128}
	for _, row.Variant = range []string{"quiet", "flood"} {
		if row.Variant == "flood" {
			l.also = b.flooding(r, flooder[0], others)
		}
		b.near(row, func() values {
			before := r.Bytes
			v := b.offer(r, l, floodRate)
			v["wire_MBps"] = float64(r.Bytes-before) / 1e6 / v["seconds"]
			if v["lost"] > 0 { // what has not come yet takes at least as long
				v["p99_ms"] = max(v["p99_ms"], float64(floodLength.Milliseconds()))
			}
			b.drain(r, others, 500*time.Millisecond)
			return v
		})
	}
	return nil
}

// flooding returns what keeps the flooder's socket full, and empties its subscribers', one after the other: to empty all of them at once takes the generator
// as long as a message of the other room takes.
func (b *bench) flooding(r *rig, by *gen.Conn, to []*gen.Conn) func() {
	at, next, every := 0, int64(0), int64(drainEvery)/int64(len(to))
	return func() {
		if by.Unsent() == 0 {
			number := r.number
			for range floodBurst {
				r.publish(by, 1, 128, gen.Now())
			}
			r.number = number // the other room's messages are counted
		}
		if now := gen.Now(); now > next {
			next = now + every
			r.Drain(to[at])
			at = (at + 1) % len(to)
		}
	}
}

// drain goes on for a while, emptying the sockets.
func (b *bench) drain(r *rig, list []*gen.Conn, d time.Duration) {
	for end := gen.Now() + int64(d); gen.Now() < end; r.Step(1) {
		for _, c := range list {
			r.Drain(c)
		}
	}
}
