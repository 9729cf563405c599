package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/broker"
)

// TestHandOverLosesNothingOfQueues: what comes out of a stream and a feed while a relay hands over reaches who listens, once and in order, and no datagram is
// lost.
func TestHandOverLosesNothingOfQueues(t *testing.T) {
	const all = 400
	queue := broker.Redis(t, "secret-of-redis")
	feed := fmt.Sprint("127.0.0.1:", broker.FreePort("udp"))
	s := newSuccessive(t, fmt.Sprintf(`"ingress":["redis://:secret-of-redis@%s?stream=news&wiki=a:","udp://%s?wiki=a:"],`, queue.Address, feed))
	ctx, cancel := context.WithTimeout(t.Context(), 6*relaytest.Patience)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: queue.Address, Password: "secret-of-redis", Protocol: 2})
	defer client.Close()
	out, err := net.Dial("udp", feed)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var got, changes []int
	var ready, done sync.WaitGroup
	ready.Add(2)
	done.Go(func() { got = s.listen(ctx, handedOver, all-1, ready.Done) })
	done.Go(func() { changes = s.listen(ctx, "a:@changes", all, ready.Done) })
	ready.Wait()
	for n := range all {
		if n == all/4 {
			s.signal()
		}
		envelope := fmt.Sprintf(`{"type":%q,"msg":%d}`, handedOver, n)
		if err := client.XAdd(ctx, &redis.XAddArgs{Stream: "news", Values: []any{"envelope", envelope}}).Err(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(out, `{"id":%d,"type":"log","namespace":0,"title":"T","timestamp":1,"wiki":"a"}`, n+1)
		if n == all*3/4 {
			s.successor(s.pid)
		}
	}
	done.Wait()
	for name, list := range map[string][]int{"stream": got, "feed": changes} {
		if len(list) != all {
			t.Errorf("%s: %d of %d", name, len(list), all)
		}
		for n, m := range list {
			if m != n+list[0] || list[0] > 1 {
				t.Fatalf("%s: %v", name, list)
			}
		}
	}
	if strings.Contains(s.log(), "secret-of-redis") {
		t.Error("the log shows the password")
	}
}
