//go:build linux

package main

import (
	"fmt"
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/peer"
	"mediawiki-websocket/bench/report"
)

const (
	secureSubs    = 1000
	secureMeasure = time.Second
	secureLimit   = 200 * time.Second
	secureIdle    = 5 * time.Second
)

// secured is what TLS costs: processor time of a delivery and of connecting, and memory of an idle connection.
func secured(b *bench) error {
	for _, name := range b.chosen(peer.NaiveTLS, peer.RelayTLS) {
		for _, do := range []func(*bench, *peer.Peer, *gen.Crowd) error{(*bench).secureFanout, (*bench).secureMemory} {
			p, err := b.start(name, peer.Options{})
			if err != nil {
				return err
			}
			w := gen.NewCrowd(p.Port, p.Protocol)
			err = do(b, p, w)
			p.Stop()
			w.Close()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func crowdOf(p *peer.Peer, kind gen.Kind, n, rooms int) []*gen.Conn {
	list := make([]*gen.Conn, n)
	for i := range list {
		list[i] = &gen.Conn{Kind: kind, ID: i, Room: i % rooms}
		p.Admit(list[i])
	}
	return list
}

func (b *bench) secureFanout(p *peer.Peer, w *gen.Crowd) error {
	publisher := crowdOf(p, gen.Publisher, 1, 1)
	publisher[0].ID = secureSubs
	if err := w.Connect(append(publisher, crowdOf(p, gen.Subscriber, secureSubs, 1)...), atOnce, secureLimit); err != nil {
		return err
	}
	for _, window := range b.windows {
		sent, begun := uint64(0), w.Delivered.Load()
		cpu, begin, from := 0.0, time.Now(), begun
		var measured time.Time
		for measured.IsZero() || time.Since(measured) < secureMeasure {
			if measured.IsZero() && time.Since(begin) > b.warm {
				measured, from, cpu = time.Now(), w.Delivered.Load(), p.Process.CPU().Total
			}
			for int64(sent*secureSubs)-int64(w.Delivered.Load()-begun) < int64(window*secureSubs) {
				sent++
				payload := gen.AppendPayload(nil, gen.Now(), uint32(sent), 128)
				w.Write(publisher[0], gen.AppendText(nil, p.Protocol.AppendPublish(nil, publisher[0], 0, payload)))
			}
			time.Sleep(gap)
		}
		n := float64(w.Delivered.Load() - from)
		cpu = p.Process.CPU().Total - cpu
		b.emit(report.Row{Scenario: "tls", Peer: p.Name, Variant: "fanout", N: secureSubs, Size: 128, Window: window,
			Values: values{"rate": n / time.Since(measured).Seconds(), "cpu_us": cpu / max(n, 1) * 1e6}})
		for end := time.Now().Add(stall); w.Delivered.Load()-begun < sent*secureSubs; time.Sleep(gap) {
			if time.Now().After(end) {
				return fmt.Errorf("%d of %d messages arrived", w.Delivered.Load()-begun, sent*secureSubs)
			}
		}
	}
	return nil
}

func (b *bench) secureMemory(p *peer.Peer, w *gen.Crowd) error {
	n := b.scale(idleConnections)
	if err := w.Connect(crowdOf(p, gen.Subscriber, 1, 1), 1, secureLimit); err != nil {
		return err
	}
	time.Sleep(time.Second)
	empty, _ := collected(p)
	cpu, begin := p.Process.CPU().Total, time.Now()
	if err := w.Connect(crowdOf(p, gen.Subscriber, n, crowdRooms), atOnce, secureLimit); err != nil {
		return err
	}
	v := values{"connects": float64(n) / time.Since(begin).Seconds(), "connect_us": (p.Process.CPU().Total - cpu) / float64(n) * 1e6}
	time.Sleep(secureIdle)
	footprintOf(p).per(v, n, "later", empty)
	if f, ok := collected(p); ok {
		f.per(v, n, "collected", empty)
	}
	v["closed"] = float64(int64(n) + 1 - w.ReadyNow.Load())
	b.emit(report.Row{Scenario: "tls", Peer: p.Name, Variant: "memory", N: n, Values: v})
	return nil
}
