package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/relaytest"
)

// Small commands ask for much: what was missed, and who is there. In a bubble no time passes meanwhile.
func TestSmallCommandsMakeTheRelaySendMuch(t *testing.T) {
	set := func(cfg *config.Config) {
		farm(cfg)
		cfg.Limits.Replays = conn.Rate{PerSecond: 1000, Burst: 25_000}
		cfg.Wikis[0] = relaytest.Wiki("a:", publicOrigin, false, map[string]any{"types": []map[string]any{
			{"pattern": "a:Feed", "history": map[string]int{"count": 10, "seconds": 3600}}, {"pattern": "a:Room", "presence": true}}})
	}
	inBubbleWith(t, set, func(t *testing.T, r *relaytest.Relay) {
		c, other := r.V1(t, seer("Ann"), "ann"), r.V1(t, seer("Bob"), "bob")
		since, _ := subscribeSince(t, c, "a:Feed", "")
		c.Ask(`{"id":7,"op":"unsubscribe","type":"a:Feed"}`)
		for range 10 {
			r.Publish(t, "a:", `[{"type":"a:Feed","msg":"`+strings.Repeat("x", 1000)+`"}]`)
		}
		ask := func(c *relaytest.Client) (messages int) {
			t.Helper()
			_, recovered := subscribeSince(t, c, "a:Feed", since)
			if recovered {
				for range 10 {
					c.Next()
				}
				messages = 10
			}
			c.ExpectNothing()
			return messages
		}
		for n, want := range []int{10, 10, 0, 0} {
			if got := ask(c); got != want {
				t.Errorf("time %d: %d messages, want %d", n+1, got, want)
			}
		}
		if got := ask(other); got != 10 {
			t.Error("another connection pays for it")
		}
		for n := range 200 {
			got := c.Ask(`{"id":4,"op":"presence","type":"a:Room"}`)
			if code(got) == "rate-limited" {
				break
			} else if n == 199 {
				t.Error(fmt.Sprint("who is there is told ", n+1, " times: ", got))
			}
		}
		time.Sleep(20 * time.Second)
		if got := ask(c); got != 10 {
			t.Error("it is not forgiven")
		}
	})
}
