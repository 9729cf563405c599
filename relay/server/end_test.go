package server_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

func TestDrainSpreadsTheClients(t *testing.T) {
	const clients = 50
	r := relaytest.Start(t, func(c *config.Config) {
		farm(c)
		c.Drain = 20 * time.Second
	})
	var pages []*relaytest.Client
	for range clients {
		pages = append(pages, r.V1(t, ""))
	}
	script := r.Dial(t, "/", "")
	var told sync.WaitGroup
	after := make([]int, clients)
	for i, c := range pages {
		told.Go(func() {
			var m struct {
				Op    string
				After int
			}
			if err := json.Unmarshal([]byte(c.Next()), &m); err != nil || m.Op != "reconnect" {
				t.Errorf("%v %+v", err, m)
			}
			after[i] = m.After
			c.ExpectClose(wire.CloseGoingAway)
		})
	}
	told.Go(func() { script.ExpectClose(wire.CloseGoingAway) })
	r.Close()
	told.Wait()
	low, high := 1<<30, 0
	for _, ms := range after {
		low, high = min(low, ms), max(high, ms)
	}
	if low < 0 || high > 20000 || high-low < 16000 {
		t.Errorf("told to come back after %d to %d ms, want it spread over 20 s", low, high)
	}
	if _, err := net.Dial("tcp", r.Addresses()[0].String()); err == nil {
		t.Error("still listening")
	}
	if _, err := os.Stat(r.Control); err == nil {
		t.Error("the control socket is still there")
	}
}

func TestControlFolderMustBelongToTheRelay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	os.Mkdir(dir, 0o700)
	os.Chmod(dir, 0o777)
	err := relaytest.Fails(t, func(c *config.Config) { c.Control = filepath.Join(dir, "control.sock") })
	if err.Code != config.ExitUsage || !strings.Contains(err.Text, "chmod 700") {
		t.Errorf("%d %s", err.Code, err.Text)
	}
}

func TestStaleControlSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	at := func(c *config.Config) { c.Control = path }
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if e := relaytest.Fails(t, at); e.Code != config.ExitTaken || !strings.Contains(e.Text, "not a relay") {
		t.Errorf("foreign socket: %d %s", e.Code, e.Text)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	r := relaytest.Start(t, at)
	if e := relaytest.Fails(t, at); e.Code != config.ExitTaken || !strings.Contains(e.Text, "a relay (pid ") {
		t.Errorf("second relay: %d %s", e.Code, e.Text)
	}
	r.Stats(t) // the first is not disturbed
	r.Close()
	os.WriteFile(path, nil, 0o600)
	if e := relaytest.Fails(t, at); e.Code != config.ExitTaken || !strings.Contains(e.Text, "not a socket") {
		t.Errorf("file: %d %s", e.Code, e.Text)
	}
}

func TestPortIsTaken(t *testing.T) {
	r := relaytest.Start(t, nil)
	e := relaytest.Fails(t, func(c *config.Config) { c.Listen = r.Addresses()[0].String() })
	if e.Code != config.ExitTaken || !strings.Contains(e.Text, "another relay") || !strings.Contains(e.Text, r.Addresses()[0].String()) {
		t.Errorf("%d %s", e.Code, e.Text)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("220 mail\r\n"))
			c.Close()
		}
	}()
	if e := relaytest.Fails(t, func(c *config.Config) { c.Listen = l.Addr().String() }); e.Code != config.ExitTaken || !strings.Contains(e.Text, "not a relay") || !strings.Contains(e.Text, "--listen") {
		t.Errorf("%d %s", e.Code, e.Text)
	}
}
