package server_test

import (
	"io"
	"strings"
	"testing"

	"mediawiki-websocket/relay/relaytest"
)

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
