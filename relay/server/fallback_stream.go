package server

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

const (
	streamJoin  = 64 << 10 // so many bytes leave in one write
	streamChunk = 16 << 10 // of which each part has the write timeout for itself
)

// stream opens a connection whose frames come as Server-Sent Events. Nothing is padded: a proxy that holds back what is short would hold back the next
// message too, and a page that does not hear "open" takes another way.
func (f *fallback) stream(w http.ResponseWriter, r *http.Request) {
	f.transport = transportStream
	out := &stream{f: f}
	f.out = out
	if !f.dial(w, r) {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	nc, head, err := hold(w, func(net.Conn) { f.hangUp() })
	if err != nil {
		f.hangUp()
		return
	}
	out.conn = nc
	f.s.fallbacks.add(f)
	out.start(head)
	f.run(f.pump)
	f.run(out.watch)
}

// hold takes a connection out of net/http's hands, so that neither its time limits nor its end count for it. It returns the head of an answer that ends with
// the connection, but for the empty line. end is called when others need the room.
func hold(w http.ResponseWriter, end func(net.Conn)) (nc net.Conn, head []byte, err error) {
	nc, _, err = http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, wire.NewError(wire.Internal, "this server cannot hold a request"))
		return nil, nil, err
	}
	if g, ok := nc.(conn.Guest); ok && !g.Upgraded(func() { end(nc) }) {
		nc.Close()
		return nil, nil, net.ErrClosed
	}
	text := bytes.NewBufferString("HTTP/1.1 200 OK\r\n")
	w.Header().Set("Connection", "close")
	w.Header().Write(text)
	return nc, text.Bytes(), nil
}

// known tells the listener that the peer has said who it is.
func known(nc net.Conn) {
	if g, ok := nc.(conn.Guest); ok {
		g.Known()
	}
}

// stream is the outlet of Server-Sent Events.
type stream struct {
	f *fallback

	conn    net.Conn // which is set before anybody else knows the stream
	mu      sync.Mutex
	pending []byte
	err     error
	quiet   *time.Timer
}

func (s *stream) start(head []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet = time.AfterFunc(streamQuiet, s.comment)
	s.pending = append(head, "\r\n"...)
	s.event("open", append(codec.AppendString([]byte(`{"key":`), s.f.key), '}'))
	s.write()
	if s.f.known.Load() {
		known(s.conn)
	}
}

// watch ends the connection when the peer has gone, or says something although it has nothing to say.
func (s *stream) watch() {
	var b [1]byte
	s.conn.Read(b[:])
	s.f.hangUp()
}

func (s *stream) put(frame []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event("", frame)
	if len(s.pending) >= streamJoin {
		s.write()
	}
	return s.err
}

// event queues an event. Ends of lines, which in JSON stand only between words, would break it.
func (s *stream) event(name string, data []byte) {
	if name != "" {
		s.pending = append(append(append(s.pending, "event: "...), name...), '\n')
	}
	s.pending = append(s.pending, "data: "...)
	for _, b := range data {
		if b == '\n' || b == '\r' {
			b = ' '
		}
		s.pending = append(s.pending, b)
	}
	s.pending = append(s.pending, "\n\n"...)
}

func (s *stream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) > 0 {
		s.write()
	}
}

// write writes what is queued. A peer that takes nothing for the write timeout has ended the connection.
func (s *stream) write() {
	b := s.pending
	s.pending = nil
	for len(b) > 0 && s.err == nil {
		n := min(len(b), streamChunk)
		s.conn.SetWriteDeadline(time.Now().Add(s.f.s.cfg.Limits.WriteTimeout))
		_, s.err = s.conn.Write(b[:n])
		b = b[n:]
	}
	if s.err != nil {
		s.conn.Close() // and watch ends the rest
		return
	}
	s.quiet.Reset(streamQuiet)
}

func (s *stream) comment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.pending = append(s.pending, ":\n"...)
		s.write()
	}
}

// ping asks the peer for a sign of life: that the kernel takes events says nothing about it.
func (s *stream) ping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event("ping", nil)
	s.write()
	return false
}

func (s *stream) welcome() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		known(s.conn)
	}
}

func (s *stream) end(why wire.Close) {
	s.f.s.fallbacks.remove(s.f)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event("close", closeMembers(why))
	s.write()
	s.quiet.Stop()
	if s.err == nil {
		s.err = net.ErrClosed
	}
	s.conn.Close()
}

func (s *stream) abort() {
	s.f.hangUp()
	s.conn.Close() // without the lock, which who writes holds
}

// closeMembers returns a close as JSON.
func closeMembers(why wire.Close) []byte {
	return append(codec.AppendString(fmt.Appendf(nil, `{"code":%d,"reason":`, why.Code), why.Reason), '}')
}
