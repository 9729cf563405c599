package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
)

// The test stands in for systemd.
func TestSystemd(t *testing.T) {
	dir, address := t.TempDir(), freePort(t)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	cmd := exec.Command("/bin/sh", "-c", `WATCHDOG_PID=$$ exec "$@"`, "sh", program, "--listen", address) // as systemd does
	cmd.Env = []string{"NOTIFY_SOCKET=" + dir + "/notify", "WATCHDOG_USEC=2000000", "RUNTIME_DIRECTORY=" + dir + "/run", "STATE_DIRECTORY=" + dir}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	socket.SetReadDeadline(time.Now().Add(relaytest.Patience))
	next := func() string {
		b := make([]byte, 100)
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	if got := next(); got != "READY=1" {
		t.Error(got)
	}
	if _, err := os.Stat(filepath.Join(dir, "run", "control.sock")); err != nil {
		t.Error(err)
	}
	if got := next(); got != "WATCHDOG=1" {
		t.Error(got)
	}
	cmd.Process.Signal(syscall.SIGUSR2)
	heir := 0
	for heir == 0 {
		fmt.Sscanf(next(), "MAINPID=%d", &heir)
	}
	defer syscall.Kill(heir, syscall.SIGKILL)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	for got := next(); got != "WATCHDOG=1"; got = next() { // the heir's: the other is gone
		if got != "READY=1" {
			t.Error(got)
		}
	}
	syscall.Kill(heir, syscall.SIGTERM)
	for got := next(); got != "STOPPING=1"; got = next() {
		if got != "WATCHDOG=1" {
			t.Error(got)
		}
	}
}
