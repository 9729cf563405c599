package ingress_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/ingress"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/broker"
)

func dialRedis(t *testing.T, s *broker.Server, password string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Address, Password: password, Protocol: 2, MaxRetries: -1})
	t.Cleanup(func() { c.Close() })
	return c
}

// add puts an envelope into the stream "news", as often as it takes.
func add(t *testing.T, c *redis.Client, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := c.XAdd(ctx, &redis.XAddArgs{Stream: "news", Values: []any{"envelope", text}}).Err()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Errorf("add: %v", err)
			return
		}
		time.Sleep(5 * time.Millisecond) // until Redis is there again
	}
}

func streamURL(s *broker.Server, password string) string {
	return "redis://:" + password + "@" + s.Address + "/0?stream=news&wiki=a:"
}

// TestRedisIsKilledInASeries: everything arrives, once and in order, although Redis is killed and started again.
func TestRedisIsKilledInASeries(t *testing.T) {
	const all = 600
	s := broker.Redis(t, "")
	r := start(t, nil, streamURL(s, ""))
	c, client := listen(t, r), dialRedis(t, s, "")
	connected(t, r)
	done := make(chan struct{})
	go func() { // ends with the series
		defer close(done)
		for n := range all {
			add(t, client, fmt.Sprintf(`{"type":"a:News","msg":%d,"key":"k%d"}`, n, n))
		}
	}()
	for at := 0; at < all; at += all / 3 {
		expect(t, c, series(at, at+all/3)...)
		if at < all/2 {
			s.Kill()
			s.Start(t)
		}
	}
	<-done
	c.ExpectNothing()
	await(t, r, "acknowledgement", func(ready, ingress.State) bool { return pending(t, client) == 0 })
	if st := readyz(t, r).Ingress[0]; st.Retries == 0 || st.Published < all || st.Poisoned+st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

func pending(t *testing.T, c *redis.Client) int64 {
	t.Helper()
	p, err := c.XPending(t.Context(), "news", "relay").Result()
	if err != nil {
		t.Fatal(err)
	}
	return p.Count
}

// TestRedisThatHangs: that is noticed and told, and when Redis goes on, so does the series.
func TestRedisThatHangs(t *testing.T) {
	hurry(t)
	s := broker.Redis(t, "")
	r := start(t, nil, streamURL(s, ""))
	c, client := listen(t, r), dialRedis(t, s, "")
	connected(t, r)
	add(t, client, envelope(1))
	expect(t, c, "1")
	s.Stop()
	await(t, r, "notice", func(a ready, st ingress.State) bool {
		return a.Status == "degraded" && st.State == ingress.Disconnected
	})
	if up := metric(t, r, "ingress_up"); up != "0" {
		t.Errorf("up is %s", up)
	}
	s.Continue()
	add(t, client, envelope(2))
	expect(t, c, "2")
	connected(t, r)
	if up := metric(t, r, "ingress_up"); up != "1" {
		t.Errorf("up is %s", up)
	}
}

// TestRelayEndsWhileRedisHangs: its end does not wait for that.
func TestRelayEndsWhileRedisHangs(t *testing.T) {
	s := broker.Redis(t, "")
	r := start(t, nil, streamURL(s, ""), "redis://"+s.Address+"?channel=live&wiki=a:")
	connected(t, r)
	s.Stop()
	defer s.Continue()
	closeSoon(t, r)
}

// TestPoisonInAStream: what cannot be published, whatever it is, ends no relay and holds nothing up. It is kept with the reason.
func TestPoisonInAStream(t *testing.T) {
	s := broker.Redis(t, "")
	client := dialRedis(t, s, "")
	for _, p := range poison {
		add(t, client, p.payload)
	}
	if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: "news", Values: []any{"data", "{}", "", "x"}}).Err(); err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, streamURL(s, ""))
	c := listen(t, r)
	add(t, client, envelope(`"good"`))
	expect(t, c, `"good"`)
	c.ExpectNothing()
	await(t, r, "acknowledgement", func(_ ready, st ingress.State) bool {
		return st.Published == 1 && st.Poisoned == uint64(len(poison))+1 && pending(t, client) == 0
	})
	dead, err := client.XRange(t.Context(), "news:dead", "-", "+").Result()
	if err != nil || len(dead) != len(poison)+1 {
		t.Fatalf("%d dead of %d: %v", len(dead), len(poison)+1, err)
	}
	for i, p := range poison {
		v := dead[i].Values
		if !strings.Contains(fmt.Sprint(v["reason"]), p.reason) || v["bytes"] != fmt.Sprint(len(p.payload)) ||
			v["envelope"] != p.payload[:min(len(p.payload), ingress.DeadBytes)] || v["id"] == "" {
			t.Errorf("%.60q is kept with the reason %q and %s bytes, want %q", p.payload, v["reason"], v["bytes"], p.reason)
		}
	}
	if reason := dead[len(poison)].Values["reason"]; reason != `no field "envelope", but ["" "data"]` {
		t.Error(reason)
	}
	if n := metric(t, r, `result="poisoned"`); n != fmt.Sprint(len(poison)+1) {
		t.Errorf("%s poisoned", n)
	}
	if n := strings.Count(r.Log.String(), "cannot be published"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
}

