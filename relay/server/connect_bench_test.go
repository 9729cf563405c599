package server_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// BenchmarkConnect is a connection from the handshake over its token and a subscription to its end, in a crowd of so many at a time. Each has a token of its
// own, so that none is known already.
func BenchmarkConnect(b *testing.B) {
	for _, crowd := range []int{1, 100} {
		b.Run("crowd-"+strconv.Itoa(crowd), func(b *testing.B) {
			r := relaytest.Start(b, hundredTypes)
			address := r.Addresses()[0].String()
			open := make([][]byte, b.N)
			for i := range open {
				token := relaytest.Token("a:", "connect", "Ann", map[string]any{"sid": strconv.Itoa(i)})
				open[i] = mask(textFrame, `{"id":1,"op":"connect","token":"`+token+`","clients":["WS`+strconv.Itoa(i)+`"]}`)
			}
			want := mask(textFrame, `{"id":2,"op":"subscribe","type":"a:T`+strconv.Itoa(crowd)+`"}`)
			b.ReportAllocs()
			b.ResetTimer()
			answer := make([]byte, 4096)
			for at := 0; at < b.N; at += crowd {
				conns := make([]net.Conn, min(crowd, b.N-at))
				for i := range conns {
					c, err := net.Dial("tcp", address)
					if err != nil {
						b.Fatal(err)
					}
					conns[i] = c
				}
				for _, what := range []func(int) []byte{
					func(int) []byte { return []byte(handshake(wire.Subprotocol)) },
					func(i int) []byte { return open[at+i] },
					func(int) []byte { return want },
				} {
					for i, c := range conns {
						c.Write(what(i))
					}
					for _, c := range conns {
						if n, err := c.Read(answer); err != nil || strings.Contains(string(answer[:n]), "error") {
							b.Fatalf("%s %v", answer[:n], err)
						}
					}
				}
				for _, c := range conns {
					c.Close()
				}
			}
		})
	}
}
