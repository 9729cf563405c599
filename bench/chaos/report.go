//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// report is what came of it.
type report struct {
	plan     plan
	caughtUp time.Duration // since the faults were over, until everybody had everything

	published, said, unsent, retries  int64
	delivered, told                   int64
	lost, duplicates                  int64
	cuts, freezes                     int64
	kills, stops, handOvers, reunions int64
	behind                            int // clients that did not catch up
	faults                            []string
}

func (r *report) good() bool {
	return r.lost == 0 && r.duplicates == 0 && r.behind == 0 && len(r.faults) == 0
}

func (r *report) count(clients []*visitor, p *publisher, relay *relay, proxy *proxy, late bool) {
	r.published, r.retries = p.count.Load(), p.retries.Load()
	r.cuts, r.freezes = proxy.cuts.Load(), proxy.freezes.Load()
	r.kills, r.stops, r.handOvers = relay.kills.Load(), relay.stops.Load(), relay.handOvers.Load()
	r.faults = slices.Clone(p.faults)
	unsent := make(map[string]int)
	for _, c := range clients {
		c.mu.Lock()
		unsent[c.id] = c.unsent
		r.unsent += int64(c.unsent)
		c.mu.Unlock()
	}
	for _, c := range clients {
		if late && !c.has(p) {
			r.behind++
		}
		c.mu.Lock()
		r.said += int64(c.sent)
		r.delivered += c.delivered
		r.told += c.told
		r.lost += c.lost
		r.duplicates += c.duplicate
		r.reunions += c.reunions
		for _, s := range c.news {
			if s.gap {
				r.told++
			}
		}
		for who, s := range c.chats {
			if s.lacks > unsent[who] {
				r.lost += int64(s.lacks - unsent[who])
				c.fault("%s lacks %d messages of %s, who was told of %d", c.id, s.lacks, who, unsent[who])
			}
		}
		r.faults = append(r.faults, c.faults...)
		c.mu.Unlock()
	}
	r.faults = append(r.faults, relay.faults()...)
}

// String returns the report as a table.
func (r *report) String() string {
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "%-52s %10v\n", name, value) }
	line("seed", r.plan.Seed)
	line("messages that wikis published", r.published)
	line("  of these sent again, until the relay acknowledged", r.retries)
	line("messages that clients sent", r.said)
	line("  of these reported to the sender as not sent", r.unsent)
	line("messages that clients got", r.delivered)
	line("links cut", r.cuts)
	line("links frozen for up to 12 s", r.freezes)
	line("relay killed (-9)", r.kills)
	line("relay stopped for up to 3 s", r.stops)
	line("relay handed over to another", r.handOvers)
	line("clients came back", r.reunions-int64(r.plan.Clients))
	line("everybody had caught up after", r.caughtUp.Round(time.Millisecond))
	line("gaps of which the client was told", r.told)
	line("messages lost without a word", r.lost)
	line("messages that came twice or out of order", r.duplicates)
	line("clients that did not catch up", r.behind)
	for i, f := range r.faults {
		if i == 30 {
			fmt.Fprintf(&b, "… and %d more\n", len(r.faults)-i)
			break
		}
		fmt.Fprintln(&b, f)
	}
	return b.String()
}
