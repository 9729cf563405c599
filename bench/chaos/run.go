//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

const (
	typesEach  = 5
	settleTime = 90 * time.Second // for everybody to catch up when the faults are over
	every      = 20               // each type of so many keeps few messages, so that who is away for long must be told
)

// plan is what is to be done.
type plan struct {
	Program                  string
	Length                   time.Duration
	Messages, Clients, Types int
	Seed                     uint64
	Progress                 func(string) // may be nil
}

// run does it.
func run(ctx context.Context, p plan) (*report, error) {
	if p.Progress == nil {
		p.Progress = func(string) {}
	}
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	relay, err := startRelay(p.Program, dir, p.Types)
	if err != nil {
		return nil, err
	}
	defer relay.end()
	proxy, err := startProxy(relay.address, rand.New(rand.NewPCG(p.Seed, 1)))
	if err != nil {
		return nil, err
	}
	defer proxy.close()
	r := &report{plan: p}
	clients := make([]*visitor, p.Clients)
	for i := range clients {
		clients[i] = newVisitor(i, p.Types, "ws://"+proxy.address()+"/", relay.connectToken(fmt.Sprint("User", i)))
		defer clients[i].stop()
	}
	if err := await(ctx, settleTime, "all clients to be connected", func() bool { return all(clients, (*visitor).isConnected) }); err != nil {
		return nil, err
	}
	p.Progress(fmt.Sprintf("%d clients are connected; seed %d", p.Clients, p.Seed))
	var work sync.WaitGroup
	publisher := newPublisher(relay, p.Types)
	calm, over := context.WithTimeout(ctx, p.Length)
	defer over()
	work.Go(func() { publisher.run(ctx, calm, p) })
	work.Go(func() { speak(calm, clients) })
	work.Go(func() { proxy.trouble(calm) })
	work.Go(func() { relay.trouble(calm, rand.New(rand.NewPCG(p.Seed, 2))) })
	work.Go(func() { tellProgress(calm, p, publisher, clients, relay, proxy) })
	work.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.Progress("no more faults; everybody catches up")
	publisher.last(ctx)
	began := time.Now()
	err = await(ctx, settleTime, "", func() bool { return all(clients, func(c *visitor) bool { return c.has(publisher) }) })
	r.caughtUp = time.Since(began)
	r.count(clients, publisher, relay, proxy, err != nil)
	return r, ctx.Err()
}

func all(clients []*visitor, f func(*visitor) bool) bool {
	for _, c := range clients {
		if !f(c) {
			return false
		}
	}
	return true
}

func await(ctx context.Context, patience time.Duration, what string, f func() bool) error {
	for end := time.Now().Add(patience); !f(); time.Sleep(50 * time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("gave up waiting for %s after %s", what, patience)
		}
	}
	return nil
}

// speak lets some clients send messages to each other, as visitors do.
func speak(ctx context.Context, clients []*visitor) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			clients[i%speakers%len(clients)].say()
		}
	}
}

func tellProgress(ctx context.Context, p plan, pub *publisher, clients []*visitor, relay *relay, proxy *proxy) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			connected := 0
			for _, c := range clients {
				if c.isConnected() {
					connected++
				}
			}
			p.Progress(fmt.Sprintf("%6d of %d published, %d of %d clients connected, %d links cut, %d frozen, relay killed %d, stopped %d, handed over %d times",
				pub.count.Load(), p.Messages, connected, len(clients), proxy.cuts.Load(), proxy.freezes.Load(), relay.kills.Load(), relay.stops.Load(), relay.handOvers.Load()))
		}
	}
}
