//go:build linux

// Command bench measures what the relay costs and what it can do, beside the plainest program in C that the kernel allows and a naive server in Go:
// see package peer. The server has core 0, the generator core 1, and everything goes over loopback. testbed/bench.sh builds and runs it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	s, err := parse(os.Args[1:])
	if err == nil {
		err = measure(s)
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
