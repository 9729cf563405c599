//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	publishers = 4
	batch      = 20
)

// publisher publishes numbers, one after the other of each type, each until the relay has acknowledged it.
type publisher struct {
	relay *relay
	next  []int // by type
	http  *http.Client

	count, retries atomic.Int64

	mu     sync.Mutex
	faults []string
}

func newPublisher(r *relay, types int) *publisher {
	return &publisher{relay: r, next: make([]int, types), http: &http.Client{Timeout: 5 * time.Second}}
}

type published struct {
	Type string `json:"type"`
	Msg  int    `json:"msg"`
	Key  string `json:"key"`
}

// run publishes until the faults are over and there have been enough messages, each type by one goroutine.
func (p *publisher) run(ctx, faults context.Context, plan plan) {
	var all sync.WaitGroup
	began := time.Now()
	for own := range publishers {
		all.Go(func() {
			for typ := own; ctx.Err() == nil; typ = (typ + publishers) % len(p.next) {
				done := p.count.Load()
				if faults.Err() != nil && done >= int64(plan.Messages) {
					return
				}
				// Spread over the time of the faults.
				if ahead := time.Duration(float64(done)/float64(plan.Messages)*float64(plan.Length)) - time.Since(began); ahead > 0 && faults.Err() == nil {
					time.Sleep(min(ahead, 100*time.Millisecond))
				}
				p.publish(ctx, typ-typ%publishers+own, batch)
			}
		})
	}
	all.Wait()
}

// last publishes one more message of each type: whoever has that has had its chance to get all.
func (p *publisher) last(ctx context.Context) {
	for typ := range p.next {
		p.publish(ctx, typ, 1)
	}
}

func (p *publisher) publish(ctx context.Context, typ, n int) {
	if typ >= len(p.next) {
		return
	}
	messages := make([]published, n)
	for i := range messages {
		at := p.next[typ] + i
		messages[i] = published{newsType(typ), at, fmt.Sprintf("news-%d-%d", typ, at)}
	}
	body, err := json.Marshal(map[string]any{"messages": messages})
	if err != nil {
		panic(err) // they can be marshalled
	}
	for ctx.Err() == nil && !p.post(ctx, string(body)) {
		p.retries.Add(1)
		time.Sleep(20 * time.Millisecond)
	}
	p.next[typ] += n
	p.count.Add(int64(n))
}

// post reports whether the relay has acknowledged.
func (p *publisher) post(ctx context.Context, body string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.relay.address+"/api/publish", strings.NewReader(body))
	if err != nil {
		panic(err) // the address is one
	}
	r.Header.Set("Authorization", "Bearer "+p.relay.token("publish", "", time.Minute))
	r.Header.Set("Content-Type", "application/json")
	answer, err := p.http.Do(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusServiceUnavailable {
		p.mu.Lock()
		p.faults = append(p.faults, fmt.Sprintf("publish: %d %s", answer.StatusCode, text))
		p.mu.Unlock()
	}
	return answer.StatusCode == http.StatusOK
}
