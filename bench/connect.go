//go:build linux

package main

import (
	"math/rand/v2"
	"slices"
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/peer"
	"mediawiki-websocket/bench/report"
)

const (
	crowd      = 5000 // clients that come, or are cut off, at once
	crowdRooms = 1000 // rooms that they are spread over
)

// connects is how many clients a second can connect and subscribe, each with a token of its own where there are tokens.
func connects(b *bench) error {
	n := b.scale(crowd)
	return b.together(b.chosen(peer.Naive, peer.Relay), n, func(rigs []*rig) error {
		for _, r := range rigs {
			row := report.Row{Scenario: "connect", Peer: r.peer.Name, N: n}
			var err error
			b.near(row, func() values {
				list := r.add(gen.Subscriber, n, func(i int) int { return i % crowdRooms })
				from := r.read()
				err = r.connect(list, atOnce)
				v := r.since(from)
				v["connects"], v["connect_us"] = float64(n)/v["seconds"], v["cpu_s"]/float64(n)*1e6
				for _, c := range list {
					r.Hangup(c)
				}
				b.rest(500 * time.Millisecond)
				return v
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

const (
	backAfter = 50 * time.Millisecond  // a client that was cut off comes back after this
	backLater = 100 * time.Millisecond // and at most so much more
	giveUp    = 5 * time.Second        // an attempt
	stormMost = 25 * time.Second
)

// comeback is a crowd that was cut off and comes back.
type comeback struct {
	*rig
	queue  []*gen.Conn // who is to come back, in no order
	back   []int64     // when clients were subscribed again
	failed int
	random *rand.Rand
	look   int64 // when attempts that take too long are looked for
}

func newComeback(r *rig) *comeback {
	c := &comeback{rig: r, random: rand.New(rand.NewPCG(1, 2))}
	r.OnLost = func(lost *gen.Conn) {
		c.failed++
		c.later(lost)
	}
	r.OnReady = func(*gen.Conn) { c.back = append(c.back, gen.Now()) }
	return c
}

func (c *comeback) later(lost *gen.Conn) {
	lost.Retry = gen.Now() + int64(backAfter) + c.random.Int64N(int64(backLater))
	c.queue = append(c.queue, lost)
}

// turn lets at most so many of those whose time has come try again.
func (c *comeback) turn(most int) error {
	now := gen.Now()
	waiting := c.queue[:0]
	var fault error
	for _, lost := range c.queue {
		if lost.Retry > now || most == 0 || fault != nil {
			waiting = append(waiting, lost)
			continue
		}
		most--
		fault = c.Dial(lost)
	}
	c.queue = waiting
	if now < c.look {
		return fault
	}
	c.look = now + int64(100*time.Millisecond)
	for _, s := range c.subs {
		if s.State() != gen.Closed && s.State() != gen.Ready && now-s.Began > int64(giveUp) {
			c.Hangup(s)
			c.failed++
			c.later(s)
		}
	}
	return fault
}

// storm kills the server, starts it again, and waits until everybody has come back.
func storm(b *bench) error {
	n := b.scale(crowd)
	return b.together(b.chosen(peer.Naive, peer.Relay), n, func(rigs []*rig) error {
		for _, r := range rigs {
			r.subs = r.add(gen.Subscriber, n, func(i int) int { return i % crowdRooms })
			if err := r.connect(r.subs, atOnce); err != nil {
				return err
			}
		}
		for _, r := range rigs {
			b.rest(300 * time.Millisecond)
			row := report.Row{Scenario: "storm", Peer: r.peer.Name, N: n}
			var err error
			b.near(row, func() values {
				var v values
				v, err = r.storm()
				return v
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *rig) storm() (values, error) {
	c := newComeback(r)
	defer func() { r.OnLost, r.OnReady = nil, nil }()
	if err := r.peer.Restart(); err != nil {
		return values{}, err
	}
	begin := gen.Now()
	for len(c.back) < len(r.subs) && gen.Now()-begin < int64(stormMost) {
		if err := c.turn(len(r.subs)); err != nil {
			return values{}, err
		}
		r.Step(1)
	}
	v := values{"back": float64(len(c.back)), "failed": float64(c.failed - len(r.subs)), "cpu_s": r.peer.Process.CPU().Total}
	if len(c.back) > 0 {
		slices.Sort(c.back)
		v["half_s"], v["all_s"] = float64(c.back[len(c.back)/2]-begin)/1e9, float64(c.back[len(c.back)-1]-begin)/1e9
	}
	return v, nil
}