// TestGraveOfPoisonIsBounded: who can write into the stream cannot fill Redis with what is wrong.
func TestGraveOfPoisonIsBounded(t *testing.T) {
	s := broker.Redis(t, "")
	client := dialRedis(t, s, "")
	const all = 2 * ingress.DeadMost
	pipe := client.Pipeline()
	for range all {
		pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: "news", Values: []any{"envelope", "garbage"}})
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, streamURL(s, ""))
	await(t, r, "end", func(_ ready, st ingress.State) bool { return st.Poisoned == all })
	if n := client.XLen(t.Context(), "news:dead").Val(); n < ingress.DeadMost || n > ingress.DeadMost+200 { // Redis trims whole nodes
		t.Errorf("%d are kept", n)
	}
}

// consumer returns under which name a relay reads.
func consumer(t *testing.T, client *redis.Client, r *relaytest.Relay) (name string) {
	t.Helper()
	await(t, r, "consumer", func(ready, ingress.State) bool {
		for _, c := range client.XInfoConsumers(t.Context(), "news", "relay").Val() {
			name = c.Name
		}
		return name != ""
	})
	return name
}

// TestRelayThatWasKilledLeavesItsEntries: what a relay of the same name had read comes first, and in order.
func TestRelayThatWasKilledLeavesItsEntries(t *testing.T) {
	s := broker.Redis(t, "")
	client := dialRedis(t, s, "")
	client.XGroupCreateMkStream(t.Context(), "news", "relay", "0")
	first := start(t, nil, streamURL(s, ""))
	own := consumer(t, client, first)
	first.Close()
	for n := range 40 {
		add(t, client, envelope(n))
	}
	args := &redis.XReadGroupArgs{Group: "relay", Consumer: own, Streams: []string{"news", ">"}, Count: 20, Block: -1}
	if got, err := client.XReadGroup(t.Context(), args).Result(); err != nil || len(got[0].Messages) != 20 {
		t.Fatalf("%v %v", got, err)
	}
	r := start(t, nil, streamURL(s, ""))
	expect(t, listen(t, r), series(0, 40)...)
	await(t, r, "acknowledgement", func(ready, ingress.State) bool { return pending(t, client) == 0 })
}

// TestRelayThatWasKilledLeavesEntries: what one of another name had read comes too, when that is gone.
func TestRelayThatWasKilledLeavesEntries(t *testing.T) {
	ingress.ClaimAfter(time.Nanosecond)
	t.Cleanup(func() { ingress.ClaimAfter(time.Minute) }) // behind the relays' ends
	s := broker.Redis(t, "")
	client := dialRedis(t, s, "")
	client.XGroupCreateMkStream(t.Context(), "news", "relay", "0")
	first := start(t, nil, streamURL(s, ""))
	own := consumer(t, client, first)
	first.Close()
	for n := range 60 {
		add(t, client, envelope(n))
	}
	for i, name := range []string{"another", own} {
		args := &redis.XReadGroupArgs{Group: "relay", Consumer: name, Streams: []string{"news", ">"}, Count: 20, Block: -1}
		if got, err := client.XReadGroup(t.Context(), args).Result(); err != nil || len(got[0].Messages) != 20 {
			t.Fatalf("%d: %v %v", i, got, err)
		}
	}
	r := start(t, nil, streamURL(s, ""))
	c := listen(t, r)
	expect(t, c, series(0, 60)...)
	await(t, r, "acknowledgement", func(ready, ingress.State) bool { return pending(t, client) == 0 })
	if consumers, err := client.XInfoConsumers(t.Context(), "news", "relay").Result(); err != nil || len(consumers) != 2 {
		t.Errorf("%v %v", consumers, err) // the other one was heard of just now, and is left for an hour
	}
}

