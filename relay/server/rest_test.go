package server_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
)

// A crowd of readers that only listen costs no goroutines, and each of them still speaks and hears.
func TestIdleConnectionsHoldNoGoroutines(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere every connection keeps one")
	}
	r := relaytest.Start(t, generous)
	before := runtime.NumGoroutine()
	peers := make([]*peer, 200)
	for i := range peers {
		peers[i] = newPeer(t, r)
	}
	settle := func() {
		t.Helper()
		for end := time.Now().Add(relaytest.Patience); runtime.NumGoroutine() > before+20; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d goroutines for %d connections that say nothing", runtime.NumGoroutine()-before, len(peers))
			}
		}
	}
	settle()
	for round := range 6 { // so often that a connection that always has more to say keeps its goroutine meanwhile
		for i, p := range peers {
			p.patience()
			p.send(mask(textFrame, fmt.Sprintf(`{"id":%d,"op":"ping"}`, 10+round)))
			if got := p.text(); got != fmt.Sprintf(`{"id":%d,"ok":{}}`, 10+round) {
				t.Fatalf("peer %d: %s", i, got)
			}
		}
	}
	r.Publish(t, "a:", `[{"type":"T","msg":1}]`)
	for _, p := range peers {
		p.expectMessage(`{"type":"T","msg":1,"offset":1,"wiki":true`)
	}
	settle()
	for i, p := range peers {
		if i%2 == 0 {
			p.Close()
		} else {
			p.send(closing(1000, ""))
		}
	}
	r.Await(t, "end of all", func(s relaytest.Stats) bool { return s.Connections == 0 && s.Types == 0 })
}

// Whoever is closed in the middle of a message leaves nothing behind for those who are read next.
func TestHalfAMessageEndsUpInAnothersConnection(t *testing.T) {
	r := relaytest.Start(t, generous)
	sent, _ := message("smuggled")
	whole := mask(textFrame, sent)
	for round := range 50 {
		rude := newPeer(t, r)
		cut := 1 + round%(len(sent)-1)
		begun, rest := whole[:cut], whole[cut:]
		if round%2 == 0 {
			begun, rest = mask(1, sent[:cut]), mask(fin, sent[cut:])
		}
		rude.send(mask(binaryFrame, "x"), begun) // it is closed for the binary frame
		if op, _, err := readFrame(rude.in); op != 8 || err != nil {
			t.Fatalf("opcode %d %v", op, err)
		}
		rude.send(rest)
		for range 2 {
			p := newPeer(t, r) // fails when it is misread
			own, got := message("mine")
			p.send(mask(textFrame, strings.Replace(own, `{`, `{"op":"send",`, 1)))
			p.expectMessage(got)
			p.Close()
		}
		rude.Close()
	}
	if n := r.Stats(t).Published; n != 100 {
		t.Errorf("%d messages were published, want 100", n)
	}
}

// A crowd that never completes what it has begun must not keep others from being read.
func TestHalfMessagesKeepOthersFromBeingRead(t *testing.T) {
	r := relaytest.Start(t, generous)
	for i := range 300 {
		p := newPeer(t, r)
		defer p.Close()
		sent, _ := message("never")
		whole := mask(textFrame, sent)
		p.send(whole[:1+i%(len(whole)-1)])
	}
	p := newPeer(t, r)
	own, got := message("mine")
	p.send(mask(textFrame, strings.Replace(own, `{`, `{"op":"send",`, 1)))
	p.expectMessage(got)
}
