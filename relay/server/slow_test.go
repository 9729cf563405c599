package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// raw opens a connection whose bytes the test itself sees, and sends it the masked text frames (with a mask of zeros).
func raw(t testing.TB, r *relaytest.Relay, subprotocol string, frames ...string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", r.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(3 * relaytest.Patience))
	io.WriteString(c, handshake(subprotocol, frames...))
	in := bufio.NewReader(c)
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != 101 {
		t.Fatalf("handshake: %v %v", answer, err)
	}
	return c, in
}

// handshake returns a handshake with frames in the same write: what follows at once must not be lost.
func handshake(subprotocol string, frames ...string) string {
	request := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	if subprotocol != "" {
		request += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	}
	request += "\r\n"
	for _, f := range frames {
		if len(f) >= 126 {
			panic("too long for this test's frames")
		}
		request += "\x81" + string([]byte{0x80 | byte(len(f))}) + "\x00\x00\x00\x00" + f
	}
	return request
}

// readFrame returns the opcode and the payload of the next frame.
func readFrame(in *bufio.Reader) (byte, string, error) {
	var head [10]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return 0, "", err
	}
	n := int(head[1])
	switch n {
	case 126:
		io.ReadFull(in, head[:2])
		n = int(head[0])<<8 | int(head[1])
		head[0] = 0x81
	case 127:
		io.ReadFull(in, head[2:10])
		n = int(head[6])<<24 | int(head[7])<<16 | int(head[8])<<8 | int(head[9])
	}
	data := make([]byte, n)
	_, err := io.ReadFull(in, data)
	return head[0] & 0x0f, string(data), err
}

func TestFramesRightBehindTheHandshakeCount(t *testing.T) {
	r := relaytest.Start(t, farm)
	_, in := raw(t, r, wire.Subprotocol, `{"id":1,"op":"connect"}`, `{"id":2,"op":"subscribe","type":"T"}`)
	for _, want := range []string{`{"id":1,"ok":`, `{"id":2,"ok":`} {
		if op, text, err := readFrame(in); op != 1 || !strings.HasPrefix(text, want) {
			t.Errorf("got %d %s %v", op, text, err)
		}
	}
}

// readAll reads n messages of T, which count from 0, and says what came instead of one. It calls arrived after each.
func readAll(in *bufio.Reader, n int, arrived func(n int)) error {
	for i := 0; i < n; {
		op, text, err := readFrame(in)
		switch {
		case err != nil || op == 8:
			return fmt.Errorf("ended at %d with %q: %w", i, text, err)
		case op != 1 || strings.HasPrefix(text, `{"id":`):
		case !strings.HasPrefix(text, fmt.Sprintf(`{"type":"T","msg":"%d x`, i)):
			return fmt.Errorf("got %.60s, want %d", text, i)
		default:
			arrived(i)
			i++
		}
	}
	return nil
}

func TestReaderThatStopsHarmsNobodyElse(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) {
		farm(c)
		c.Limits.WriteTimeout = time.Second
		c.Limits.OutboxBytes = 256 << 10
	})
	const readers, messages, ahead = 199, 120, 5
	subscribe := []string{`{"id":1,"op":"connect"}`, `{"id":2,"op":"subscribe","type":"T"}`}
	_, stopped := raw(t, r, wire.Subprotocol, subscribe...)
	var arrived [messages]sync.WaitGroup
	for n := range arrived {
		arrived[n].Add(readers)
	}
	faults := make(chan error, readers)
	for range readers {
		_, in := raw(t, r, wire.Subprotocol, subscribe...)
		for range subscribe {
			if _, text, err := readFrame(in); code(text) != "ok" || err != nil {
				t.Fatal(text, err)
			}
		}
		go func() {
			next := 0
			err := readAll(in, messages, func(n int) {
				arrived[n].Done()
				next = n + 1
			})
			for ; next < messages; next++ { // keep nobody waiting
				arrived[next].Done()
			}
			faults <- err
		}()
	}
	padding := strings.Repeat("x", 40000)
	for n := range messages {
		if n >= ahead {
			arrived[n-ahead].Wait()
		}
		r.Publish(t, "a:", fmt.Sprintf(`[{"type":"T","msg":"%d %s"}]`, n, padding))
	}
	for range readers {
		if err := <-faults; err != nil {
			t.Error(err)
		}
	}
	r.Await(t, "end of the one that stopped", func(s relaytest.Stats) bool { return s.Connections == readers })
	_, _, metrics := r.HTTP(t, "GET", "http://control/metrics", "")
	if !strings.Contains(metrics, `websocket_relay_closed_total{code="4000"} 1`) {
		t.Error("not counted as a slow consumer")
	}
	if n, _ := io.Copy(io.Discard, stopped); n == 0 {
		t.Error("what it could have read was thrown away")
	}
}

func TestSlowReaderThatComesBackSeesWhy(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) {
		farm(c)
		c.Limits.OutboxBytes = 64 << 10
		c.Limits.WriteTimeout = time.Minute // this peer comes back in time, however slow the machine
	})
	_, in := raw(t, r, wire.Subprotocol, `{"id":1,"op":"connect"}`, `{"id":2,"op":"subscribe","type":"T"}`)
	r.Await(t, "subscription", func(s relaytest.Stats) bool { return s.Types == 1 })
	last := r.Stats(t).Delivered
	for { // until the kernel takes no more and the outbox is full
		r.Publish(t, "a:", `[{"type":"T","msg":"`+strings.Repeat("x", 60000)+`"}]`)
		now := r.Stats(t)
		if now.Connections == 0 {
			t.Fatal("ended before it could come back")
		}
		if now.Delivered > last+300 {
			break
		}
	}
	for {
		op, text, err := readFrame(in)
		if err != nil {
			t.Fatalf("no close frame: %v", err)
		}
		if op == 8 {
			if want := string([]byte{4000 >> 8, 4000 & 0xff}) + "slow consumer"; text != want {
				t.Errorf("closed with %q, want %q", text, want)
			}
			return
		}
	}
}

func TestLargeBatchDoesNotMakeQuickReadersSlow(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.V1(t, "", "WS1")
	c.Subscribe("T")
	const n = 1000
	one := `{"type":"T","msg":"` + strings.Repeat("x", 1000) + `"}`
	got := make(chan struct{})
	go func() {
		defer close(got)
		for range n {
			c.Next()
		}
	}()
	r.Publish(t, "a:", "["+strings.Repeat(one+",", n-1)+one+"]")
	<-got
	big := `{"type":"T","msg":"` + strings.Repeat("x", 900<<10) + `"}` // more than an outbox holds
	r.Publish(t, "a:", "["+big+"]")
	if got := c.Next(); len(got) < 900<<10 {
		t.Errorf("got %d bytes", len(got))
	}
	c.ExpectNothing()
}
