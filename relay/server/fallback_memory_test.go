package server_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
)

// keptBytes is what the buffers of all readers that may be kept for later connections take.
const keptBytes = 64 * 17 << 10

// Connections that are opened and left to themselves, or have only had something refused, leave nothing behind that adds up.
func TestOpenedConnectionsUseUpTheMemory(t *testing.T) {
	for name, then := range map[string]string{
		"and left":    "",
		"and refused": `{"id":1,"op":"connect","token":"rubbish"}`,
		"and misused": `{"id":1,"op":"connect"}` + strings.Repeat("\n{}", 10), // ends it
	} {
		t.Run(name, func(t *testing.T) {
			r := relaytest.Start(t, farm)
			r.LimitFiles(64 + 40)
			w := newWeb(t, r)
			ask := func(body string) string { // again when the connection to the relay was the stranger that had to make room
				for {
					a, err := w.client.Post(w.url, "text/plain", strings.NewReader(body))
					if err != nil {
						continue
					}
					text, err := io.ReadAll(a.Body)
					a.Body.Close()
					if err == nil {
						return string(text)
					}
				}
			}
			open := func(n int) {
				for range n {
					w.takeKey(ask("open"))
					if then != "" {
						ask("send " + w.key + " 1\n" + then)
					}
				}
				r.Await(t, "end of the oldest", func(s relaytest.Stats) bool { return s.Connections <= 10 })
			}
			open(500)
			before := measure(t)
			const more = 3000
			open(more)
			after := measure(t)
			if grown := int64(after.heap) - int64(before.heap); grown > keptBytes+more*100 {
				t.Errorf("each leaves %d bytes", grown/more)
			}
			// The live ones, and as many strangers and users that wait for a last poll.
			r.Await(t, "end of those that wait for a last poll", func(relaytest.Stats) bool { return r.FallbacksKept() <= 30 })
		})
	}
}

// What nobody fetches adds up to so much and no more, and who does fetch it is not the one that pays.
func TestFramesThatNobodyPollsUseUpTheMemory(t *testing.T) {
	r := relaytest.Start(t, withHistory)
	page := newWeb(t, r).open().connect(connectToken("a:", "Ann"), "a:Feed/2")
	since, _ := subscribeSince(t, r.V1(t, connectToken("a:", "Ann")), "a:Feed/1", "")
	large := strings.TrimSuffix(strings.Repeat(`{"type":"a:Feed/1","msg":"`+strings.Repeat("x", 500)+`"},`, 1000), ",")
	r.Publish(t, "a:", "["+large+"]")
	got := make(chan string, 1)
	go func() { got <- page.next() }()
	for end := time.Now().Add(relaytest.Patience); r.PollsWaiting() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	before := measure(t)
	const many = 300 // of half a megabyte each
	for range many {
		w := newWeb(t, r).open()
		w.send(`{"id":1,"op":"connect"}`, `{"id":2,"op":"subscribe","type":"a:Feed/1","since":`+since+`}`)
	}
	r.Await(t, "end of the oldest", func(s relaytest.Stats) bool { return s.Connections < many*2/3 })
	if held := r.FramesHeld(); held > 65<<20 || held < 60<<20 {
		t.Errorf("%d bytes are held", held)
	}
	for end := time.Now().Add(relaytest.Patience); ; time.Sleep(50 * time.Millisecond) { // what has ended is let go of a little later
		grown := int64(measure(t).heap) - int64(before.heap)
		if grown < 2*64<<20 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%d bytes are held, and %d more", r.FramesHeld(), grown-int64(r.FramesHeld()))
		}
	}
	r.Publish(t, "a:", `[{"type":"a:Feed/2","msg":1}]`)
	if got := <-got; !strings.HasPrefix(got, `{"type":"a:Feed/2","msg":1`) {
		t.Error(got)
	}
}

// A stream takes one open file and no more of the relay's room than a WebSocket.
func TestStreamsTakeMoreThanTheirShare(t *testing.T) {
	r := relaytest.Start(t, farm)
	r.LimitFiles(64 + 100)
	var streams []*web
	for range 60 {
		streams = append(streams, newWeb(t, r).stream().connect(connectToken("a:", "Ann")))
	}
	for range 20 {
		r.V1(t, connectToken("b:", "Bob"))
	}
	for _, w := range streams {
		w.leave()
	}
	r.Await(t, "end of the streams", func(s relaytest.Stats) bool { return s.Connections == 20 })
}
