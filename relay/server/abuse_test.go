package server_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// stages is where a peer breaks off: what it has sent by then, and whether it reads anything first.
func stages() map[string]string {
	open := handshake(wire.Subprotocol)
	connect, subscribe, send := `{"id":1,"op":"connect","clients":["x"]}`, `{"id":2,"op":"subscribe","type":"T"}`, `{"id":3,"op":"send","type":"T"}`
	connected := open + string(mask(textFrame, connect))
	with := func(frames ...[]byte) string {
		text := connected
		for _, f := range frames {
			text += string(f)
		}
		return text
	}
	half := mask(textFrame, send)
	return map[string]string{
		"no byte":                          "",
		"one byte":                         "G",
		"TLS":                              "\x16\x03\x01\x02\x00\x01",
		"not HTTP":                         "\x00\x01\x02\r\n\r\n",
		"half a request line":              "GET / HT",
		"half a header":                    open[:len(open)/2],
		"all but the end of the header":    open[:len(open)-1],
		"a refused handshake":              strings.Replace(open, "Version: 13", "Version: 8", 1),
		"a foreign origin":                 strings.Replace(open, "Host: x", "Host: x\r\nOrigin: https://evil.example", 1),
		"another page":                     "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
		"half a publish":                   "POST /api/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
		"a handshake":                      open,
		"a classic handshake":              handshake(""),
		"a classic registration":           handshake("", `{"type":"Register","from":"y"}`),
		"connect":                          connected,
		"a token that does not do":         open + string(mask(textFrame, `{"id":1,"op":"connect","token":"x"}`)),
		"subscribe":                        with(mask(textFrame, subscribe)),
		"half a head":                      with(half[:1]),
		"half a mask":                      with(half[:4]),
		"half a payload":                   with(half[:len(half)/2]),
		"half a long length":               with([]byte{textFrame, 0xff, 0, 0}),
		"half a message":                   with(mask(1, send)),
		"half a message and a ping":        with(mask(1, send), mask(pingFrame, "")),
		"half a ping":                      with(mask(pingFrame, "1234")[:7]),
		"pings whose answers nobody reads": with(mask(pingFrame, strings.Repeat("x", 125)), mask(pingFrame, strings.Repeat("x", 125))),
		"send":                             with(mask(textFrame, subscribe), mask(textFrame, send)),
		"reserved bits":                    with(mask(0xf1, "x")),
		"no mask":                          with([]byte{textFrame, 1, 'x'}),
		"not UTF-8":                        with(mask(textFrame, "\xff")),
		"too large":                        with(maskAs(textFrame, "", 1<<20, 0)),
		"binary":                           with(mask(binaryFrame, "x")),
		"half a close":                     with(closing(1000, "bye")[:7]),
		"close":                            with(closing(1000, "bye")),
		"a bad close":                      with(closing(1005, "bye")),
		"close and more":                   with(closing(1000, "bye"), mask(textFrame, send)),
	}
}

// breakOff opens a connection, sends text and ends it in one of several ways.
func breakOff(r *relaytest.Relay, text string, how int) error {
	nc, err := net.Dial("tcp", r.Addresses()[0].String())
	if err != nil {
		return err
	}
	c := nc.(*net.TCPConn)
	defer c.Close()
	c.SetDeadline(time.Now().Add(relaytest.Patience))
	io.WriteString(c, text)
	switch how % 4 {
	case 0: // with what the relay has sent unread
	case 1:
		c.SetLinger(0) // a reset
	case 2:
		c.CloseWrite()
		_, err = io.Copy(io.Discard, c) // until the relay has ended it, too
	case 3:
		if strings.HasSuffix(text, "\r\n\r\n") {
			c.Read(make([]byte, 1)) // within the answer
		}
	}
	return err
}

// remains is what a process holds.
type remains struct {
	goroutines, files int
	heap              uint64
}

func measure(t *testing.T) (r remains) {
	t.Helper()
	for range 3 { // what pools hold is let go with the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return remains{runtime.NumGoroutine(), len(open), m.HeapAlloc}
}

func TestConnectionsThatBreakOffAtAnyStageAddUp(t *testing.T) {
	r := relaytest.Start(t, farm)
	all := stages()
	cycles := func(n int) {
		t.Helper()
		work := make(chan func() error)
		var workers sync.WaitGroup
		for range 16 {
			workers.Go(func() {
				for f := range work {
					if err := f(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i := range (n + len(all) - 1) / len(all) {
			for name, text := range all {
				work <- func() error {
					if err := breakOff(r, text, i+len(name)); err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					return nil
				}
			}
		}
		close(work)
		workers.Wait()
		r.Await(t, "end", func(s relaytest.Stats) bool { return s.Connections+s.Clients+s.Types == 0 })
	}
	cycles(1000) // until pools and tables have their size
	// Readers that are kept for later connections are more when more were at work at once, up to a limit: what adds up grows each time.
	for round := 1; ; round++ {
		before := measure(t)
		cycles(5000)
		after, ended := before, false
		for end := time.Now().Add(relaytest.Patience); !ended && time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // handshakes that were cut off end on their own
			after = measure(t)
			ended = after.goroutines <= before.goroutines && after.files <= before.files && after.heap <= before.heap+before.heap/10
		}
		t.Logf("%+v, before %+v", after, before)
		if ended {
			break
		}
		if round == 4 || after.goroutines > before.goroutines || after.files > before.files {
			t.Fatalf("%+v, before %+v, time %d", after, before, round)
		}
	}
	c := r.V1(t, "", "after")
	c.ExpectNothing()
}
