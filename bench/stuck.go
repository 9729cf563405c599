//go:build linux

package main

import (
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/peer"
	"mediawiki-websocket/bench/report"
)

const (
	readers     = 20
	stuckSize   = 1024
	stuckRate   = 2500 * readers // deliveries a second
	stuckMost   = 11 * time.Second
	sampleEvery = 250 * time.Millisecond
)

// stuck is one of 20 subscribers that stops reading, while 2500 messages of 1 KiB come a second: far more than the kernel buffers. What becomes of
// the others, of the server's memory, and of the one? The quiet row is the same without it.
func stuck(b *bench) error {
	return b.together(b.chosen(peer.Naive, peer.Relay), readers, func(rigs []*rig) error {
		for _, r := range rigs {
			if err := r.populate(readers, 1); err != nil {
				return err
			}
			l := load{room: first, each: readers, size: stuckSize}
			row := report.Row{Scenario: "stuck", Peer: r.peer.Name, Variant: "quiet", N: readers, Size: stuckSize}
			b.near(row, func() values { return b.offer(r, l, stuckRate) })
			row.Variant = "stuck"
			row.Values = b.stuck(r, l)
			row.Disturbed = row.Values["others"] > report.MostOthers
			b.emit(row)
		}
		return nil
	})
}

func (b *bench) stuck(r *rig, l load) values {
	one := r.subs[0]
	one.Mute = true
	got := make([]uint32, readers)
	for i, c := range r.subs {
		got[i] = c.Got
	}
	files, memory, number := r.peer.Process.Files(), r.peer.Process.PSS(), r.number
	begin := gen.Now()
	most, dropped := int64(0), 0.0
	stop := begin + int64(stuckMost)
	sample := begin
	l.also = func() {
		now := gen.Now()
		if now < sample {
			return
		}
		sample = now + int64(sampleEvery)
		most = max(most, r.peer.Process.PSS()-memory)
		if dropped == 0 && r.peer.Process.Files() < files {
			dropped, stop = float64(now-begin)/1e9, now+int64(time.Second)
		}
	}
	l.until = func() bool { return gen.Now() > stop }
	v := b.offer(r, l, stuckRate)
	complete, least := 0, 1.0
	sent := float64(r.number - number)
	for i, c := range r.subs[1:] {
		share := float64(c.Got-got[i+1]) / sent
		least = min(least, share)
		if share == 1 {
			complete++
		}
	}
	v["complete"], v["least_share"], v["memory_MB"], v["dropped_s"] = float64(complete), least, float64(most)/1e6, dropped
	one.Mute = false
	return v
}
