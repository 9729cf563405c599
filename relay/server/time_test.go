package server_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// inBubble runs f with a relay without sockets, under a clock that moves only when everybody waits.
func inBubble(t *testing.T, f func(t *testing.T, r *relaytest.Relay)) {
	synctest.Test(t, func(t *testing.T) { f(t, relaytest.StartPiped(t, farm)) })
}

// endsAfter reads until the connection ends, and fails the test unless that is so long after start.
func endsAfter(t *testing.T, c *relaytest.Client, start time.Time, want time.Duration, why wire.Close) {
	t.Helper()
	for {
		_, _, err := c.Read(context.Background())
		if err == nil {
			continue
		}
		if websocket.CloseStatus(err) != websocket.StatusCode(why.Code) {
			t.Errorf("ended with %v, want %v", err, why)
		}
		if got := time.Since(start); got < want || got > want+2*time.Second {
			t.Errorf("ended after %s, want %s", got, want)
		}
		return
	}
}

func TestConnectionThatNeverConnects(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		start := time.Now()
		c := r.Dial(t, "/", wire.Subprotocol)
		endsAfter(t, c, start, 10*time.Second, wire.CloseNoConnect)
	})
}

func TestSilentPeerIsPingedAndThenEnded(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		start := time.Now()
		c := r.V1(t, "", "WS1")
		// Whoever reads answers pings: this peer is silent for an hour, and stays.
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, _, err := c.Read(ctx); time.Since(start) < time.Hour {
			t.Errorf("ended after %s: %v", time.Since(start), err)
		}
		r.Mute = true
		deaf := r.V1(t, "", "WS2")
		start = time.Now()
		endsAfter(t, deaf, start, 60*time.Second, wire.ClosePingTimeout)
	})
}

func TestTokenRunsOut(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		start := time.Now()
		token := func(life time.Duration) string {
			return relaytest.Token("a:", "connect", "Ann", map[string]any{"exp": time.Now().Add(life).Unix()})
		}
		c := r.V1(t, token(5*time.Minute), "WS1")
		c.Expect(`{"op":"expire","seconds":60}`)
		if early := 4*time.Minute - time.Since(start); early < 0 || early > 3*time.Second {
			t.Errorf("told %s early", early)
		}
		c.Ask(`{"id":2,"op":"refresh","token":"` + token(10*time.Minute) + `"}`)
		c.Expect(`{"op":"expire","seconds":60}`)
		endsAfter(t, c, time.Now(), 2*time.Minute, wire.CloseUnauthorized)
	})
}

func TestScriptsTokenRunsOut(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		start := time.Now()
		c := r.Dial(t, "/", "", "Authorization: Bearer "+connectToken("a:", "Ann"))
		endsAfter(t, c, start, 2*time.Minute, wire.CloseUnauthorized)
	})
}

func TestHalfAHandshakeIsNotWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		start := time.Now()
		c, err := r.Pipe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"))
		var b [1024]byte
		for err == nil {
			_, err = c.Read(b[:])
		}
		if got := time.Since(start); got < 5*time.Second || got > 7*time.Second {
			t.Errorf("ended after %s, want 5 s", got)
		}
	})
}
