package main

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
)

// A relay that may open 256 files keeps 64 of them for itself: 192 connections, and 48 that have not said who they are.
const (
	files     = 256
	capacity  = 192
	strangers = 48
)

// withFewFiles starts such a relay, which the test's end ends and which must have lived until then, and returns its address.
func withFewFiles(t *testing.T) string {
	t.Helper()
	dir, address := t.TempDir(), freePort(t)
	limited := fmt.Sprintf(`ulimit -n %d && exec "$@"`, files)
	cmd := exec.Command("sh", "-c", limited, "sh", program, "--open", "--listen", address, "--control", filepath.Join(dir, "control.sock"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	await(t, "start", func() bool { c, err := net.Dial("tcp", address); return err == nil && c.Close() == nil })
	return address
}

const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

// open sends text and returns the connection with what is answered first. Without a text nothing is waited for.
func open(t *testing.T, address, text string) (net.Conn, string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(relaytest.Patience))
	io.WriteString(c, text)
	b := make([]byte, 1024)
	n := 0
	if strings.HasSuffix(text, "\r\n\r\n") {
		n, _ = c.Read(b)
	}
	return c, string(b[:n])
}

// script opens a classic connection, which has said who it is with its handshake: nobody.
func script(t *testing.T, address string) (net.Conn, string) {
	t.Helper()
	return open(t, address, upgrade+"\r\n")
}

// page opens a connection of mode v1, and does not connect.
func page(t *testing.T, address string) (net.Conn, string) {
	t.Helper()
	return open(t, address, upgrade+"Sec-WebSocket-Protocol: mediawiki.websocket.v1\r\n\r\n")
}

const switching = "HTTP/1.1 101 "

func TestManyConnectionsUseUpTheOpenFiles(t *testing.T) {
	address := withFewFiles(t)
	var conns []net.Conn
	opened, refused := 0, 0
	for range 1000 {
		c, answer := script(t, address)
		conns = append(conns, c)
		switch {
		case strings.HasPrefix(answer, switching):
			opened++
		case strings.HasPrefix(answer, "HTTP/1.1 503 ") && strings.Contains(answer, "Retry-After: ") && strings.Contains(answer, "Connection: close"):
			refused++
			c.Close()
		default:
			t.Fatalf("%q", answer)
		}
	}
	if opened != capacity || refused != 1000-capacity {
		t.Errorf("%d opened, want %d; %d told to come back", opened, capacity, refused)
	}
	for _, c := range conns {
		c.Close()
	}
	await(t, "recovery", func() bool {
		c, answer := script(t, address)
		defer c.Close()
		return strings.HasPrefix(answer, switching)
	})
}

// All at once, at every stage of a connection's beginning, from peers that come back when they are cut off.
func TestCrowdAtTheDoorEndsTheRelay(t *testing.T) {
	address := withFewFiles(t)
	inside := settled(t, address)
	stages := []string{"", "GET / HT", upgrade, upgrade + "\r\n", upgrade + "Sec-WebSocket-Protocol: mediawiki.websocket.v1\r\n\r\n"}
	var crowd sync.WaitGroup
	for n := range 8 {
		crowd.Go(func() {
			for i := range 125 {
				c, err := net.Dial("tcp", address)
				if err != nil {
					continue // the kernel's queue is full
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(relaytest.Patience))
				io.WriteString(c, stages[(n+i)%len(stages)])
			}
		})
	}
	crowd.Wait()
	await(t, "recovery", func() bool {
		c, answer := script(t, address)
		defer c.Close()
		return strings.HasPrefix(answer, switching)
	})
	alive(t, inside)
}

// settled opens a connection and waits until the relay has it among those that have said who they are: the answer to the handshake leaves just before.
func settled(t *testing.T, address string) net.Conn {
	t.Helper()
	c, answer := script(t, address)
	if !strings.HasPrefix(answer, switching) {
		t.Fatalf("%q", answer)
	}
	alive(t, c)
	return c
}

// alive fails the test unless a connection answers a ping.
func alive(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(relaytest.Patience))
	c.Write([]byte{0x89, 0x80, 0, 0, 0, 0})
	var pong [2]byte
	if _, err := io.ReadFull(c, pong[:]); err != nil || pong != [2]byte{0x8a, 0} {
		t.Errorf("a connection that was there before: % x %v", pong, err)
	}
}

func TestSocketsThatSayNothingKeepOthersOut(t *testing.T) {
	const silent, each = 2000, files / 4
	for stage, text := range map[string]string{
		"no byte":              "",
		"half a request":       "GET / HTTP/1.1\r\nHost: x\r\n",
		"a handshake alone":    upgrade + "Sec-WebSocket-Protocol: mediawiki.websocket.v1\r\n\r\n",
		"the beginning of TLS": "\x16\x03\x01",
	} {
		t.Run(stage, func(t *testing.T) {
			address := withFewFiles(t)
			inside := settled(t, address)
			for range silent / each {
				for range each {
					open(t, address, text)
				}
				connected(t, address).Close()
			}
			alive(t, inside)
		})
	}
}

// connected opens a connection of mode v1, which must find room.
func connected(t *testing.T, address string) net.Conn {
	t.Helper()
	c, answer := page(t, address)
	if !strings.HasPrefix(answer, switching) {
		t.Fatalf("a good peer was kept out: %q", answer)
	}
	const connect = `{"id":1,"op":"connect"}`
	io.WriteString(c, "\x81"+string([]byte{0x80 | byte(len(connect))})+"\x00\x00\x00\x00"+connect)
	reply := make([]byte, 1024)
	if n, err := c.Read(reply); err != nil || !strings.Contains(string(reply[:n]), `"ok"`) {
		t.Fatalf("connect: %q %v", reply[:n], err)
	}
	return c
}

// Of those that do not say who they are the oldest goes, and is told why; who has said it stays.
func TestStrangersAtTheLimitAndOnePast(t *testing.T) {
	address := withFewFiles(t)
	inside, _ := script(t, address)
	user := connected(t, address)
	var pages []net.Conn
	for range strangers {
		c, answer := page(t, address)
		if !strings.HasPrefix(answer, switching) {
			t.Fatal(answer)
		}
		pages = append(pages, c)
	}
	for _, c := range pages {
		alive(t, c)
	}
	page(t, address) // one more
	if text, _ := io.ReadAll(pages[0]); !strings.HasPrefix(string(text), "\x88\x14\x0f\xa1no connect in time") {
		t.Errorf("the oldest was sent %q", text)
	}
	for _, c := range append(pages[1:], inside, user) {
		alive(t, c)
	}
}
