//go:build linux

package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/peer"
	"mediawiki-websocket/bench/report"
)

// fanout is one publisher and many subscribers of one room: saturated, with one message and with several in flight. Servers are measured in turns, cell by
// cell, so that what changes on the machine meets all of them.
func fanout(b *bench) error {
	for _, n := range b.numbers {
		err := b.together(b.chosen(peer.Climit, peer.ClimitBatch, peer.Relay, peer.Naive), n, func(rigs []*rig) error {
			if err := populateAll(rigs, n, 1); err != nil {
				return err
			}
			for _, size := range b.sizes {
				for _, window := range b.windows {
					b.cell(rigs, report.Row{Scenario: "fanout", Variant: "payload", N: n, Size: size, Window: window})
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cell measures what can be compared with payloads of one size, and the C program once more with frames of one size, as the relay's protocol puts more around
// a payload: what is left between the two then is not the protocol's.
func (b *bench) cell(rigs []*rig, row report.Row) {
	var ceiling *rig
	var frame float64 // bytes of the ceiling's
	for _, r := range rigs {
		if row.Peer = r.peer.Name; !compared(row.Peer, row.Window, row.Size) {
			continue
		}
		l := load{room: first, each: row.N, size: row.Size}
		v := b.near(row, func() values { return b.saturate(r, l, row.Window) })
		switch {
		case row.Peer != peer.Relay && row.Peer != peer.Naive:
			ceiling, frame = r, v["wire_bytes"]
		case row.Peer == peer.Relay && ceiling != nil:
			again := row
			again.Peer, again.Variant = ceiling.peer.Name, "frame"
			l.size += int(math.Round(v["wire_bytes"] - frame))
			if b.deflate || v["lost"] > 0 || l.size < row.Size || l.size > gen.MaxPayload {
				continue
			}
			b.near(again, func() values { return b.saturate(ceiling, l, row.Window) })
		}
	}
}

// compared reports whether a cell is of use: the ceiling for one message in flight is climit's, for several climit-batch's.
func compared(name string, window, size int) bool {
	switch name {
	case peer.Climit:
		return window == 1
	case peer.ClimitBatch:
		return window > 1
	case peer.Naive:
		return size == 128
	}
	return true
}

const latencyLength = 3 * time.Second // 150 messages

// latency offers a fixed number of deliveries a second to subscribers of one room.
func latency(b *bench) error {
	n := 1000
	return b.together(b.chosen(peer.Climit, peer.Relay, peer.Naive), n, func(rigs []*rig) error {
		if err := populateAll(rigs, n, 1); err != nil {
			return err
		}
		for _, r := range rigs {
			row := report.Row{Scenario: "latency", Peer: r.peer.Name, N: n, Size: 128}
			b.near(row, func() values { return b.offer(r, load{room: first, each: n, size: 128, length: latencyLength}, 50000) })
		}
		return nil
	})
}

const roomSize = 5

// rooms is many rooms of five: saturated with 64 messages in flight, and at a fixed rate.
func rooms(b *bench) error {
	n := 5000
	return b.together(b.chosen(peer.Climit, peer.Relay, peer.Naive), n, func(rigs []*rig) error {
		if err := populateAll(rigs, n, n/roomSize); err != nil {
			return err
		}
		random := rand.New(rand.NewPCG(1, uint64(b.run)))
		l := load{room: func() int { return random.IntN(n / roomSize) }, each: roomSize, size: 128}
		for _, r := range rigs {
			row := report.Row{Scenario: "rooms", Peer: r.peer.Name, Variant: "offered", N: n, Size: 128}
			b.near(row, func() values { return b.offer(r, l, 20000) })
			row.Variant, row.Window = "saturated", 64
			b.near(row, func() values { return b.saturate(r, l, 64) })
		}
		return nil
	})
}

// chosen returns which of these peers are to be measured.
func (b *bench) chosen(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return len(b.peers) > 0 && !slices.Contains(b.peers, name) })
}

// together opens rigs, as many at once as there are open files for n connections to each: those that come first are compared with each other.
func (b *bench) together(names []string, n int, do func([]*rig) error) error {
	atOnce := max(1, b.files/(n+spareFiles))
	for group := range slices.Chunk(names, atOnce) {
		if err := b.with(group, peer.Options{}, do); err != nil {
			return err
		}
	}
	return nil
}

// with opens rigs for the peers, and closes them after do.
func (b *bench) with(names []string, o peer.Options, do func([]*rig) error) error {
	var rigs []*rig
	defer func() {
		for _, r := range rigs {
			b.close(r)
		}
	}()
	for _, name := range names {
		r, err := b.open(name, o)
		if err != nil {
			return err
		}
		rigs = append(rigs, r)
	}
	return do(rigs)
}

func populateAll(rigs []*rig, n, rooms int) error {
	for _, r := range rigs {
		if err := r.populate(n, rooms); err != nil {
			return err
		}
	}
	return nil
}
