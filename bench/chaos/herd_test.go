//go:build linux

package main

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// build returns the relay's program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "websocket-relay")
	if out, err := exec.Command("go", "build", "-o", program, "../../relay").CombinedOutput(); err != nil {
		t.Fatalf("build the relay: %v\n%s", err, out)
	}
	return program
}

// TestHerdOfAKilledRelayStaysAway: a thousand clients whose relay is killed are all back within 35 seconds, which is what the longest of their waits allows.
func TestHerdOfAKilledRelayStaysAway(t *testing.T) {
	const herd, within = 1000, 35 * time.Second
	r, err := startRelay(build(t), t.TempDir(), typesEach)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.end() })
	visitors := make([]*visitor, herd)
	for i := range visitors {
		visitors[i] = newVisitor(i, typesEach, "ws://"+r.address+"/", r.connectToken("User"+strconv.Itoa(i)))
		t.Cleanup(visitors[i].stop)
	}
	if err := await(t.Context(), settleTime, "everybody to be connected", func() bool { return all(visitors, (*visitor).isConnected) }); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(r.pid(), syscall.SIGKILL)
	killed := time.Now()
	if err := await(t.Context(), within, "everybody to notice", func() bool { return all(visitors, func(v *visitor) bool { return !v.isConnected() }) }); err != nil {
		t.Fatal(err)
	}
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	if err := await(t.Context(), within-time.Since(killed), "everybody to come back", func() bool { return all(visitors, (*visitor).isConnected) }); err != nil {
		t.Fatal(err)
	}
	t.Logf("all were back after %s", time.Since(killed).Round(time.Millisecond))
}
