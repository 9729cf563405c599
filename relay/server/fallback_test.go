package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// ways are the two ways of opening a connection.
var ways = map[string]func(*web) *web{
	"stream": func(w *web) *web { return w.stream() },
	"poll":   (*web).open,
}

func eachWay(t *testing.T, test func(t *testing.T, open func(*web) *web)) {
	for name, open := range ways {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// A page behind such a network gets what others get, in order, and is heard by them.
func TestPageWithoutWebSocket(t *testing.T) {
	eachWay(t, func(t *testing.T, open func(*web) *web) {
		r := relaytest.Start(t, farm)
		w := open(newWeb(t, r)).connect(connectToken("a:", "Ann"), "T")
		other := r.V1(t, connectToken("a:", "Bob"), "WS2")
		other.Subscribe("T")
		if s := r.Stats(t); s.Connections != 2 || s.Clients != 2 {
			t.Errorf("%+v", s)
		}
		const messages = 300
		list := make([]string, messages)
		for n := range list {
			list[n] = fmt.Sprintf(`{"type":"T","msg":"%d <ä\u2028>"}`, n)
		}
		r.Publish(t, "a:", "["+strings.Join(list, ",")+"]")
		for n := range list {
			if got, want := w.next(), fmt.Sprintf(`{"type":"T","msg":"%d <ä\u2028>"`, n); !strings.HasPrefix(got, want) {
				t.Fatalf("got %s, want %s", got, want)
			}
			other.Next()
		}
		w.send(`{"id":3,"op":"send","type":"T","msg":"one"}`, "", `{"id":4,"op":"send","type":"T","msg":"two"}`)
		for _, want := range []string{"one", "two"} {
			if got := other.Next(); !strings.Contains(got, `"msg":"`+want+`","from":"WS1"`) || !strings.Contains(got, `"user":"Ann"`) {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		w.send(`{"id":5,"op":"nonsense"}`)
		for _, want := range []string{"ok", "ok", "unknown-op"} {
			if got := w.next(); code(got) != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

// What ends lines of Server-Sent Events may stand in a message between words, as its sender wrote it.
func TestMessageBreaksTheStream(t *testing.T) {
	r := relaytest.Start(t, farm)
	w := newWeb(t, r).stream().connect(connectToken("a:", ""), "T")
	r.Publish(t, "a:", "[{\"type\":\"T\",\"msg\":{\"a\":\n\n1,\r\n\"event: close\":\r2}}]")
	var got struct{ Msg map[string]int }
	if err := json.Unmarshal([]byte(w.next()), &got); err != nil || got.Msg["a"] != 1 || got.Msg["event: close"] != 2 {
		t.Errorf("%v %v", got, err)
	}
}

func TestFallbackHeaders(t *testing.T) {
	r := relaytest.Start(t, farm)
	w := newWeb(t, r)
	check := func(what string, want map[string]string) {
		t.Helper()
		for name, value := range want {
			if got := w.header.Get(name); got != value {
				t.Errorf("%s: %s: %q, want %q", what, name, got, value)
			}
		}
		if w.header.Get("Access-Control-Allow-Credentials") != "" || w.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", what, w.header)
		}
	}
	common := map[string]string{"Access-Control-Allow-Origin": publicOrigin, "Vary": "Origin", "Cache-Control": "no-store, no-transform", "X-Content-Type-Options": "nosniff"}
	w.stream()
	check("stream", common)
	check("stream", map[string]string{"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
	w.send()
	check("send", common)
	w = newWeb(t, r).open()
	check("open", common)
	w.send(`{"id":1,"op":"connect"}`)
	w.poll()
	check("poll", common)
	check("poll", map[string]string{"Content-Type": "application/json"})
	script := newWeb(t, r)
	script.origin = ""
	script.open().connect(connectToken("a:", "Ann"))
	if got := script.header.Values("Access-Control-Allow-Origin"); got != nil {
		t.Errorf("to nobody's page: %q", got)
	}
}

// Proxies that are set up as the documentation has always said ask for an upgrade in every request.
func TestUpgradeOfAProxyIsNotTakenForAHandshake(t *testing.T) {
	r := relaytest.Start(t, farm)
	w := newWeb(t, r).stream("Connection: upgrade", "Upgrade: websocket")
	w.connect(connectToken("a:", "Ann"))
}

// What a page of another site could open in a reader's browser, or with a key that it has got hold of.
func TestForeignPageUsesTheFallback(t *testing.T) {
	r := relaytest.Start(t, farm)
	own := newWeb(t, r).open().connect(connectToken("a:", "Ann"), "T")
	before := r.Stats(t).Connections
	for _, origin := range []string{"https://evil.example", "null", otherOrigin} {
		foreign := newWeb(t, r)
		foreign.origin = origin
		for _, body := range []string{"stream", "open", "poll " + own.key + " 0", "send " + own.key + " 2\n"} {
			if origin == otherOrigin && (body == "stream" || body == "open") {
				continue // which is another wiki of this relay
			}
			status, text := foreign.ask(body)
			if want := map[bool]int{true: 404, false: 403}[origin == otherOrigin]; status != want {
				t.Errorf("%s: %.10s: %d %s, want %d", origin, body, status, text, want)
			}
			if got := foreign.header.Get("Access-Control-Allow-Origin"); got != "" && got != otherOrigin {
				t.Errorf("%s may read the answer: %s", origin, got)
			}
		}
	}
	if now := r.Stats(t).Connections; now != before {
		t.Errorf("%d connections, %d before", now, before)
	}
	foreign := newWeb(t, r)
	foreign.origin = otherOrigin
	foreign.open()
	foreign.send(`{"id":1,"op":"connect","token":"` + connectToken("a:", "Ann") + `"}`)
	if got := foreign.next(); code(got) != "forbidden" {
		t.Errorf("another wiki's page with a token of this one: %s", got)
	}
	foreign.expectClose(wire.CloseOrigin)
	own.send(`{"id":2,"op":"unsubscribe","type":"T"}`)
	if got := own.next(); code(got) != "ok" {
		t.Error(got)
	}
}

func TestFallbackRefuses(t *testing.T) {
	r := relaytest.Start(t, farm)
	polled, stream := newWeb(t, r).open(), newWeb(t, r).stream()
	w := newWeb(t, r)
	for body, want := range map[string]int{
		"": 400, "\n": 400, "nonsense": 400, "send": 400, "stream\nmore": 400, "open now": 400, "open\n{}": 400, "poll " + polled.key + " 0\n{}": 400,
		strings.Repeat("x", 1000): 400, "send " + polled.key + " x": 400, "send " + polled.key + " -1": 400, "poll " + stream.key + " 0": 400,
		"poll " + polled.key + " 1": 400, "poll x 0": 404, "send x 1\n": 404, "send " + strings.ToLower(polled.key) + " 1": 404,
		"send " + polled.key + " 0": 409, "send " + polled.key + " 2": 409,
	} {
		if status, text := w.ask(body); status != want || !json.Valid([]byte(text)) {
			t.Errorf("%.60q: %d %s, want %d", body, status, text, want)
		}
	}
	if status, text := w.ask("stream", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="); status != 405 {
		t.Errorf("a handshake that is a POST: %d %s", status, text)
	}
	if status, _, text := r.HTTP(t, "GET", "http://relay/", "", "Accept: text/event-stream", "Origin: "+publicOrigin); status != 426 {
		t.Errorf("GET, which any page may cause: %d %s", status, text)
	}
	polled.connect("")
}

// A browser may send a request once more when it did not hear the answer.
func TestRepeatedRequestIsDoneOnce(t *testing.T) {
	r := relaytest.Start(t, farm)
	other := r.V1(t, "", "WS2")
	other.Subscribe("T")
	w := newWeb(t, r).open().connect("", "T")
	for range 3 {
		if status, text := w.ask("send " + w.key + ` 2` + "\n" + `{"id":3,"op":"send","type":"T","msg":1}`); status != 204 {
			t.Errorf("%d %s", status, text)
		}
	}
	expect(t, other, `{"type":"T","msg":1,"from":"WS1"}`)
	other.ExpectNothing()
	// What is not acknowledged comes again.
	before := w.acked
	for range 3 {
		w.acked = before
		w.frames = nil
		if got := w.next(); code(got) != "ok" {
			t.Error(got)
		}
	}
}

func TestFallbackEndsAsTheWebSocketWould(t *testing.T) {
	eachWay(t, func(t *testing.T, open func(*web) *web) {
		r := relaytest.Start(t, func(c *config.Config) {
			farm(c)
			c.Limits.Commands = wireRate(1, 20)
		})
		w := open(newWeb(t, r))
		w.send(`{"id":1,"op":"connect","token":"rubbish"}`)
		if got := w.next(); code(got) != "unauthorized" {
			t.Error(got)
		}
		w.expectClose(wire.CloseUnauthorized)

		w = open(newWeb(t, r)).connect("")
		w.send(strings.Repeat(`{"op":"release","client":"x"}`+"\n", 30))
		w.expectClose(wire.CloseRateLimited)

		for n, want := range map[int]wire.Close{64<<10 + 1: wire.CloseTooLarge, 70 << 10: wire.CloseTooLarge} {
			w = open(newWeb(t, r)).connect("")
			w.posts++
			w.ask(fmt.Sprintf("send %s %d\n%s", w.key, w.posts, strings.Repeat(" ", n)))
			w.expectClose(want)
		}
		w = open(newWeb(t, r)).connect("")
		w.send(`{"id":2,"op":"release","client":"y"}` + strings.Repeat(" ", 64<<10-36))
		if got := w.next(); code(got) != "ok" {
			t.Errorf("the largest frame: %s", got)
		}
		w.posts++
		status, _ := w.ask(fmt.Sprintf("send %s %d\n%s", w.key, w.posts, strings.Repeat(`{"op":"release","client":"x"}`+strings.Repeat(" ", 30000)+"\n", 10)))
		if status != 413 {
			t.Errorf("300 KB in one request: %d", status)
		}
		r.Await(t, "end", func(s relaytest.Stats) bool { return s.Connections == 0 })
	})
}

func wireRate(perSecond float64, burst int) (rate struct {
	PerSecond float64
	Burst     int
}) {
	rate.PerSecond, rate.Burst = perSecond, burst
	return rate
}

// Browsers that leave, at any moment, leave nothing behind; TestMain looks for goroutines.
func TestBrowserThatLeavesIsForgotten(t *testing.T) {
	r := relaytest.Start(t, farm)
	for n := range 20 {
		w := newWeb(t, r).stream()
		if n%2 == 0 {
			w.connect("", "T")
		}
		w.leave()
	}
	r.Await(t, "end of all", func(s relaytest.Stats) bool { return s.Connections+s.Clients+s.Types == 0 })
	if _, _, metrics := r.HTTP(t, "GET", "http://control/metrics", ""); !strings.Contains(metrics, `fallback_connections{transport="sse"} 0`) {
		t.Error("still counted")
	}
}

func TestFallbackIsCounted(t *testing.T) {
	r := relaytest.Start(t, farm)
	newWeb(t, r).stream()
	newWeb(t, r).open()
	newWeb(t, r).open()
	_, _, metrics := r.HTTP(t, "GET", "http://control/metrics", "")
	for _, want := range []string{`fallback_connections{transport="sse"} 1`, `fallback_connections{transport="poll"} 2`, "relay_connections 3"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s", want)
		}
	}
}

// When the relay ends, everybody is told when to come back, whatever way they came.
func TestRelayThatEndsTellsTheFallbacks(t *testing.T) {
	eachWay(t, func(t *testing.T, open func(*web) *web) {
		r := relaytest.Start(t, farm)
		w := open(newWeb(t, r)).connect("", "T")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if w.in == nil {
				r.Await(t, "poll that waits", func(relaytest.Stats) bool { return r.PollsWaiting() == 1 })
			}
			r.Close()
		}()
		if got := w.next(); !strings.HasPrefix(got, `{"op":"reconnect","after":`) {
			t.Errorf("%s", got)
		}
		if w.in != nil {
			w.expectClose(wire.CloseGoingAway)
		}
		<-ended
	})
}

// Whoever reads nothing any more is cut off, and holds nothing.
func TestFallbackThatStopsReading(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, open func(*web) *web) {
		r := relaytest.Start(t, func(c *config.Config) {
			farm(c)
			c.Limits.WriteTimeout = 200 * time.Millisecond
			c.Limits.OutboxBytes = 256 << 10
			c.Limits.PublishBytes = 128 << 10
		})
		open(newWeb(t, r)).connect("", "T")
		message := `[{"type":"T","msg":"` + strings.Repeat("x", 100<<10) + `"}]`
		for n := 0; r.Stats(t).Connections > 0; n++ {
			if n == 2000 {
				t.Fatal("200 MB wait for it")
			}
			r.Publish(t, "a:", message)
		}
	})
}

// Connections that nobody polls hold no socket, and would otherwise be as many as somebody likes.
func TestOpenedAndNeverPolledKeepsOthersOut(t *testing.T) {
	r := relaytest.Start(t, farm)
	r.LimitFiles(64 + 40) // a quarter of the 40 is for strangers
	page := newWeb(t, r).open().connect(connectToken("a:", "Ann"), "T")
	for range 50 {
		newWeb(t, r).open()
	}
	r.Await(t, "end of the oldest", func(s relaytest.Stats) bool { return s.Connections <= 11 })
	r.Publish(t, "a:", `[{"type":"T","msg":1}]`)
	if got := page.next(); !strings.HasPrefix(got, `{"type":"T","msg":1`) {
		t.Error(got)
	}
	newWeb(t, r).stream().connect("", "T")
}

// Time passes as the synctest bubble says.
func TestFallbackAndTime(t *testing.T) {
	t.Run("a silent stream gets comments and is asked whether it is there", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := relaytest.StartPiped(t, farm)
			w := newWeb(t, r).stream().connect("")
			begun := time.Now()
			if name, _ := w.event(); name != ":" || time.Since(begun) != 15*time.Second {
				t.Errorf("%q after %v", name, time.Since(begun))
			}
			name, _ := w.event()
			for name == ":" {
				name, _ = w.event()
			}
			if quiet := time.Since(begun); name != "ping" || quiet < 25*time.Second || quiet > 27*time.Second {
				t.Fatalf("%q after %v", name, quiet)
			}
			w.send(`{"op":"ping"}`)
			if got := w.next(); got != `{"op":"pong"}` {
				t.Error(got)
			}
			w.expectClose(wire.ClosePingTimeout) // when it is silent from now on
			if lasted := time.Since(begun); lasted < 85*time.Second || lasted > 90*time.Second {
				t.Errorf("lasted %v", lasted)
			}
		})
	})
	t.Run("a poll is answered after 25 seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := relaytest.StartPiped(t, farm)
			w := newWeb(t, r).open().connect("")
			for range 5 { // longer than the ping timeout
				begun := time.Now()
				if why := w.poll(); why != nil || len(w.frames) > 0 || time.Since(begun) != 25*time.Second {
					t.Fatalf("%v %q after %v", why, w.frames, time.Since(begun))
				}
			}
			time.Sleep(39 * time.Second)
			if status, text := w.ask(fmt.Sprintf("send %s 2\n"+`{"id":9,"op":"unsubscribe","type":"T"}`, w.key)); status != 204 {
				t.Fatalf("%d %s", status, text)
			}
			if got := w.next(); code(got) != "ok" {
				t.Error(got)
			}
			time.Sleep(41 * time.Second)
			if status, text := w.ask(fmt.Sprintf("poll %s %d", w.key, w.acked)); status != 404 {
				t.Errorf("%d %s", status, text)
			}
		})
	})
	t.Run("who never connects is told so", func(t *testing.T) {
		eachWay(t, func(t *testing.T, open func(*web) *web) {
			synctest.Test(t, func(t *testing.T) {
				r := relaytest.StartPiped(t, farm)
				open(newWeb(t, r)).expectClose(wire.CloseNoConnect)
			})
		})
	})
}
