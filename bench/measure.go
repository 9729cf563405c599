//go:build linux

package main

import (
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/host"
	"mediawiki-websocket/bench/report"
)

// values is what a measurement has found, by name.
type values map[string]float64

// reading is what a rig's counters say at a moment.
type reading struct {
	at, idle  int64
	cpu       host.CPU
	core      float64
	stolen    float64
	delivered uint64
	reordered uint64
	bytes     uint64
}

func (r *rig) read() reading {
	return reading{gen.Now(), r.Idle, r.peer.Process.CPU(), host.CoreBusy(0), host.Stolen(), r.Delivered, r.Reordered, r.Bytes}
}

// since returns what has happened since a reading. cpu_us is the server's processor time for each delivery in microseconds, others the share of the
// server's core that other programs had, generator the share of time in which the generator was busy: near 1 it was the limit, not the server.
func (r *rig) since(a reading) values {
	z := r.read()
	seconds := float64(z.at-a.at) / 1e9
	n, cpu := float64(z.delivered-a.delivered), z.cpu.Total-a.cpu.Total
	return values{
		"seconds":    seconds,
		"delivered":  n,
		"rate":       n / seconds,
		"cpu_s":      cpu,
		"cpu_us":     cpu / max(n, 1) * 1e6,
		"user":       (z.cpu.User - a.cpu.User) / max(z.cpu.User+z.cpu.Sys-a.cpu.User-a.cpu.Sys, 0.01),
		"others":     (z.core - a.core - cpu) / seconds,
		"generator":  1 - float64(z.idle-a.idle)/float64(z.at-a.at),
		"stolen_s":   z.stolen - a.stolen,
		"reordered":  float64(z.reordered - a.reordered),
		"wire_bytes": float64(z.bytes-a.bytes) / max(n, 1),
	}
}

// latency adds the quantiles of what was timed.
func (v values) latency(h *gen.Hist) values {
	v["p50_ms"], v["p99_ms"], v["p999_ms"], v["max_ms"] = h.Quantile(.5), h.Quantile(.99), h.Quantile(.999), float64(h.Longest)/1e6
	return v
}

// near takes a measurement while the cores share a cache. It waits for that, and measures again when it was not so at the end as well, or other
// programs had a part of the server's core; after a while it takes what it gets, and says so in the row.
func (b *bench) near(row report.Row, measure func() values) values {
	end := gen.Now() + int64(b.patience)
	for {
		b.awaitNear(end)
		before := host.RoundTrip()
		row.Values = measure()
		trip := max(before, host.RoundTrip())
		row.Values["round_trip_ns"] = trip
		row.Disturbed = trip > host.Near || row.Values["others"] > report.MostOthers
		if !row.Disturbed || gen.Now() > end {
			b.emit(row)
			return row.Values
		}
	}
}

func (b *bench) awaitNear(end int64) {
	for gen.Now() < end && host.RoundTrip() > host.Near {
		b.rest(100 * time.Millisecond)
	}
}

// rest lets time pass in which servers are answered but nothing is published.
func (b *bench) rest(d time.Duration) {
	for end := gen.Now() + int64(d); gen.Now() < end; {
		for r := range b.rigs {
			r.Step(1)
		}
	}
}
