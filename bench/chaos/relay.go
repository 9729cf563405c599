//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/auth"
)

const wiki = "chaos:"

// relay is the relay under test: one process after the other, on one port, with one journal.
type relay struct {
	program, dir, address string
	key                   []byte

	kills, stops, handOvers atomic.Int64
}

func startRelay(program, dir string, types int) (*relay, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{program: program, dir: dir, address: l.Addr().String(), key: make([]byte, auth.KeyBytes)}
	l.Close()
	rand.Read(r.key)
	policies := []map[string]any{}
	for n := range types {
		keep := map[string]int{"count": 5000, "seconds": 600}
		if n%every == 0 {
			keep = map[string]int{"count": 20, "seconds": 600}
		}
		policies = append(policies, map[string]any{"pattern": newsType(n), "send": "wiki", "history": keep})
	}
	policies = append(policies, map[string]any{"pattern": wiki + "Chat/*", "send": "user", "history": map[string]int{"count": 5000, "seconds": 600}})
	text, err := json.Marshal(map[string]any{
		"drainSeconds": 1, "pingSeconds": 2, "pingTimeoutSeconds": 4, "messagesPerSecond": 1000, "messagesBurst": 1000,
		"wikiMessagesPerSecond": 100_000, "wikiMessagesBurst": 100_000, "wikiPublishesPerSecond": 1_000_000, "wikiPublishesBurst": 1_000_000,
		"wikis": map[string]any{wiki: map[string]any{"key": base64.StdEncoding.EncodeToString(r.key), "origins": []string{"https://chaos.example"}, "types": policies}},
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600)
	}
	if err == nil {
		err = r.start()
	}
	return r, err
}

func newsType(n int) string { return wiki + "News/" + strconv.Itoa(n) }

// start starts a process; it returns when that listens.
func (r *relay) start() error {
	cmd := exec.Command(r.program, "--daemon", "--listen", r.address, "--control", filepath.Join(r.dir, "control.sock"), "--log", r.log(), "--config", filepath.Join(r.dir, "config.json"))
	var says bytes.Buffer
	cmd.Stderr = &says
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("start the relay: %w: %s", err, says.Bytes())
	}
	return nil
}

func (r *relay) log() string { return filepath.Join(r.dir, "log") }

// pid returns that of the process, 0 when it is not known.
func (r *relay) pid() int {
	text, _ := os.ReadFile(filepath.Join(r.dir, "relay.lock"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// trouble kills the relay, stops it for a while, or lets it hand over, until ctx is done. Then it runs.
func (r *relay) trouble(ctx context.Context, random *mathrand.Rand) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(2000+random.IntN(4000)) * time.Millisecond):
		}
		pid := r.pid()
		if pid == 0 {
			continue
		}
		switch random.IntN(4) {
		case 0:
			r.stops.Add(1)
			syscall.Kill(pid, syscall.SIGSTOP)
			time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
			syscall.Kill(pid, syscall.SIGCONT)
		case 1:
			r.handOvers.Add(1)
			syscall.Kill(pid, syscall.SIGUSR2)
			for end := time.Now().Add(10 * time.Second); (r.pid() == pid || r.pid() == 0) && time.Now().Before(end); {
				time.Sleep(20 * time.Millisecond)
			}
		default:
			r.kills.Add(1)
			syscall.Kill(pid, syscall.SIGKILL)
			for end := time.Now().Add(10 * time.Second); r.start() != nil && time.Now().Before(end); {
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
}

func (r *relay) end() {
	pid := r.pid()
	if pid == 0 {
		return
	}
	syscall.Kill(pid, syscall.SIGTERM)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
	}
}

// faults returns what the relay's log has of faults.
func (r *relay) faults() (lines []string) {
	text, _ := os.ReadFile(r.log())
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "level=ERROR") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func (r *relay) token(audience, user string, life time.Duration) string {
	now := time.Now()
	claims := jwt.MapClaims{"iss": wiki, "aud": audience, "sub": user, "iat": now.Unix(), "exp": now.Add(life).Unix()}
	if audience == "connect" {
		claims["allow"] = map[string][]string{"subscribe": {"*"}, "send": {"*"}, "presence": {}}
		claims["rate"] = auth.Rate{Count: 100_000, Seconds: 1}
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	t.Header["kid"] = wiki
	text, err := t.SignedString(r.key)
	if err != nil {
		panic(err) // the key is one
	}
	return text
}

func (r *relay) connectToken(user string) string { return r.token("connect", user, time.Hour) }
