//go:build linux

package main

import (
	"fmt"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/peer"
	"mediawiki-websocket/bench/report"
)

const publishers = 16 // at once

// ingress is publishers that live for one message, each on a connection of its own: as PHP does it, with a request of HTTP, and over WebSocket.
func ingress(b *bench) error {
	return b.together(b.chosen(peer.Naive, peer.Relay), publishers, func(rigs []*rig) error {
		for _, r := range rigs {
			if err := r.populate(1, 1); err != nil {
				return err
			}
		}
		kinds := map[string]gen.Kind{"http": gen.ShortHTTP, "ws": gen.ShortWS}
		for _, variant := range []string{"http", "ws"} {
			for _, r := range rigs {
				row := report.Row{Scenario: "ingress", Peer: r.peer.Name, Variant: variant, N: publishers, Size: 128}
				var err error
				b.near(row, func() values {
					var v values
					v, err = b.ingress(r, kinds[variant])
					return v
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (b *bench) ingress(r *rig, kind gen.Kind) (values, error) {
	waiting := r.add(kind, publishers, func(int) int { return 0 })
	r.OnShort = func(c *gen.Conn) { waiting = append(waiting, c) }
	defer func() { r.OnShort = nil }()
	r.From = gen.Never
	delivered, done := r.Delivered, r.Done
	begin := gen.Now()
	measured := begin + int64(b.warm)
	var from reading
	var fromDone, fromRefused uint64
	for now := begin; now < measured+int64(b.length); now = gen.Now() {
		if from.at == 0 && now > measured {
			from, fromDone, fromRefused = r.read(), r.Done, r.Refused
		}
		for _, c := range waiting {
			r.number++
			c.Short = r.number
			if err := r.Dial(c); err != nil {
				return values{}, err
			}
		}
		waiting = waiting[:0]
		r.Step(0)
	}
	v := r.since(from)
	n := float64(r.Done - fromDone)
	v["publishes"], v["publish_us"], v["refused"] = n/v["seconds"], v["cpu_s"]/max(n, 1)*1e6, float64(r.Refused-fromRefused)
	r.settle(settleShort)
	v["lost"] = float64(r.Done-done) - float64(r.Delivered-delivered)
	if n == 0 {
		return v, fmt.Errorf("%s took no message", r.peer.Name)
	}
	return v, nil
}
