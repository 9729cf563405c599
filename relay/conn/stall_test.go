package conn

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest/leak"
)

// Frames that many goroutines share out to many sockets stay whole and in order, while the peers read in fits and starts, on TCP and TLS, with control
// frames in between: ten million of them.
func TestTenMillionFramesThroughStalls(t *testing.T) {
	frames := 10_000_000
	if raceDetector {
		frames /= 10
	}
	const writers, plain, secure = 3, 20, 4
	env := &Env{Limits: Limits{OutboxBytes: 1 << 30, WriteTimeout: 10 * leak.Patience}}
	var sockets []*socket
	var peers []net.Conn
	for i := range plain + secure {
		s, peer := stalling(t, env, i >= plain)
		sockets, peers = append(sockets, s), append(peers, peer)
	}
	each := frames / len(sockets) / writers
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for n := range each {
				shareOut(sockets, w, n)
			}
			for _, s := range sockets {
				s.Flush()
			}
		})
	}
	for _, peer := range peers {
		work.Go(func() {
			if err := checkFrames(peer, writers, each); err != nil {
				t.Error(err)
				peer.Close()
			}
		})
	}
	work.Wait()
	for _, s := range sockets {
		s.abort()
	}
	env.wg.Wait()
	t.Logf("%d frames", each*writers*len(sockets))
}

// stalling returns a socket with small buffers, with or without TLS, and its peer.
func stalling(t *testing.T, env *Env, secure bool) (*socket, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	there, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	here, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	here.(*net.TCPConn).SetWriteBuffer(32 << 10)
	there.(*net.TCPConn).SetReadBuffer(32 << 10)
	if secure {
		server := httptest.NewTLSServer(nil)
		server.Close()
		here, there = tls.Server(here, server.TLS), tls.Client(there, &tls.Config{InsecureSkipVerify: true})
	}
	t.Cleanup(func() { there.Close() })
	return &socket{Conn: here, fd: int32(plainFD(here)), env: env}, there
}

// shareOut gives all sockets one frame, as fan-out does, as a reply or as the library's control frame; and waits for those that are far behind.
func shareOut(sockets []*socket, w, n int) {
	const behind = 1 << 20
	frame := record(w, n, (w*7919+n*104729)%300)
	if n%1000 == 999 {
		frame = record(w, n, 40_000)
	}
	for _, s := range sockets {
		switch {
		case n%101 == 0:
			s.Write(frame)
		case n%7 == 0:
			s.Queue(frame)
		case n%5 == 0:
			if s.Queue(frame) {
				s.Flush()
			}
		default:
			s.Send(frame)
		}
		for s.outstanding() > behind {
			s.Flush()
			time.Sleep(time.Millisecond)
		}
	}
}

// checkFrames reads each writer's frames, with pauses.
func checkFrames(peer net.Conn, writers, each int) error {
	in := bufio.NewReaderSize(peer, 16<<10)
	next := make([]int, writers)
	var head [12]byte
	body := make([]byte, 40_000)
	for i := range writers * each {
		if rand.IntN(20_000) == 0 {
			time.Sleep(rand.N(20 * time.Millisecond))
		}
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
		size, w, n := int(binary.BigEndian.Uint32(head[:])), int(binary.BigEndian.Uint32(head[4:])), int(binary.BigEndian.Uint32(head[8:]))
		if w >= writers || size > len(body) || next[w] != n {
			return fmt.Errorf("frame %d is number %d of writer %d, of %d bytes, want %v", i, n, w, size, next)
		}
		next[w]++
		if _, err := io.ReadFull(in, body[:size]); err != nil || bytes.Count(body[:size], []byte{byte(n)}) != size {
			return fmt.Errorf("frame %d is not whole: %w", i, err)
		}
	}
	return nil
}
