package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// flood is what a peer sends over and over, until it is cut off.
type flood struct {
	name    string
	frames  []byte
	classic bool
	want    wire.Close
}

func floods() []flood {
	text := func(s string) []byte { return mask(textFrame, s) }
	big := `{"op":"send","type":"T","from":"F","msg":"` + strings.Repeat("x", 60000) + `"}`
	return []flood{
		{"pings", mask(pingFrame, "x"), false, wire.CloseRateLimited},
		{"pongs", mask(pongFrame, ""), false, wire.CloseRateLimited},
		{"pings of the protocol", text(`{"op":"ping"}`), false, wire.CloseRateLimited},
		{"tiny frames", text("x"), false, wire.CloseBadProtocol},
		{"tiny classic frames", text("x"), true, wire.CloseRateLimited},
		{"messages", text(`{"op":"send","type":"T","from":"F","msg":0}`), false, wire.CloseRateLimited},
		{"classic messages", text(`{"type":"T","from":"F","msg":0}`), true, wire.CloseRateLimited},
		{"big messages", text(big), false, wire.CloseRateLimited},
		{"empty fragments", slices.Concat(mask(1, ""), bytes.Repeat(mask(0, ""), 200)), false, wire.CloseFragments},
		{"fragments of messages", slices.Concat(mask(1, `{"op":"unsubscr`), mask(0, `ibe",`), mask(fin, `"type":"T"}`)),
			false, wire.CloseRateLimited},
		{"commands", text(`{"op":"release","client":"x"}`), false, wire.CloseRateLimited},
		{"clients", slices.Concat(text(`{"op":"register","client":"x"}`), text(`{"op":"release","client":"x"}`)), false, wire.CloseRateLimited},
		{"subscriptions", slices.Concat(text(`{"id":4,"op":"subscribe","type":"T2"}`), text(`{"op":"unsubscribe","type":"T2"}`)), false, wire.CloseRateLimited},
		{"connects", text(`{"id":5,"op":"connect"}`), false, wire.CloseRateLimited},
		{"classic registrations", text(`{"type":"Register","from":"F"}`), true, wire.CloseRateLimited},
		{"unknown commands", text(`{"op":"dance"}`), false, wire.CloseRateLimited},
	}
}

// run floods the relay over one connection, and returns the close frame that it ends with, "" without one.
func (f *flood) run(address string) string {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * relaytest.Patience))
	open := handshake(wire.Subprotocol, `{"op":"connect","clients":["F"]}`)
	if f.classic {
		open = handshake("")
	}
	io.WriteString(conn, open)
	in := bufio.NewReader(conn)
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != 101 || f.frames == nil {
		return ""
	}
	go func() {
		many := bytes.Repeat(f.frames, max(1, 4096/len(f.frames)))
		for err == nil {
			_, err = conn.Write(many)
		}
	}()
	for {
		if op, text, err := readFrame(in); err != nil || op == 8 {
			return text
		}
	}
}

// Whoever floods the relay is cut off, and until then nobody loses anything.
func TestFloodDrownsTheOthers(t *testing.T) {
	r := relaytest.Start(t, farm)
	for _, f := range floods() {
		t.Run(f.name, func(t *testing.T) {
			page := r.V1(t, connectToken("a:", "Ann"), "page")
			page.Subscribe("T")
			const messages = 100
			got := make(chan error, 1)
			go func() {
				for n := 0; n < messages; {
					frame := page.Next()
					if strings.Contains(frame, `"wiki":true`) {
						if !strings.HasPrefix(frame, fmt.Sprintf(`{"type":"T","msg":%d,`, n)) {
							got <- fmt.Errorf("got %s, want %d", frame, n)
							return
						}
						n++
					}
				}
				got <- nil
			}()
			over := make(chan string, 1)
			go func() { over <- f.run(r.Addresses()[0].String()) }()
			for n := range messages {
				r.Publish(t, "a:", fmt.Sprintf(`[{"type":"T","msg":%d}]`, n))
			}
			if err := <-got; err != nil {
				t.Error(err)
			}
			if want := string([]byte{byte(f.want.Code >> 8), byte(f.want.Code)}) + f.want.Reason; <-over != want {
				t.Errorf("the flood did not end with %v", f.want)
			}
			page.CloseNow()
		})
	}
}

const (
	floodVariable = "WEBSOCKET_TEST_FLOOD" // set for a process that only floods the relay at that address
	floodPeers    = 4
)

// floodFrom floods a relay from several goroutines, each over one connection after the other, until standard input ends.
func floodFrom(address, name string) {
	for _, f := range append(floods(), flood{name: "handshakes"}) {
		if f.name != name {
			continue
		}
		for range floodPeers {
			go func() {
				for {
					f.run(address)
				}
			}()
		}
	}
	io.Copy(io.Discard, os.Stdin)
}

// startFlood floods a relay from another process, which the returned function ends.
func startFlood(b *testing.B, r *relaytest.Relay, name string) (stop func()) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{floodVariable + "=" + r.Addresses()[0].String(), floodVariable + "_NAME=" + name}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkLatencyUnderFlood is how long a message takes from a wiki to a page on loopback while another process floods the relay.
func BenchmarkLatencyUnderFlood(b *testing.B) {
	for _, f := range append(append([]flood{{name: "none"}}, floods()...), flood{name: "handshakes"}) {
		b.Run(f.name, func(b *testing.B) {
			r := relaytest.Start(b, func(c *config.Config) {
				farm(c)
				c.Limits.WikiPublishes.PerSecond, c.Limits.WikiPublishes.Burst = 1<<30, 1<<30
			})
			page := r.V1(b, connectToken("a:", "Ann"), "page")
			page.Subscribe("P")
			if f.name != "none" {
				defer startFlood(b, r, f.name)()
				r.Await(b, "flood", func(s relaytest.Stats) bool { return s.Connections > 1 })
			}
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			url, token := "http://"+r.Addresses()[0].String()+"/api/publish", "Bearer "+relaytest.Token("a:", "publish", "", nil)
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				publishOne(b, client, url, token)
				page.Next()
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			ms := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1000 }
			b.ReportMetric(ms(0.5), "p50-ms")
			b.ReportMetric(ms(0.99), "p99-ms")
		})
	}
}

func publishOne(b *testing.B, client *http.Client, url, token string) {
	q, err := http.NewRequest("POST", url, strings.NewReader(`{"messages":[{"type":"P","msg":{"event":"edit","page":12,"rev":34}}]}`))
	if err != nil {
		b.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", token)
	answer, err := client.Do(q)
	if err != nil {
		b.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if answer.StatusCode != 200 {
		b.Fatal(answer.Status)
	}
}
