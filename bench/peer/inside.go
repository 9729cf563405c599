//go:build linux

package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

const patience = 60 * time.Second // for a collection among 10,000 connections

// profiling returns the flag that opens /debug/pprof/ on the control socket, if this relay has it.
func profiling(relay string) []string {
	help, _ := exec.Command(relay, "--help").Output()
	if strings.Contains(string(help), "--pprof") {
		return []string{"--pprof"}
	}
	return nil
}

// Collect makes a server that is written in Go give what it does not use back to the system, and reports whether it could.
func (p *Peer) Collect() bool {
	if p.wikis == nil {
		_, err := p.ask(http.MethodPost, "/collect")
		return err == nil
	}
	if _, err := p.ask(http.MethodGet, "/debug/pprof/heap?gc=1"); err != nil {
		return false
	}
	_, err := p.ask(http.MethodPost, "/debug/free")
	return err == nil
}

// Heap returns how many bytes are in use on the heap of a relay whose profiles can be read, and otherwise 0. It makes the relay collect.
func (p *Peer) Heap() (n int64) {
	if p.wikis == nil {
		return 0
	}
	text, _ := p.ask(http.MethodGet, "/debug/pprof/heap?gc=1&debug=1")
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, "# HeapAlloc = %d", &n)
	}
	return n
}

// Counts is what the relay counts.
type Counts struct {
	Connections int
	Delivered   uint64
}

// Counts asks the relay.
func (p *Peer) Counts() (c Counts, err error) {
	text, err := p.ask(http.MethodGet, "/api/stats")
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}

// ask makes a request of the operator's: to a relay on its control socket, to naive on its port.
func (p *Peer) ask(method, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true}
	if p.wikis != nil {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", p.control())
		}
	}
	scheme := "http"
	if p.TLS && p.wikis == nil {
		scheme, transport.TLSClientConfig = "https", insecure()
	}
	r, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, p.Port, path), nil)
	if err != nil {
		return nil, err
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	return text, err
}
