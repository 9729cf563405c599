//go:build linux

package main

import (
	"testing"
	"time"
)

// TestMessagesThatNobodyMisses is the short version of what the command does: long enough for some of everything.
func TestMessagesThatNobodyMisses(t *testing.T) {
	r, err := run(t.Context(), plan{Program: build(t), Length: 15 * time.Second, Messages: 10_000, Clients: 60, Types: 40, Seed: uint64(time.Now().UnixNano()),
		Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + r.String())
	if !r.good() {
		t.Error("something remains unexplained")
	}
	if r.published < 10_000 || r.delivered < 5*10_000 || r.cuts == 0 || r.freezes == 0 || r.kills+r.stops+r.handOvers == 0 {
		t.Error("too little has happened for that to mean anything")
	}
}
