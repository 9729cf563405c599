package ingress_test

import (
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/ingress"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/broker"
)

// TestRelayEndsWhileRedisOwesAnAnswer: the same while messages are in hand.
func TestRelayEndsWhileRedisOwesAnAnswer(t *testing.T) {
	hurry(t)
	for _, payload := range []string{envelope(1), "garbage"} {
		s := broker.Redis(t, "")
		add(t, dialRedis(t, s, ""), payload)
		hung := make(chan struct{}, 100)
		set := open(t, publisher(func(m []ingress.Message) ingress.Result {
			s.Stop()
			hung <- struct{}{}
			if string(m[0].Envelope) == "garbage" {
				return ingress.Refused
			}
			return ingress.Done
		}), streamURL(s, ""))
		<-hung
		closeSoon(t, set)
		s.Continue()
	}
}

// TestPoisonOfAStreamCannotBeKept: it waits where it was and is tried more and more seldom; what came with it is published, once.
func TestPoisonOfAStreamCannotBeKept(t *testing.T) {
	t.Parallel()
	s := broker.Redis(t, "")
	client := dialRedis(t, s, "")
	client.Set(t.Context(), "news:dead", "no stream", 0)
	add(t, client, "garbage")
	add(t, client, envelope(1))
	began := time.Now()
	r := start(t, nil, streamURL(s, ""))
	c := listen(t, r)
	expect(t, c, "1")
	await(t, r, "attempts", func(_ ready, st ingress.State) bool {
		return st.Retries >= retries && strings.Contains(st.Problem, "news:dead")
	})
	if passed := time.Since(began); passed < retriesTake {
		t.Errorf("%d attempts within %s", retries, passed)
	}
	if n := pending(t, client); n != 1 {
		t.Errorf("%d are left", n)
	}
	client.Del(t.Context(), "news:dead")
	await(t, r, "end", func(_ ready, st ingress.State) bool {
		return st.Poisoned == 1 && st.Published == 1 && pending(t, client) == 0
	})
	add(t, client, envelope(2))
	expect(t, c, "2")
	r.Await(t, "end", func(s relaytest.Stats) bool { return s.Published == 2 && s.Repeated == 0 })
}

// TestUserWhoMayNotRead: the relay does not say that it takes messages.
func TestUserWhoMayNotRead(t *testing.T) {
	t.Parallel()
	s := broker.Redis(t, "")
	client := dialRedis(t, s, "")
	if err := client.Do(t.Context(), "ACL", "SETUSER", "some", "on", ">word", "~*", "+@all", "-xreadgroup").Err(); err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, "redis://some:word@"+s.Address+"?stream=news&wiki=a:")
	await(t, r, "attempts", func(_ ready, st ingress.State) bool {
		return st.Retries >= retries && strings.Contains(st.Problem, "NOPERM")
	})
	if strings.Contains(r.Log.String(), "taking messages") {
		t.Errorf("%s", r.Log)
	}
}
