package server

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// open opens a connection that is polled.
func (f *fallback) open(w http.ResponseWriter, r *http.Request) {
	f.transport = transportPoll
	out := &polled{f: f}
	out.room.L = &out.mu
	f.out = out
	if !f.dial(w, r) {
		return
	}
	out.mu.Lock()
	out.clock = time.AfterFunc(pollGrace, out.tick)
	out.mu.Unlock()
	f.s.fallbacks.add(f)
	f.s.fallbacks.rest(f, true)
	f.run(f.pump)
	answerPoll(w, append(codec.AppendString([]byte(`{"key":`), f.key), '}'))
}

func answerPoll(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}

// polled is the outlet of a connection that is polled. It keeps as many bytes as the relay lets wait for a slow connection; after that the relay itself
// waits, and cuts off who takes nothing.
type polled struct {
	f *fallback

	mu      sync.Mutex
	room    sync.Cond // for more frames
	frames  [][]byte  // which are not acknowledged
	bytes   int
	acked   uint64      // how many were before them
	waiting net.Conn    // a poll,
	head    []byte      // and its answer's head
	clock   *time.Timer // what happens when nothing happens
	closed  *wire.Close // how it has ended
	dead    bool        // nobody wants to know
}

func (p *polled) put(frame []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.bytes > 0 && p.bytes+len(frame) > p.f.s.cfg.Limits.OutboxBytes && !p.dead {
		p.answer()
		p.room.Wait()
	}
	if p.dead {
		return net.ErrClosed
	}
	p.frames = append(p.frames, bytes.Clone(frame)) // what it was read into may be twice as large
	p.hold(len(frame))
	return nil
}

// hold counts so many bytes of frames more; p.mu is held.
func (p *polled) hold(bytes int) {
	p.bytes += bytes
	if end := p.f.s.fallbacks.hold(p.f, bytes); end != nil {
		end.run(end.out.abort)
	}
}

func (p *polled) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer()
}

// answer answers the poll that waits, when there is something to say.
func (p *polled) answer() {
	if p.waiting != nil && (len(p.frames) > 0 || p.closed != nil) {
		p.reply(p.text())
	}
}

// reply answers the poll that waits, in a goroutine of its own, which ends with the write timeout at the latest.
func (p *polled) reply(text []byte) {
	nc, b := p.waiting, append(p.head, "Content-Length: "+strconv.Itoa(len(text))+"\r\n\r\n"...)
	p.waiting, p.head = nil, nil
	p.f.s.fallbacks.rest(p.f, !p.dead)
	p.clock.Reset(pollGrace)
	p.f.run(func() {
		defer nc.Close()
		for b = append(b, text...); len(b) > 0; {
			n := min(len(b), streamChunk)
			nc.SetWriteDeadline(time.Now().Add(p.f.s.cfg.Limits.WriteTimeout))
			if _, err := nc.Write(b[:n]); err != nil {
				return // and the frames come again with the next poll, if there is one
			}
			b = b[n:]
		}
	})
}

// text returns what is to be said now: as many frames as fit, or how the connection has ended.
func (p *polled) text() []byte {
	if len(p.frames) == 0 && p.closed != nil {
		p.die()
		return append(append([]byte(`{"close":`), closeMembers(*p.closed)...), '}')
	}
	b, n, size := []byte(`{"frames":[`), 0, 0
	for n < len(p.frames) && (n == 0 || size+len(p.frames[n]) <= pollBytes) {
		if n > 0 {
			b = append(b, ',')
		}
		b = codec.AppendString(b, string(p.frames[n]))
		size += len(p.frames[n])
		n++
	}
	return append(strconv.AppendUint(append(b, `],"next":`...), p.acked+uint64(n), 10), '}')
}

// poll answers a poll that has had everything up to ack, now or when there are frames.
func (p *polled) poll(w http.ResponseWriter, ack uint64) {
	if text, err := p.next(w, ack); err != nil {
		refuse(w, err)
	} else if text != nil {
		answerPoll(w, text)
	}
}

// next returns what a poll is answered with now, or nil when it has to wait, or its connection has gone.
func (p *polled) next(w http.ResponseWriter, ack uint64) ([]byte, *wire.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != nil && len(p.frames) == 0 {
		return p.text(), nil
	}
	if ack < p.acked || ack > p.acked+uint64(len(p.frames)) {
		return nil, wire.NewError(wire.BadRequest, `ACK must be the "next" of the last answer`)
	}
	n := int(ack - p.acked)
	for _, frame := range p.frames[:n] {
		p.hold(-len(frame))
	}
	clear(p.frames[:n])
	p.frames, p.acked = p.frames[n:], ack
	if len(p.frames) == 0 {
		p.frames = nil
	}
	p.room.Broadcast()
	if p.waiting != nil { // who has asked before does not wait any more
		p.reply(p.nothing())
	}
	if len(p.frames) > 0 || p.closed != nil {
		p.clock.Reset(pollGrace)
		return p.text(), nil
	}
	w.Header().Set("Content-Type", "application/json")
	nc, head, err := hold(w, func(nc net.Conn) { nc.Close() })
	if err != nil {
		return nil, nil
	}
	if p.f.known.Load() {
		known(nc)
	}
	p.waiting, p.head = nc, head
	p.f.s.fallbacks.rest(p.f, false)
	p.clock.Reset(pollHold)
	return nil, nil
}

// nothing is the answer without frames.
func (p *polled) nothing() []byte {
	return append(strconv.AppendUint([]byte(`{"frames":[],"next":`), p.acked, 10), '}')
}

// tick is what happens when nothing has happened.
func (p *polled) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting != nil {
		p.reply(p.nothing())
		return
	}
	p.die()
	p.f.hangUp()
}

// die forgets the connection.
func (p *polled) die() {
	p.dead, p.frames = true, nil
	p.hold(-p.bytes)
	p.clock.Stop()
	p.room.Broadcast()
	p.f.s.fallbacks.remove(p.f)
}

// ping needs no answer: who does not poll is found out by the clock.
func (p *polled) ping() bool { return true }

func (p *polled) welcome() {}

func (p *polled) end(why wire.Close) {
	if oldest := p.ended(why); oldest != nil {
		oldest.out.abort()
	}
}

// ended keeps how the connection has ended for a last poll, and returns the one for which that is done no more.
func (p *polled) ended(why wire.Close) (oldest *fallback) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil
	}
	if !p.f.used.Load() { // nobody has said anything, or asked: nobody is told
		p.die()
		return nil
	}
	p.answer()
	p.closed = &why
	if p.bytes > lingerBytes { // the page fetches what it does not have when it comes back, as after any connection that broke off
		p.frames = nil
		p.hold(-p.bytes)
	}
	if p.answer(); p.dead {
		return nil
	}
	return p.f.s.fallbacks.linger(p.f, max(1, p.f.s.files.sockets()/4))
}

func (p *polled) abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.die()
	p.f.hangUp()
	if p.waiting != nil {
		p.waiting.Close()
		p.waiting = nil
	}
}
