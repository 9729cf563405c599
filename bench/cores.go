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
	coreRooms   = 8
	coreSubs    = 400 // of each room
	coreAhead   = 1   // message of each publisher that is not answered yet, so that none are joined
	coreMeasure = 2 * time.Second
)

// cores is how much more the relay delivers on two cores than on one. The generator has the second core, too, so it does next to nothing: eight
// publishers, each in a room of its own, go by the relay's answers, and what subscribers get is thrown away in the kernel. The relay counts its
// deliveries itself; wire_bytes, the bytes that have arrived for each of them, is the size of a frame if that is true.
func cores(b *bench) error {
	for _, list := range []string{"0", "0,1"} {
		err := b.with(b.chosen(peer.Relay), peer.Options{Cores: list}, func(rigs []*rig) error {
			for _, r := range rigs {
				if err := b.cores(r, list); err != nil {
					return err
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

func (b *bench) cores(r *rig, list string) error {
	drainers := r.add(gen.Drainer, coreRooms*coreSubs, func(i int) int { return i % coreRooms })
	r.pubs = r.add(gen.Publisher, coreRooms, func(i int) int { return i })
	if err := r.connect(append(drainers, r.pubs...), atOnce); err != nil {
		return err
	}
	row := report.Row{Scenario: "cores", Peer: r.peer.Name, Variant: list, N: coreRooms * coreSubs, Size: 128}
	var err error
	b.near(row, func() values {
		var v values
		v, err = b.push(r, drainers, list)
		return v
	})
	return err
}

// push keeps messages in flight and returns what the relay made of them.
func (b *bench) push(r *rig, drainers []*gen.Conn, list string) (values, error) {
	begin := gen.Now()
	measured := begin + int64(b.warm)
	var from reading
	var own float64
	var counted peer.Counts
	var err error
	for now, drain := begin, begin; now < measured+int64(coreMeasure); now = gen.Now() {
		if from.at == 0 && now > measured {
			if counted, err = r.peer.Counts(); err != nil {
				return values{}, err
			}
			r.sweep(drainers)
			from, own = r.read(), host.ThreadSeconds()
		}
		if now > drain {
			drain = now + int64(5*drainEvery)
			r.sweep(drainers)
		}
		for _, c := range r.pubs {
			for c.Asked-c.Told < coreAhead {
				r.publish(c, c.Room, 128, now)
			}
		}
		if r.Step(1) < len(r.pubs)/2 {
			time.Sleep(100 * time.Microsecond) // what comes meanwhile is taken together
		}
	}
	after, err := r.peer.Counts()
	if err != nil {
		return values{}, err
	}
	own = host.ThreadSeconds() - own
	v := r.since(from)
	if list != "0" {
		delete(v, "others") // the generator is on these cores
	}
	n := float64(after.Delivered - counted.Delivered)
	v["rate"], v["cpu_us"], v["generator_us"] = n/v["seconds"], v["cpu_s"]/n*1e6, own/n*1e6
	v["generator"] = own / v["seconds"]
	if err := r.answered(r.pubs); err != nil {
		return values{}, err
	}
	r.sweep(drainers)
	v["wire_bytes"] = float64(r.Bytes-from.bytes) / n
	if r.ReadyNow != len(drainers) {
		return v, fmt.Errorf("the relay has cut off %d subscribers", len(drainers)-r.ReadyNow)
	}
	return v, nil
}

func (r *rig) sweep(drainers []*gen.Conn) {
	for _, c := range drainers {
		if c.State() == gen.Ready {
			r.Drain(c)
		}
	}
}
