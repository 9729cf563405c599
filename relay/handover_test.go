package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

const handedOver = "a:News"

// successive is a relay that hands over, in a folder of its own, and what is published to it.
type successive struct {
	*testing.T
	dir, address, program string
	pid                   int
	refused               atomic.Int32 // attempts to connect that the kernel refused
}

// newSuccessive starts it. more is members of its configuration file, with a comma behind each.
func newSuccessive(t *testing.T, more ...string) *successive {
	s := &successive{T: t, dir: t.TempDir(), address: freePort(t)}
	s.program = filepath.Join(s.dir, "relay")
	s.install(program)
	cfg := filepath.Join(s.dir, "config.json")
	wiki := relaytest.Registration("a:", "https://a.example", false, map[string]any{
		"types": []map[string]any{{"pattern": handedOver, "send": "anyone", "history": map[string]int{"count": 10000, "seconds": 3600}},
			{"pattern": "a:@changes", "history": map[string]int{"count": 10000, "seconds": 3600}}}})
	if err := os.WriteFile(cfg, []byte(`{"drainSeconds":1,`+strings.Join(more, "")+`"wikis":{"a:":`+string(wiki)+`}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	shared := program
	program = s.program
	defer func() { program = shared }()
	s.pid = daemon(t, s.dir, s.address, "--config", cfg)
	return s
}

// install puts a program where the relay's is, without disturbing one that runs.
func (s *successive) install(from string) {
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(s.program+".new", text, 0o700)
	}
	if err == nil {
		err = os.Rename(s.program+".new", s.program)
	}
	if err != nil {
		s.Fatal(err)
	}
}

func (s *successive) signal() { syscall.Kill(s.pid, syscall.SIGUSR2) }

// eventually waits for a condition.
func (s *successive) eventually(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(2 * relaytest.Patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.Fatalf("%s did not come about; the relay says\n%s", what, log)
		}
	}
}

// holder returns the pid in the lock's file, 0 while it is being written.
func (s *successive) holder() int {
	text, _ := os.ReadFile(filepath.Join(s.dir, "relay.lock"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// successor waits for another relay than those, and returns its pid. The test's end ends it.
func (s *successive) successor(than ...int) int {
	s.Helper()
	s.eventually("another relay", func() bool { pid := s.holder(); return pid != 0 && !slices.Contains(than, pid) })
	pid := s.holder()
	s.Cleanup(func() { syscall.Kill(pid, syscall.SIGTERM) })
	return pid
}

func (s *successive) log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text)
}

func (s *successive) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		s.refused.Add(1)
	}
	return c, err
}

// publish publishes a number, as often as it takes.
func (s *successive) publish(ctx context.Context, n int) {
	client := &http.Client{Transport: &http.Transport{DialContext: s.dial, DisableKeepAlives: true}}
	body := fmt.Sprintf(`{"messages":[{"type":%q,"msg":%d,"key":"k%d"}]}`, handedOver, n, n)
	for ctx.Err() == nil {
		r, _ := http.NewRequestWithContext(ctx, "POST", "http://"+s.address+"/api/publish", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+relaytest.Token("a:", "publish", "", nil))
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err == nil {
			text, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
			if answer.StatusCode != http.StatusServiceUnavailable {
				s.Errorf("publish: %d %s", answer.StatusCode, text)
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// number is what a message counts: itself, or its id.
type number int

func (n *number) UnmarshalJSON(text []byte) error {
	var change struct{ ID int }
	if text[0] != '{' {
		return json.Unmarshal(text, (*int)(n))
	}
	err := json.Unmarshal(text, &change)
	*n = number(change.ID)
	return err
}

// listen subscribes to a type, comes back whenever the relay goes away, and returns what it has got when that has the last message, or when it has missed
// something.
func (s *successive) listen(ctx context.Context, typ string, last int, ready func()) (got []int) {
	type position struct {
		Epoch  string `json:"epoch"`
		Offset uint64 `json:"offset"`
	}
	var at *position
	for ctx.Err() == nil {
		c, _, err := websocket.Dial(ctx, "ws://"+s.address+"/", &websocket.DialOptions{Subprotocols: []string{wire.Subprotocol},
			HTTPClient: &http.Client{Transport: &http.Transport{DialContext: s.dial}}})
		if err != nil {
			s.Errorf("dial: %v", err)
			return got
		}
		since, _ := json.Marshal(at)
		c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"id":1,"op":"connect","token":%q}`, relaytest.Token("a:", "connect", "Ann", nil)))
		c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"id":2,"op":"subscribe","type":%q,"since":%s}`, typ, since))
		for {
			_, frame, err := c.Read(ctx)
			if err != nil {
				break
			}
			var f struct {
				ID     int
				OK     *position `json:"ok"`
				Msg    *number
				Offset uint64
				Error  any
			}
			json.Unmarshal(frame, &f)
			switch {
			case f.Error != nil || f.ID == 2 && bytes.Contains(frame, []byte(`"recovered":false`)):
				s.Errorf("%s", frame)
				return got
			case f.ID == 2 && at == nil:
				at = f.OK
				ready()
			case f.ID == 2:
				at.Epoch = f.OK.Epoch
			case f.Msg != nil:
				got, at.Offset = append(got, int(*f.Msg)), f.Offset
				if int(*f.Msg) == last {
					c.CloseNow()
					return got
				}
			}
		}
		c.CloseNow()
	}
	return got
}

// TestHandOverLosesNothing: nobody is refused, and those who are connected come back and have everything.
func TestHandOverLosesNothing(t *testing.T) {
	const listeners, before, all = 20, 100, 300
	s := newSuccessive(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*relaytest.Patience)
	defer cancel()
	var ready, done sync.WaitGroup
	got := make([][]int, listeners)
	ready.Add(listeners)
	for i := range got {
		done.Go(func() { got[i] = s.listen(ctx, handedOver, all-1, ready.Done) })
	}
	ready.Wait()
	done.Go(func() {
		for n := range all {
			if n == before {
				s.signal()
			}
			s.publish(ctx, n)
		}
	})
	done.Wait()
	for i, list := range got {
		for n, m := range list {
			if n != m {
				t.Fatalf("listener %d got %v", i, list)
			}
		}
		if len(list) != all {
			t.Errorf("listener %d got %d messages", i, len(list))
		}
	}
	if n := s.refused.Load(); n != 0 {
		t.Errorf("%d connections were refused", n)
	}
	first := s.pid
	s.pid = s.successor(first)
	s.eventually("the end of the first relay", func() bool { return strings.Contains(s.log(), "relay ended") })
	// And once more, to a third.
	s.signal()
	s.successor(first, s.pid)
	s.publish(ctx, all)
}

// TestNewProgramThatFailsTakesNothing: a relay whose successor does not start goes on.
func TestNewProgramThatFailsTakesNothing(t *testing.T) {
	for name, script := range map[string]string{
		"ends":  "#!/bin/sh\nexit 3\n",
		"older": "#!/bin/sh\necho '2 flag provided but not defined: -history' >&3\nexit 2\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuccessive(t)
			broken := filepath.Join(s.dir, "broken")
			if err := os.WriteFile(broken, []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			s.install(broken)
			s.publish(t.Context(), 1)
			s.signal()
			s.eventually("a line in the log", func() bool { return strings.Contains(s.log(), "this relay goes on") })
			s.publish(t.Context(), 2)
			if got := s.holder(); got != s.pid {
				t.Errorf("pid %d, want %d", got, s.pid)
			}
			// With a program that works it succeeds then.
			s.install(program)
			s.signal()
			s.successor(s.pid)
			s.publish(t.Context(), 3)
			if s.refused.Load() != 0 {
				t.Errorf("%d connections were refused", s.refused.Load())
			}
		})
	}
}