// TestEntriesAreTrimmedBeforeTheyAreRead: that is counted, and holds nothing up.
func TestEntriesAreTrimmedBeforeTheyAreRead(t *testing.T) {
	s := broker.Redis(t, "")
	client := dialRedis(t, s, "")
	first := start(t, nil, streamURL(s, ""))
	own := consumer(t, client, first)
	first.Close()
	for n := range 30 {
		add(t, client, envelope(n))
	}
	client.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "relay", Consumer: own, Streams: []string{"news", ">"}, Count: 20, Block: -1})
	client.XTrimMaxLen(t.Context(), "news", 15)
	r := start(t, nil, streamURL(s, ""))
	c := listen(t, r)
	expect(t, c, series(15, 30)...)
	await(t, r, "acknowledgement", func(_ ready, st ingress.State) bool { return st.Lost == 15 && pending(t, client) == 0 })
}

// TestQueueFloodsTheRelay: more than the wiki may publish waits in the stream and comes later, in order; so does what comes before the wiki has registered.
func TestQueueFloodsTheRelay(t *testing.T) {
	t.Parallel()
	s := broker.Redis(t, "")
	client := dialRedis(t, s, "")
	for n := range 100 {
		add(t, client, envelope(n))
	}
	r := relaytest.Start(t, func(c *config.Config) {
		c.Ingress = sources(t, streamURL(s, ""))
		c.Limits.PublishBatch = 10
		c.Limits.WikiPublishes.Burst, c.Limits.WikiPublishes.PerSecond = 10, 100
	})
	await(t, r, "waiting", func(a ready, st ingress.State) bool {
		return a.Status == "degraded" && st.State == ingress.Waiting && strings.Contains(st.Problem, `"a:" has not registered`)
	})
	if code, _, text := r.HTTP(t, "PUT", "http://control/api/wikis/a:", string(registration())); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	expect(t, listen(t, r), series(0, 100)...)
	await(t, r, "acknowledgement", func(a ready, st ingress.State) bool {
		return a.Status == "ready" && pending(t, client) == 0 && st.Poisoned == 0
	})
	if !strings.Contains(r.Log.String(), "a wiki publishes more than it may") {
		t.Errorf("nobody is told of the flood:\n%s", r.Log)
	}
}

// TestWrongPasswordOfRedis: the operator is told what is wrong, and nobody the password.
func TestWrongPasswordOfRedis(t *testing.T) {
	s := broker.Redis(t, "right-password")
	for _, kind := range []string{"stream", "channel"} {
		r := start(t, nil, "redis://:wrong-password@"+s.Address+"?wiki=a:&"+kind+"=news")
		await(t, r, "explanation", func(a ready, st ingress.State) bool {
			return a.Status == "degraded" && st.State == ingress.Disconnected && strings.Contains(st.Problem, "user or password are wrong")
		})
		showsNo(t, r, "wrong-password")
	}
	r := start(t, nil, streamURL(s, "right-password"))
	add(t, dialRedis(t, s, "right-password"), envelope(1))
	expect(t, listen(t, r), "1")
	connected(t, r)
	showsNo(t, r, "right-password")
}

// TestChannel: what is published while Redis is there comes, and what is poisoned is kept, when it can be.
func TestChannel(t *testing.T) {
	s := broker.Redis(t, "")
	client := dialRedis(t, s, "")
	r := start(t, nil, "redis://"+s.Address+"/0?channel=live&wiki=a:")
	c := listen(t, r)
	connected(t, r)
	publish := func(text string) {
		t.Helper()
		if n, err := client.Publish(t.Context(), "live", text).Result(); err != nil || n != 1 {
			t.Fatalf("%d %v", n, err)
		}
	}
	publish(envelope(1))
	expect(t, c, "1")
	for _, p := range poison {
		publish(p.payload)
	}
	publish(envelope(2))
	expect(t, c, "2")
	if n := client.XLen(t.Context(), "live:dead").Val(); int(n) != len(poison) {
		t.Errorf("%d dead", n)
	}
	s.Kill()
	await(t, r, "notice", func(_ ready, st ingress.State) bool { return st.State == ingress.Disconnected })
	s.Start(t)
	connected(t, r)
	client.Set(t.Context(), "live:dead", "no stream", 0) // where nothing can be kept
	publish("garbage")
	publish(envelope(3))
	expect(t, c, "3")
	await(t, r, "count", func(_ ready, st ingress.State) bool {
		return st.Lost == 1 && int(st.Poisoned) == len(poison)+1 && st.Published == 3
	})
}
