//go:build linux

package main

import (
	"fmt"
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/peer"
)

const (
	atOnce        = 64 // connections being made
	connectLimit  = 90 * time.Second
	probeLimit    = 15 * time.Second
	probeEach     = 3 * time.Second
	settleMost    = 20 * time.Second
	settleShort   = 400 * time.Millisecond
	failuresExtra = 100
)

// rig is a peer and the connections to it.
type rig struct {
	*gen.Engine
	peer *peer.Peer
	subs []*gen.Conn
	pubs []*gen.Conn

	number  uint32 // of the last message
	ids     int    // given to connections
	payload []byte
	message []byte
	frame   []byte
}

// start starts a peer as the flags say.
func (b *bench) start(name string, o peer.Options) (*peer.Peer, error) {
	o.Programs, o.Relay, o.Dir, o.Log, o.Deflate = b.programs, b.relay, b.dir, b.log, b.deflate
	return peer.Start(name, o)
}

// open starts a peer. close ends it.
func (b *bench) open(name string, o peer.Options) (*rig, error) {
	p, err := b.start(name, o)
	if err != nil {
		return nil, err
	}
	e, err := gen.NewEngine(p.Port, p.Protocol)
	if err != nil {
		p.Stop()
		return nil, err
	}
	r := &rig{Engine: e, peer: p}
	b.rigs[r] = true
	return r, nil
}

func (b *bench) close(r *rig) {
	delete(b.rigs, r)
	r.peer.Stop()
	r.Close()
}

// add makes n connections of a kind, which connect does not know yet; room says which room the i-th is for.
func (r *rig) add(kind gen.Kind, n int, room func(i int) int) []*gen.Conn {
	list := make([]*gen.Conn, n)
	for i := range list {
		c := &gen.Conn{Kind: kind, Room: room(i), ID: r.ids + i}
		r.peer.Admit(c)
		list[i] = r.Add(c)
	}
	r.ids += n
	return list
}

// connect brings connections to readiness, so many at a time.
func (r *rig) connect(list []*gen.Conn, most int) error {
	next, pending, ready := 0, 0, 0
	var again []*gen.Conn
	r.OnReady = func(*gen.Conn) { ready++; pending-- }
	r.OnLost = func(c *gen.Conn) { pending--; again = append(again, c) }
	defer func() { r.OnReady, r.OnLost = nil, nil }()
	failures := 0
	for end := gen.Now() + int64(connectLimit); ready < len(list); r.Step(1) {
		for pending < most && (next < len(list) || len(again) > 0) {
			var c *gen.Conn
			if next < len(list) {
				c, next = list[next], next+1
			} else {
				c, again = again[len(again)-1], again[:len(again)-1]
				failures++
			}
			pending++
			if err := r.Dial(c); err != nil {
				return fmt.Errorf("dial: %w", err)
			}
		}
		if gen.Now() > end || failures > len(list)+failuresExtra {
			return fmt.Errorf("%s: only %d of %d connected; %d attempts failed", r.peer.Name, ready, len(list), r.Failed+r.Lost)
		}
	}
	return nil
}

// populate connects subscribers and a publisher, and sees that each of the rooms reaches its subscribers.
func (r *rig) populate(n, rooms int) error {
	r.subs = r.add(gen.Subscriber, n, func(i int) int { return i % rooms })
	if err := r.connect(r.subs, atOnce); err != nil {
		return err
	}
	r.pubs = r.add(gen.Publisher, 1, func(int) int { return 0 })
	if err := r.connect(r.pubs, 1); err != nil {
		return err
	}
	return r.probe(rooms)
}

// publish sends a payload of size bytes to the room, by the publisher.
func (r *rig) publish(by *gen.Conn, room, size int, at int64) {
	r.number++
	r.payload = gen.AppendPayload(r.payload[:0], at, r.number, size)
	r.message = r.peer.Protocol.AppendPublish(r.message[:0], by, room, r.payload)
	r.frame = gen.AppendText(r.frame[:0], r.message)
	r.Write(by, r.frame)
}

// probe publishes to the rooms until every subscriber has got a message.
func (r *rig) probe(rooms int) error {
	r.Forget()
	begin := gen.Now()
	for next := begin; r.Probes < len(r.subs); r.Step(1) {
		now := gen.Now()
		if now > begin+int64(probeLimit) {
			return fmt.Errorf("%s: a message reached only %d of %d subscribers", r.peer.Name, r.Probes, len(r.subs))
		}
		if now < next {
			continue
		}
		next = now + int64(probeEach)
		for room := range rooms {
			r.publish(r.pubs[room%len(r.pubs)], room, 64, 0)
			for range 20 {
				r.Step(0)
			}
		}
	}
	r.settle(settleShort)
	return nil
}

// settle goes on until nothing has arrived for so long.
func (r *rig) settle(quiet time.Duration) {
	begin := gen.Now()
	seen, since := r.Delivered, begin
	for now := begin; now-since < int64(quiet) && now-begin < int64(settleMost); now = gen.Now() {
		r.Step(5)
		if r.Delivered != seen {
			seen, since = r.Delivered, now
		}
	}
}
