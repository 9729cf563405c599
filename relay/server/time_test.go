package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// inBubble runs f with a relay without sockets, under a clock that moves only when everybody waits.
func inBubble(t *testing.T, f func(t *testing.T, r *relaytest.Relay)) { inBubbleWith(t, farm, f) }

func inBubbleWith(t *testing.T, change func(*config.Config), f func(t *testing.T, r *relaytest.Relay)) {
	synctest.Test(t, func(t *testing.T) { f(t, relaytest.StartPiped(t, change)) })
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

// warned waits to be told that the token runs out, and returns in how many seconds.
func warned(t *testing.T, c *relaytest.Client) (seconds int) {
	t.Helper()
	frame := c.Next()
	if _, err := fmt.Sscanf(frame, `{"op":"expire","seconds":%d}`, &seconds); err != nil {
		t.Fatal(frame)
	}
	return seconds
}

func TestTokenRunsOut(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		start := time.Now()
		life := func(d time.Duration) string {
			return relaytest.Token("a:", "connect", "Ann", map[string]any{"exp": time.Now().Add(d).Unix()})
		}
		c := r.V1(t, life(5*time.Minute), "WS1")
		left := warned(t, c)
		if left < 60 || left > 60+30+2 { // up to a tenth of its life earlier; the sweeper looks once a second
			t.Errorf("told %d s before the end", left)
		}
		if real := time.Until(start.Add(5 * time.Minute)); real > time.Duration(left)*time.Second || real < time.Duration(left-2)*time.Second {
			t.Errorf("told that %d s are left, and it is %s", left, real)
		}
		c.Ask(`{"id":2,"op":"refresh","token":"` + life(10*time.Minute) + `"}`)
		left = warned(t, c)
		if left < 60 || left > 60+60+2 {
			t.Errorf("told of the next token %d s before the end", left)
		}
		endsAfter(t, c, time.Now(), time.Duration(left+60)*time.Second, wire.CloseUnauthorized)
	})
}

func TestReaderGoesOnAfterTheSubscriptionTokenRanOut(t *testing.T) {
	inBubbleWith(t, declared, func(t *testing.T, r *relaytest.Relay) {
		token := func(life time.Duration) string {
			return relaytest.Token("a:", "subscribe", "Ann", map[string]any{"type": "a:Page/1", "exp": time.Now().Add(life).Unix()})
		}
		c := r.V1(t, relaytest.Token("a:", "connect", "Ann", map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}), "WS1")
		for _, life := range []time.Duration{10 * time.Minute, 20 * time.Minute} {
			if got := c.Ask(subscribeWith("a:Page/1", token(life))); code(got) != "ok" {
				t.Fatal(got)
			}
			start := time.Now()
			c.Expect(`{"op":"expire","type":"a:Page/1"}`)
			if early := life - time.Since(start); early < 58*time.Second || early > time.Minute+life/10+2*time.Second {
				t.Errorf("told %s before the end", early)
			}
			r.Publish(t, "a:", `[{"type":"a:Page/1","msg":"still"}]`)
			expect(t, c, `{"type":"a:Page/1","msg":"still","wiki":true}`)
		}
		c.Expect(`{"op":"revoked","type":"a:Page/1"}`)
		r.Publish(t, "a:", `[{"type":"a:Page/1","msg":"no more"}]`)
		c.ExpectNothing()
	})
}

// Pages have one token from a cache: they must not all ask the wiki for the next at the same time.
func TestTabsWithOneTokenAskTheWikiAllAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		const tabs = 200
		end := time.Now().Add(20 * time.Minute)
		token := relaytest.Token("a:", "connect", "", map[string]any{"iat": time.Now().Add(20*time.Minute - 24*time.Hour).Unix(), "exp": end.Unix()})
		var early []time.Duration
		told := make(chan time.Duration)
		for range tabs {
			c := r.V1(t, token)
			go func() {
				_, _, err := c.Read(context.Background()) // until it is told
				if err != nil {
					t.Error(err)
				}
				told <- time.Until(end)
			}()
		}
		for range tabs {
			early = append(early, <-told)
		}
		low, high := slices.Min(early), slices.Max(early)
		if low < time.Minute || high > 11*time.Minute+2*time.Second || high-low < 8*time.Minute {
			t.Errorf("told %s to %s before the end, want 1 to 11 minutes", low, high)
		}
	})
}

func TestTokenThatIsNearlyOverIsToldOfAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		start := time.Now()
		c := r.V1(t, relaytest.Token("a:", "connect", "", map[string]any{"iat": start.Add(-20 * time.Hour).Unix(),
			"exp": start.Add(30 * time.Second).Unix()}))
		if left := warned(t, c); left > 30 || time.Since(start) > 2*time.Second {
			t.Errorf("told after %s that %d s are left", time.Since(start), left)
		}
	})
}

// A peer that sends its message bit by bit holds what there is of it in the relay's memory.
func TestSlowMessageIsWaitedForForever(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		sent, got := message("slow")
		frame := mask(textFrame, sent)
		for name, pieces := range map[string][][]byte{
			"half a head":           {frame[:1]},
			"half a frame":          {frame[:20]},
			"half a message":        {mask(1, sent)},
			"a byte every second":   split(frame, 1),
			"fragment every second": slices.Concat([][]byte{mask(1, "a")}, slices.Repeat([][]byte{mask(0, "b"), mask(pingFrame, "")}, 5)),
		} {
			p := pipePeer(t, r)
			start := time.Now()
			var sender sync.WaitGroup
			sender.Go(func() {
				for _, piece := range pieces {
					if _, err := p.Write(piece); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			})
			op, text, err := readFrame(p.in)
			for op == pongFrame&0x0f {
				op, text, err = readFrame(p.in)
			}
			if after := time.Since(start); op != 8 || text != "\x03\xf0message not complete in time" || after < 10*time.Second || after > 12*time.Second {
				t.Errorf("%s: %d %q %v after %s, want 1008 after 10 s", name, op, text, err, after)
			}
			p.Close()
			sender.Wait()
		}
		p := pipePeer(t, r)
		for range 3 { // each in time
			p.send(frame[:20])
			time.Sleep(9 * time.Second)
			p.send(frame[20:])
			p.expectMessage(got)
		}
	})
}

// split returns b in pieces of n bytes.
func split(b []byte, n int) [][]byte { return slices.Collect(slices.Chunk(b, n)) }

// pipePeer is [newPeer] for a relay within a bubble.
func pipePeer(t *testing.T, r *relaytest.Relay) *peer {
	t.Helper()
	c, err := r.Pipe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	p := &peer{c, t, bufio.NewReader(c)}
	io.WriteString(c, handshake(wire.Subprotocol))
	if answer, err := http.ReadResponse(p.in, nil); err != nil || answer.StatusCode != 101 {
		t.Fatalf("handshake: %v %v", answer, err)
	}
	p.connect()
	return p
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
