package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	cmd := exec.Command(program, "--listen", address)
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
	cmd.Process.Signal(syscall.SIGTERM)
	for got := next(); got != "STOPPING=1"; got = next() {
		if got != "WATCHDOG=1" {
			t.Error(got)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestFewOpenFiles(t *testing.T) {
	dir, address := t.TempDir(), freePort(t)
	cmd := exec.Command("sh", "-c", `ulimit -n 128 && exec "$@"`, "sh", program, "--open", "--listen", address, "--control", filepath.Join(dir, "control.sock"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	await(t, "start", func() bool { c, err := net.Dial("tcp", address); return err == nil && c.Close() == nil })
	open := func() (net.Conn, string) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(relaytest.Patience))
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		b := make([]byte, 1024)
		n, _ := c.Read(b)
		return c, string(b[:n])
	}
	var conns []net.Conn
	opened, refused := 0, 0
	for range 300 {
		c, answer := open()
		conns = append(conns, c)
		switch {
		case strings.HasPrefix(answer, "HTTP/1.1 101 "):
			opened++
		case strings.HasPrefix(answer, "HTTP/1.1 503 ") && strings.Contains(answer, "Retry-After: "):
			refused++
		case answer != "":
			t.Errorf("%s", answer)
		}
	}
	if opened < 64 || opened > 64+16 || refused == 0 { // those in the middle of their handshake do not count yet
		t.Errorf("%d opened, want about 64; %d told to come back", opened, refused)
	}
	for _, c := range conns {
		c.Close()
	}
	await(t, "recovery", func() bool {
		c, answer := open()
		defer c.Close()
		return strings.HasPrefix(answer, "HTTP/1.1 101 ")
	})
}
