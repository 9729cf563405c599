//go:build linux

package main

import (
	"math/rand/v2"
	"strconv"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/peer"
	"mediawiki-websocket/bench/report"
)

const (
	growthSubs   = 1000 // of the type that is measured
	typesMost    = 100000
	typesHolders = 1000 // connections that subscribe to the other types
	manyWikis    = 50
	wikiSubs     = 20 // of each of the types, as many as there are wikis
)

// growth is what a delivery costs when there is more of everything: subscribers, other types, wikis.
func growth(b *bench) error {
	for _, step := range []func(*bench) error{moreSubscribers, moreTypes, moreWikis} {
		if err := step(b); err != nil {
			return err
		}
	}
	return nil
}

func moreSubscribers(b *bench) error {
	numbers := []int{100, 1000, 5000, idleConnections}
	if b.quick {
		numbers = numbers[:2]
	}
	for _, n := range numbers {
		err := b.together(b.chosen(peer.Climit, peer.Relay), n, func(rigs []*rig) error {
			if err := populateAll(rigs, n, 1); err != nil {
				return err
			}
			for _, r := range rigs {
				row := report.Row{Scenario: "growth", Peer: r.peer.Name, Variant: "subscribers", N: n, Size: 128, Window: 1}
				b.near(row, func() values { return b.saturate(r, load{room: first, each: n, size: 128}, 1) })
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func moreTypes(b *bench) error {
	return b.with(b.chosen(peer.Relay), peer.Options{}, func(rigs []*rig) error {
		for _, r := range rigs {
			if err := r.populate(growthSubs, 1); err != nil {
				return err
			}
			holders := r.add(gen.Subscriber, typesHolders, func(int) int { return 1 })
			if err := r.connect(holders, atOnce); err != nil {
				return err
			}
			each := typesMost / typesHolders
			for _, more := range []struct{ types, n, from int }{{1, 0, 0}, {typesHolders, 1, 0}, {typesMost, each - 1, 1}} {
				err := r.subscribe(holders, more.n, func(i int) int { return furtherRoom + i*each + more.from })
				if err != nil {
					return err
				}
				row := report.Row{Scenario: "growth", Peer: r.peer.Name, N: growthSubs, Size: 128, Window: 1}
				row.Variant = "types " + strconv.Itoa(more.types)
				b.near(row, func() values { return b.saturate(r, load{room: first, each: growthSubs, size: 128}, 1) })
			}
		}
		return nil
	})
}

func moreWikis(b *bench) error {
	for _, wikis := range []int{1, manyWikis} {
		err := b.with(b.chosen(peer.Relay), peer.Options{Wikis: wikis}, func(rigs []*rig) error {
			for _, r := range rigs {
				r.pubs = r.add(gen.Publisher, manyWikis, func(i int) int { return i })
				r.subs = r.add(gen.Subscriber, manyWikis*wikiSubs, func(i int) int { return i % manyWikis })
				if err := r.connect(append(r.pubs[:manyWikis:manyWikis], r.subs...), atOnce); err != nil {
					return err
				}
				if err := r.probe(manyWikis); err != nil {
					return err
				}
				random := rand.New(rand.NewPCG(1, uint64(b.run)))
				l := load{room: func() int { return random.IntN(manyWikis) }, each: wikiSubs, size: 128}
				l.by = func(room int) *gen.Conn { return r.pubs[room] }
				row := report.Row{Scenario: "growth", Peer: r.peer.Name, N: manyWikis * wikiSubs, Size: 128, Window: 64}
				row.Variant = "wikis " + strconv.Itoa(wikis)
				b.near(row, func() values { return b.saturate(r, l, 64) })
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
