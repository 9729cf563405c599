//go:build linux

package main

import (
	"fmt"
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/host"
	"mediawiki-websocket/bench/peer"
	"mediawiki-websocket/bench/report"
)

const (
	idleConnections = 10000
	further         = 10 // subscriptions of each connection
	furtherRoom     = 1 << 20
	answerLimit     = 60 * time.Second
	pingEvery       = 25 * time.Second // the servers' default
)

// memory is what connections cost that do nothing but answer pings: the server's memory and the kernel's for each, processor time, and then memory
// for each further subscription.
func memory(b *bench) error {
	n := b.scale(idleConnections)
	for _, name := range b.chosen(peer.Naive, peer.Relay) {
		err := b.with([]string{name}, peer.Options{}, func(rigs []*rig) error { return b.memory(rigs[0], n) })
		if err != nil {
			return err
		}
	}
	return nil
}

// footprint is memory at a moment, in bytes: the server's proportional set, what of it is in use on the heap of a relay (0: not asked), the kernel's
// objects and its buffers.
type footprint struct{ server, heap, slab, buffers int64 }

func footprintOf(p *peer.Peer) footprint {
	return footprint{server: p.Process.PSS(), slab: host.Slab(), buffers: host.TCPBuffers()}
}

// collected returns the memory after a collection, and whether the server could be made to do one.
func collected(p *peer.Peer) (footprint, bool) {
	ok := p.Collect()
	f := footprintOf(p)
	f.heap = p.Heap()
	return f, ok
}

// per adds to v by how much a footprint is larger than the empty server's, for each of n connections. The kernel's share is of both ends.
func (f footprint) per(v values, n int, when string, empty footprint) {
	v[when+"_bytes"] = float64(f.server-empty.server) / float64(n)
	if f.heap > 0 {
		v[when+"_heap_bytes"] = float64(f.heap-empty.heap) / float64(n)
	}
	v[when+"_slab_bytes"] = float64(f.slab-empty.slab) / float64(n)
	v[when+"_buffer_bytes"] = float64(f.buffers-empty.buffers) / float64(n)
}

func (b *bench) memory(r *rig, n int) error {
	if err := r.connect(r.add(gen.Subscriber, 1, func(int) int { return crowdRooms }), 1); err != nil { // what is made once is not counted
		return err
	}
	b.rest(time.Second)
	empty, _ := collected(r.peer)
	list := r.add(gen.Subscriber, n, func(i int) int { return i % crowdRooms })
	if err := r.connect(list, atOnce); err != nil {
		return err
	}
	b.rest(3 * time.Second)
	v := values{"empty_MB": float64(empty.server) / 1e6}
	footprintOf(r.peer).per(v, n, "soon", empty)
	from := r.read()
	b.rest(b.idle)
	watched := r.since(from)
	v["idle_seconds"], v["others"] = watched["seconds"], watched["others"]
	if b.idle >= pingEvery {
		v["idle_percent"] = watched["cpu_s"] / watched["seconds"] * 100
	}
	v["closed"] = float64(n + 1 - r.ReadyNow)
	footprintOf(r.peer).per(v, n, "later", empty)
	if f, ok := collected(r.peer); ok {
		f.per(v, n, "collected", empty)
	}
	row := report.Row{Scenario: "memory", Peer: r.peer.Name, N: n, Values: v}
	var err error
	if r.peer.Name == peer.Relay {
		err = b.subscriptions(r, list, v)
	}
	b.emit(row)
	return err
}

// subscriptions measures further subscriptions: first to types that all share, then to types of each connection's own.
func (b *bench) subscriptions(r *rig, list []*gen.Conn, v values) error {
	for _, types := range []struct {
		name string
		room func(i int) int
	}{
		{"shared_subscription", func(int) int { return furtherRoom }},
		{"own_subscription", func(i int) int { return 2*furtherRoom + i*further }},
	} {
		before, _ := collected(r.peer)
		if err := r.subscribe(list, further, types.room); err != nil {
			return err
		}
		b.rest(time.Second)
		after, _ := collected(r.peer)
		after.per(v, further*len(list), types.name, before)
	}
	return nil
}

// subscribe makes each connection subscribe to n rooms more, from the one that room returns for the i-th connection.
func (r *rig) subscribe(list []*gen.Conn, n int, room func(i int) int) error {
	const ahead = 50 // connections
	for i, c := range list {
		r.peer.Subscribe(r, c, room(i), n)
		if i >= ahead {
			if err := r.answered(list[i-ahead : i-ahead+1]); err != nil {
				return err
			}
		}
	}
	return r.answered(list)
}

// answered waits until all that the connections have asked for is answered.
func (r *rig) answered(list []*gen.Conn) error {
	end := gen.Now() + int64(answerLimit)
	for _, c := range list {
		for c.Told != c.Asked {
			if gen.Now() > end || r.Refused > 0 {
				return fmt.Errorf("only %d of %d commands were answered well", c.Told, c.Asked)
			}
			r.Step(1)
		}
	}
	return nil
}
