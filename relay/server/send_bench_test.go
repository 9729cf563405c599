package server_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// BenchmarkSend is a message of a visitor and its stages. "whole" is everything from the bytes that the socket gives to those that it gets, frames included:
// the socket's own cost is not, for it is memory. The answers are written each by itself, as to a client that waits for each.
func BenchmarkSend(b *testing.B) {
	r := relaytest.Start(b, hundredTypes)
	r.Subscribe(engine.Key{Wiki: "a:", Type: "a:Chat/1234"}, nowhere{})
	l := &feeds{conns: make(chan net.Conn), done: make(chan struct{})}
	r.Serve(l)
	limits := wire.DefaultLimits()
	// So generous that nothing is refused; each message is counted all the same.
	token := relaytest.Token("a:", "connect", "Ann", map[string]any{"rate": auth.Rate{Count: 1 << 30, Seconds: 1}})
	id, err := r.VerifyConnect(token)
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range envelopeSizes {
		frame := []byte(padded(visitorEnvelope, size.bytes))
		c, err := codec.ParseCommand(frame, limits)
		if err != nil {
			b.Fatal(err)
		}
		k, err := r.MaySend(&id, c.Type)
		if err != nil {
			b.Fatal(err)
		}
		answer := make([]byte, 0, 100)
		for _, stage := range []struct {
			name string
			do   func() error
		}{
			{"parse", func() error { return fault(second(codec.ParseCommand(frame, limits))) }},
			{"policy", func() error { return fault(second(r.MaySend(&id, c.Type))) }},
			{"engine", func() error {
				return r.Deliver(engine.Message{Key: k.Key, Message: codec.Message{Envelope: c.Envelope, User: id.User}})
			}},
			{"answer", func() error { answer = codec.AppendOK(answer[:0], c.ID, []byte(`{"offset":123456}`)); return nil }},
		} {
			b.Run(stage.name+"/"+size.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := stage.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run("whole/"+size.name, func(b *testing.B) {
			open := `{"op":"connect","token":"` + token + `","clients":["0123456789abcdef0123456789abcdef"]}`
			benchmarkFeed(b, r, l, &feed{frame: mask(textFrame, string(frame)), before: [][]byte{[]byte(handshake(wire.Subprotocol)), mask(textFrame, open)}})
		})
	}
}

// benchmarkFeed hands the relay a connection on which b.N times the same message comes.
func benchmarkFeed(b *testing.B, r *relaytest.Relay, l *feeds, f *feed) {
	f.left, f.start, f.closed = b.N, make(chan struct{}), make(chan struct{})
	l.conns <- f
	r.Await(b, "connection", func(s relaytest.Stats) bool { return s.Connections > 0 })
	before := r.Stats(b).Published
	b.ReportAllocs()
	b.ResetTimer()
	close(f.start)
	<-f.closed
	b.StopTimer()
	if got := r.Stats(b).Published - before; got != uint64(b.N) {
		b.Errorf("%d of %d messages published", got, b.N)
	}
	r.Await(b, "end", func(s relaytest.Stats) bool { return s.Connections == 0 })
}

// feed is a socket in memory, from which the relay reads a handshake and then frame after frame, as fast as it can, until it has read all and the peer
// is gone. What comes before waits for no start, each part in a read of its own: net/http reads on while it hands a connection over.
type feed struct {
	before        [][]byte
	frame         []byte
	at, left      int
	start, closed chan struct{}
	closing       sync.Once
}

func (f *feed) Read(p []byte) (int, error) {
	if len(f.before) > 0 {
		n := copy(p, f.before[0])
		if f.before[0] = f.before[0][n:]; len(f.before[0]) == 0 {
			f.before = f.before[1:]
		}
		return n, nil
	}
	<-f.start
	if f.left == 0 {
		return 0, io.EOF
	}
	most := len(p)
	if f.at == 0 && most > 1 {
		most-- // nothing more than the frame was there, so that the relay does not take the peer for one that never pauses
	}
	n := copy(p[:most], f.frame[f.at:])
	if f.at += n; f.at == len(f.frame) {
		f.at = 0
		f.left--
	}
	return n, nil
}

func (f *feed) Write(p []byte) (int, error) { return len(p), nil }

func (f *feed) Close() error {
	f.closing.Do(func() { close(f.closed) })
	return nil
}

func (f *feed) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "feed", Net: "pipe"} }
func (f *feed) RemoteAddr() net.Addr             { return f.LocalAddr() }
func (f *feed) SetDeadline(time.Time) error      { return nil }
func (f *feed) SetReadDeadline(time.Time) error  { return nil }
func (f *feed) SetWriteDeadline(time.Time) error { return nil }

// feeds is a listener in memory, which the relay closes when it ends.
type feeds struct {
	conns  chan net.Conn
	done   chan struct{}
	ending sync.Once
}

func (l *feeds) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *feeds) Close() error {
	l.ending.Do(func() { close(l.done) })
	return nil
}

func (l *feeds) Addr() net.Addr { return &net.UnixAddr{Name: "feeds", Net: "pipe"} }
