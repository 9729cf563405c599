package conn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire"
)

func TestMain(m *testing.M) { leak.Main(m) }

// pair returns a socket and the peer's end; small makes the kernel's buffers small, so that writes soon have to wait.
func pair(t *testing.T, kind string, small bool) (*socket, net.Conn, *Env) {
	t.Helper()
	var here, there net.Conn
	if kind == "pipe" {
		here, there = net.Pipe()
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if there, err = net.Dial("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if here, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		if small {
			here.(*net.TCPConn).SetWriteBuffer(64 << 10)
			there.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
	}
	env := &Env{Limits: Limits{OutboxBytes: 1 << 30, WriteTimeout: leak.Patience}}
	s := &socket{Conn: here, fd: int32(plainFD(here)), env: env}
	if (s.fd < 0) != (kind == "pipe") {
		t.Fatalf("descriptor %d for a %s", s.fd, kind)
	}
	t.Cleanup(func() { s.abort(); there.Close(); env.wg.Wait() })
	there.SetDeadline(time.Now().Add(2 * leak.Patience))
	return s, there, env
}

// read reads one byte of s, as the library does.
func read(s *socket) error {
	r := newReader(&Env{Hub: hub.New()}, readBytes)
	defer r.ws.CloseNow()
	r.lend(s, nil)
	s.frames.limits = new(Limits)
	_, err := r.Read(make([]byte, 1))
	return err
}

// record is a frame in these tests: its length, who queued it, and which of theirs it is.
func record(who, n, size int) []byte {
	b := make([]byte, 12+size)
	binary.BigEndian.PutUint32(b, uint32(size))
	binary.BigEndian.PutUint32(b[4:], uint32(who))
	binary.BigEndian.PutUint32(b[8:], uint32(n))
	for i := range size {
		b[12+i] = byte(n)
	}
	return b
}

// Whoever has queued something may be held up for long: what is sent behind it takes it along.
func TestSendDoesNotWaitForWhoHasQueued(t *testing.T) {
	for _, kind := range []string{"tcp", "pipe"} {
		s, peer, _ := pair(t, kind, false)
		if !s.Queue([]byte("queued ")) {
			t.Fatal("nobody is to flush")
		}
		s.Send([]byte("and sent"))
		got := make([]byte, len("queued and sent"))
		if _, err := io.ReadFull(peer, got); err != nil || string(got) != "queued and sent" {
			t.Errorf("%s: %q %v", kind, got, err)
		}
		s.Flush()
	}
}

func TestConcurrentFramesStayWholeAndInOrder(t *testing.T) {
	for _, c := range []struct {
		kind  string
		small bool
	}{{"tcp", false}, {"tcp", true}, {"pipe", false}} {
		t.Run(fmt.Sprintf("%s, small buffers %t", c.kind, c.small), func(t *testing.T) {
			s, peer, _ := pair(t, c.kind, c.small)
			const writers, each = 4, 300
			for w := range writers {
				go func() {
					for n := range each {
						r := record(w, n, (w*7919+n*104729)%5000)
						switch {
						case n%3 == 0:
							s.Write(r) // as the library writes control frames; the socket keeps a copy
							clear(r)
						case s.Queue(r) && n%3 == 1:
							s.Flush()
						}
					}
					s.Flush()
				}()
			}
			in := bufio.NewReader(peer)
			next := make([]int, writers)
			for range writers * each {
				var head [12]byte
				if _, err := io.ReadFull(in, head[:]); err != nil {
					t.Fatal(err)
				}
				size, w, n := int(binary.BigEndian.Uint32(head[:])), int(binary.BigEndian.Uint32(head[4:])), int(binary.BigEndian.Uint32(head[8:]))
				if w >= writers || next[w] != n {
					t.Fatalf("frame %d of %d, want %v", n, w, next)
				}
				next[w]++
				body := make([]byte, size)
				if _, err := io.ReadFull(in, body); err != nil || !bytes.Equal(body, bytes.Repeat([]byte{byte(n)}, size)) {
					t.Fatalf("frame %d of %d is not whole: %v", n, w, err)
				}
			}
		})
	}
}

func TestCloseWritesWhatIsQueuedFirst(t *testing.T) {
	for _, kind := range []string{"tcp", "pipe"} {
		s, peer, env := pair(t, kind, true)
		const frames = 200
		for n := range frames {
			s.Queue(record(0, n, 5000))
		}
		s.end(wire.CloseNormal)
		if s.Queue(record(0, 0, 1)) {
			t.Error("a frame behind the close frame")
		}
		if n, err := s.Write([]byte{0x88, 0}); n != 2 || err != nil {
			t.Errorf("the library's own close frame: %d %v", n, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := read(s); err == nil {
			t.Error("a Read after Close did not return")
		}
		got, err := io.ReadAll(peer)
		want := frames*5012 + len(hub.CloseFrame(wire.CloseNormal))
		if err != nil || len(got) != want {
			t.Errorf("%s: %d bytes, %v, want %d", kind, len(got), err, want)
		}
		env.wg.Wait()
		if err := s.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
	}
}

func TestOutboxAtItsLimitAndOnePast(t *testing.T) {
	s, _, _ := pair(t, "pipe", false)
	s.env.Limits.OutboxBytes = 100
	if !s.Queue(make([]byte, 1000)) {
		t.Error("a single frame past the limit must be taken")
	}
	if s.Queue(make([]byte, 1)); s.verdict().Code != 4000 {
		t.Error("a frame past the limit was taken")
	}
	s, peer, _ := pair(t, "pipe", false)
	s.env.Limits.OutboxBytes = 100
	s.Queue(make([]byte, 60))
	if s.Queue(make([]byte, 40)); s.verdict().Code != 0 {
		t.Error("100 bytes of 100 are too many")
	}
	if !s.Queue(make([]byte, 0)) {
		t.Error("more than half full, and nobody else is asked to flush")
	}
	if s.Queue(make([]byte, 1)); s.verdict().Code != 4000 {
		t.Error("101 bytes of 100 were taken")
	}
	s.Flush()
	want := hub.CloseFrame(wire.CloseSlow) // what waited is dropped
	got := make([]byte, len(want))
	if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
}

// A peer that pings and does not read would have a small frame queued for each ping.
func TestManySmallFramesPastTheOutbox(t *testing.T) {
	s, _, _ := pair(t, "pipe", false)
	s.env.Limits.OutboxBytes = frameBytes * 2 * fewFrames
	for i := range 2 * fewFrames {
		if s.Queue([]byte{0x8a, 0}); s.verdict().Code != 0 {
			t.Fatalf("cut off at frame %d", i)
		}
	}
	if s.Queue([]byte{0x8a, 0}); s.verdict().Code != 4000 {
		t.Errorf("%d frames wait", len(s.queue))
	}
}

// A socket that was given up writes nothing any more: its descriptor may be another connection's by then.
func TestAbortedSocketNeverWrites(t *testing.T) {
	s, peer, env := pair(t, "tcp", false)
	s.Queue([]byte("secret"))
	s.abort()
	env.wg.Wait()
	s.Flush()
	if got, _ := io.ReadAll(peer); len(got) != 0 {
		t.Errorf("written: %q", got)
	}
}

func TestPeerThatTakesNothingIsGivenUp(t *testing.T) {
	for _, kind := range []string{"tcp", "pipe"} {
		s, _, env := pair(t, kind, true)
		s.env.Limits.WriteTimeout = 50 * time.Millisecond
		for n := range 2000 {
			s.Queue(record(0, n, 5000))
		}
		s.Flush()
		env.wg.Wait()
		if verdict := s.verdict(); verdict != wire.CloseSlow || !s.closed {
			t.Errorf("%s: %v, closed %t", kind, verdict, s.closed)
		}
	}
}

func TestAbortEndsABlockedWriterAndReader(t *testing.T) {
	for _, kind := range []string{"tcp", "pipe"} {
		s, _, env := pair(t, kind, true)
		ended := make(chan error)
		go func() {
			ended <- read(s)
		}()
		for n := range 2000 {
			s.Queue(record(0, n, 5000))
		}
		s.Flush()
		s.abort()
		s.abort()
		if err := <-ended; err == nil || errors.Is(err, os.ErrNoDeadline) {
			t.Error(err)
		}
		env.wg.Wait()
		if !s.closed {
			t.Errorf("%s: not closed", kind)
		}
	}
}
