package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// In a bubble no time passes while a peer sends, so that the buckets are exact.

const sendT = `{"id":3,"op":"send","type":"T","msg":1}`

func TestVisitorSendsAsFastAsItLikes(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		other := r.V1(t, "", "other")
		c := r.V1(t, "", "WS1")
		send := func() string { t.Helper(); return code(c.Ask(sendT)) }
		for n := range 120 {
			if got := send(); got != "ok" {
				t.Fatalf("message %d: %s", n+1, got)
			}
		}
		if got := c.Ask(sendT); !strings.Contains(got, `"rate-limited","message":"a connection sends at most 20 messages a second, and 120 at once`) {
			t.Errorf("message 121: %s", got)
		}
		if got := code(other.Ask(sendT)); got != "ok" {
			t.Errorf("another connection pays for it: %s", got)
		}
		time.Sleep(time.Second)
		for n := range 21 {
			if got, want := send(), []string{"ok", "rate-limited"}[n/20]; got != want {
				t.Errorf("a second later, message %d: %s", n+1, got)
			}
		}
		// Who goes on although all is refused is cut off, but not who is refused now and then.
		time.Sleep(10 * time.Second)
		for n := range 120 {
			if got := send(); got != "ok" {
				t.Fatalf("ten seconds later, message %d: %s", n+1, got)
			}
		}
		for n := range 120 {
			if got := send(); got != "rate-limited" {
				t.Fatalf("refusal %d: %s", n+1, got)
			}
		}
		c.Send(sendT)
		c.ExpectClose(wire.CloseRateLimited)
		other.ExpectNothing()
	})
}

func TestScriptSendsAsFastAsItLikes(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		page := r.V1(t, "", "WS1")
		page.Subscribe("T")
		script := r.Dial(t, "/", "")
		for n := range 240 {
			script.Send(fmt.Sprintf(`{"type":"T","msg":%d}`, n))
		}
		for n := range 120 {
			expect(t, page, fmt.Sprintf(`{"type":"T","msg":%d}`, n))
		}
		page.ExpectNothing() // the rest was dropped
		script.Send(`{"type":"T"}`)
		script.ExpectClose(wire.CloseRateLimited)
	})
}

// MediaWiki's limit is the user's, however many connections the user has.
func TestUserWithManyConnectionsSendsMore(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		token := func(wiki, user string, count int) string {
			return relaytest.Token(wiki, "connect", user, map[string]any{
				"rate": map[string]int{"count": count, "seconds": 6}, "exp": time.Now().Add(time.Hour).Unix()})
		}
		clients := 0
		open := func(wiki, user string, count int) *relaytest.Client {
			clients++
			return r.V1(t, token(wiki, user, count), fmt.Sprint("WS", clients))
		}
		first, second := open("a:", "Ann", 3), open("a:", "Ann", 3)
		for n, c := range []*relaytest.Client{first, second, first} {
			if got := code(c.Ask(sendT)); got != "ok" {
				t.Errorf("message %d: %s", n+1, got)
			}
		}
		for _, c := range []*relaytest.Client{first, second, open("a:", "Ann", 3)} {
			if got := c.Ask(sendT); !strings.Contains(got, "the wiki lets you send 3 messages in 6 seconds") {
				t.Errorf("message 4: %s", got)
			}
		}
		for name, c := range map[string]*relaytest.Client{"another user": open("a:", "Bob", 3), "that name on another wiki": open("b:", "Ann", 3),
			"nobody": open("a:", "", 3), "nobody else": open("a:", "", 3)} {
			for n := range 4 {
				if got, want := code(c.Ask(sendT)), []string{"ok", "rate-limited"}[n/3]; got != want {
					t.Errorf("%s, message %d: %s", name, n+1, got)
				}
			}
		}
		time.Sleep(2 * time.Second)
		if one, more := code(second.Ask(sendT)), code(first.Ask(sendT)); one != "ok" || more != "rate-limited" {
			t.Errorf("a third of the time later: %s, %s", one, more)
		}
		time.Sleep(12 * time.Second) // the relay has forgotten Ann by now
		for n := range 4 {
			if got, want := code(first.Ask(sendT)), []string{"ok", "rate-limited"}[n/3]; got != want {
				t.Errorf("twelve seconds later, message %d: %s", n+1, got)
			}
		}
		more := open("a:", "Ann", 6) // the wiki allows more from now on
		if got := code(more.Ask(sendT)); got != "rate-limited" {
			t.Errorf("a new limit fills the bucket: %s", got)
		}
		time.Sleep(6 * time.Second)
		for n := range 7 {
			if got, want := code(more.Ask(sendT)), []string{"ok", "rate-limited"}[n/6]; got != want {
				t.Errorf("with the new limit, message %d: %s", n+1, got)
			}
		}
	})
}

func TestPingsAtTheLimitAndOnePast(t *testing.T) {
	inBubble(t, func(t *testing.T, r *relaytest.Relay) {
		const op = `{"op":"ping"}`
		for name, one := range map[string][]byte{"pings": mask(pingFrame, "x"), "pongs": mask(pongFrame, ""), "pings of the protocol": mask(textFrame, op)} {
			p := pipePeer(t, r)
			ten := slices.Repeat([][]byte{one}, 10)
			for range 3 {
				p.send(ten...)
				if one[0] != pongFrame {
					for range 10 {
						if _, _, err := readFrame(p.in); err != nil {
							t.Fatalf("%s: %v", name, err)
						}
					}
				}
				time.Sleep(10 * time.Second)
			}
			p.send(ten...)
			p.send(one)
			for {
				got, text, err := readFrame(p.in)
				if err != nil || got == 8 {
					if text != "\x0f\xa3rate limited" {
						t.Errorf("%s: ended with %q %v", name, text, err)
					}
					break
				}
			}
			p.Close()
		}
	})
}

// few is a farm whose limits are so low that no peer reaches them before it has to pause.
func few(c *config.Config) {
	farm(c)
	c.Limits.Bytes.Burst, c.Limits.Commands.Burst = 32<<10, 50
}

func TestBytesAtTheLimitAndOnePast(t *testing.T) {
	inBubbleWith(t, few, func(t *testing.T, r *relaytest.Relay) {
		for past := range 2 {
			p := pipePeer(t, r)
			time.Sleep(time.Second) // what connecting took is in the bucket again
			const command = `{"id":4,"op":"unsubscribe","type":"T"`
			p.send(mask(textFrame, command+strings.Repeat(" ", 32<<10+past-8-len(command)-1)+"}")) // the head has 8 bytes
			if past > 0 {
				p.expectClose(4003, "rate limited")
				continue
			}
			p.expect(textFrame, `{"id":4,"ok":{}}`)
			time.Sleep(time.Second)
			p.send(mask(pingFrame, "alive"))
			p.expect(pongFrame, "alive")
		}
	})
}

func TestCommandsAtTheLimitAndOnePast(t *testing.T) {
	inBubbleWith(t, few, func(t *testing.T, r *relaytest.Relay) {
		for _, f := range []struct{ mode, frame string }{{wire.Subprotocol, `{"op":"dance"}`}, {"", `{"type":"Register","from":"s"}`}} {
			for past := range 2 {
				c := r.Dial(t, "/", f.mode)
				for range 50 + past {
					c.Send(f.frame)
				}
				if past > 0 {
					c.ExpectClose(wire.CloseRateLimited)
					continue
				}
				time.Sleep(time.Second)
				c.Send(f.frame)
				if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
					t.Errorf("%q was cut off: %v", f.mode, err)
				}
			}
		}
	})
}
