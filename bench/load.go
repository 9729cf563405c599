//go:build linux

package main

import (
	"cmp"
	"time"

	"mediawiki-websocket/bench/gen"
)

const (
	stall = 4 * time.Second // without a delivery: what is missing is lost
	// gap is how long the generator does nothing between two looks at its sockets while a server is saturated. Remote clients would not wake anybody
	// either; without it polling costs the server up to a tenth.
	gap = 50 * time.Microsecond
)

// load is how messages are offered.
type load struct {
	room   func() int               // of the next message
	by     func(room int) *gen.Conn // who sends it; nil: the first publisher
	each   int                      // subscribers of a room
	size   int                      // of the payload
	also   func()                   // done at every turn of an open loop
	until  func() bool              // when an open loop ends; nil: after its length
	length time.Duration            // default: the flag's
}

func (r *rig) sender(l *load, room int) *gen.Conn {
	if l.by != nil {
		return l.by(room)
	}
	return r.pubs[0]
}

// saturate keeps window messages in flight for a while.
func (b *bench) saturate(r *rig, l load, window int) values {
	delivered, number := r.Delivered, r.number
	begin := gen.Now()
	end := begin + int64(b.warm) + int64(stall)
	var from reading
	r.From = gen.Never
	seen, since := r.Delivered, begin
	for now := begin; now < end && now-since < int64(stall); now = gen.Now() {
		if r.From == gen.Never && now > begin+int64(b.warm) && r.Delivered > delivered {
			r.Latency.Reset()
			from = r.read()
			r.From, end = from.at, from.at+int64(b.length)
		}
		if r.Delivered != seen {
			seen, since = r.Delivered, now
		}
		for int64(r.number-number)*int64(l.each)-int64(r.Delivered-delivered) < int64(window*l.each) {
			room := l.room()
			r.publish(r.sender(&l, room), room, l.size, gen.Now())
		}
		r.Step(0)
		r.Rest(gen.Now() + int64(gap))
	}
	v := r.since(from).latency(&r.Latency)
	r.settle(settleShort)
	v["lost"] = float64(r.number-number)*float64(l.each) - float64(r.Delivered-delivered)
	return v
}

// offer publishes at a fixed rate, so many deliveries a second. Latency counts from when a message was due.
func (b *bench) offer(r *rig, l load, rate float64) values {
	delivered, number := r.Delivered, r.number
	every := int64(1e9 * float64(l.each) / rate)
	begin := gen.Now()
	end := begin + int64(b.warm+cmp.Or(l.length, b.length))
	var from reading
	r.From = gen.Never
	over := func() bool { return gen.Now() >= end }
	if l.until != nil {
		over = l.until
	}
	for now, due := begin, begin; !over(); now = gen.Now() {
		if r.From == gen.Never && now > begin+int64(b.warm) {
			r.Latency.Reset()
			from = r.read()
			r.From = from.at
		}
		for ; due <= now; due += every {
			room := l.room()
			r.publish(r.sender(&l, room), room, l.size, due)
		}
		r.Step(0)
		if l.also != nil {
			l.also()
			r.Worked()
		}
	}
	v := r.since(from)
	r.settle(settleShort)
	v["lost"] = float64(r.number-number)*float64(l.each) - float64(r.Delivered-delivered)
	return v.latency(&r.Latency)
}

func first() int { return 0 }
