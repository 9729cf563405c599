//go:build linux

package main

import (
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/peer"
	"mediawiki-websocket/bench/report"
)

const (
	stayers    = 200
	stayerRate = 20000 // deliveries a second
	slice      = 4     // of a crowd's work, between two looks at those who stay
)

// comings is 20,000 deliveries a second to 200 subscribers that stay, while 5,000 others are cut off and come back, and while as many close at once:
// the same generator does both, a little of the one and then of the other.
func comings(b *bench) error {
	n := b.scale(crowd)
	return b.together(b.chosen(peer.Naive, peer.Relay), n+stayers, func(rigs []*rig) error {
		for _, r := range rigs {
			if err := b.comings(r, n); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) comings(r *rig, n int) error {
	if err := r.populate(stayers, 1); err != nil {
		return err
	}
	e, err := gen.NewEngine(r.peer.Port, r.peer.Protocol)
	if err != nil {
		return err
	}
	others := &rig{Engine: e, peer: r.peer, ids: 1 << 20}
	b.rigs[others] = true
	defer func() {
		delete(b.rigs, others)
		e.Close()
	}()
	others.subs = others.add(gen.Subscriber, n, func(i int) int { return 1 + i%crowdRooms })
	if err := others.connect(others.subs, atOnce); err != nil {
		return err
	}
	row := report.Row{Scenario: "comings", Peer: r.peer.Name, N: n, Size: 128}
	for _, row.Variant = range []string{"quiet", "storm", "closing"} {
		fault := error(nil)
		b.near(row, func() values {
			var v values
			v, fault = b.whileOthers(r, others, row.Variant)
			return v
		})
		if fault != nil {
			return fault
		}
	}
	return nil
}

// whileOthers offers messages while the others do what the variant says. Those count that were sent from the moment when it began until it was over.
func (b *bench) whileOthers(r, others *rig, variant string) (v values, err error) {
	if others.ReadyNow < len(others.subs) { // after one that is measured again
		if err := others.connect(gone(others.subs), atOnce); err != nil {
			return values{}, err
		}
	}
	back := newComeback(others)
	defer func() { others.OnLost, others.OnReady = nil, nil }()
	begin := gen.Now() + int64(b.warm)
	end, next, over := begin+int64(b.length), 0, int64(0)
	l := load{room: first, each: stayers, size: 128}
	l.until = func() bool { return err != nil || gen.Now() > end && (over != 0 || gen.Now() > begin+int64(stormMost)) }
	l.also = func() {
		now := gen.Now()
		if now < begin || over != 0 {
			return
		}
		for range slice { // 0 when all are cut off
			if variant != "quiet" && next < len(others.subs) {
				others.Hangup(others.subs[next])
				if variant == "storm" {
					back.later(others.subs[next])
				}
				next++
			}
		}
		if variant == "storm" {
			err = back.turn(slice)
		}
		others.StepSome(slice)
		if variant == "quiet" || variant == "closing" && next == len(others.subs) || len(back.back) == len(others.subs) {
			over = now
			end = max(end, now+int64(200*time.Millisecond))
		}
	}
	v = b.offer(r, l, stayerRate)
	v["took_s"], v["back"], v["failed"] = float64(over-begin)/1e9, float64(len(back.back)), float64(back.failed)
	return v, err
}

func gone(list []*gen.Conn) (closed []*gen.Conn) {
	for _, c := range list {
		if c.State() == gen.Closed {
			closed = append(closed, c)
		}
	}
	return closed
}
