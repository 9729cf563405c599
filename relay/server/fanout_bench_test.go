package server_test

import (
	"fmt"
	"io"
	"net"
	"testing"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// BenchmarkFanOut is a message from a v1 connection to n others on loopback, the readers' cost included. One is under way at a time.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := relaytest.Start(b, generous)
			for range n {
				c, err := net.Dial("tcp", r.Addresses()[0].String())
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				io.WriteString(c, handshake(wire.Subprotocol, `{"op":"connect"}`, `{"op":"subscribe","type":"T"}`))
				go io.Copy(io.Discard, c)
			}
			r.Await(b, "subscriptions", func(s relaytest.Stats) bool { return s.Connections == n && s.Types == 1 })
			sender := r.V1(b, "", "sender")
			const command = `{"id":2,"op":"send","type":"T","msg":{"event":"edit","page":12,"title":"Main_Page","rev":34,"user":"Ann"}}`
			for r.Stats(b).Delivered < uint64(n) { // until all have subscribed
				sender.Ask(command)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				sender.Ask(command)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
		})
	}
}
