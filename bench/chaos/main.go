//go:build linux

// Command chaos looks for messages that get lost, come twice or come out of order. It runs a relay with a journal, publishers and clients, the clients
// through a proxy that cuts and freezes their links, and meanwhile kills the relay, stops it for a moment and lets it hand over to another. At the end every
// client must have every message of its types once and in order, or have been told that it missed some. It prints what it counted; exit code 1: something
// remained unexplained.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var p plan
	flag.StringVar(&p.Program, "relay", "bin/websocket-relay", "`FILE` of the relay's program")
	flag.DurationVar(&p.Length, "length", 60*time.Second, "`TIME` for which there are faults")
	flag.IntVar(&p.Messages, "messages", 100_000, "`NUMBER` of messages that are published, at least, as fast as the machine allows if there is not enough time")
	flag.IntVar(&p.Clients, "clients", 200, "`NUMBER` of clients")
	flag.IntVar(&p.Types, "types", 100, "`NUMBER` of types; each client subscribes to five")
	flag.Uint64Var(&p.Seed, "seed", uint64(time.Now().UnixNano()), "`NUMBER` that the faults follow from")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p.Progress = func(line string) { fmt.Fprintln(os.Stderr, line) }
	report, err := run(ctx, p)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	fmt.Print(report)
	if !report.good() {
		os.Exit(1)
	}
}
