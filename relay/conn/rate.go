package conn

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/wire"
)

// bucket is a token bucket, as in golang.org/x/time/rate, but of 8 bytes and not of 96: every connection has several. The zero value is full. It is for
// one goroutine.
type bucket struct{ full int64 } // when it will be full again, in Unix nanoseconds

// take takes n out of the bucket and reports whether so many were in it; otherwise it takes none. now is in Unix nanoseconds.
func (b *bucket) take(r Rate, now int64, n int) bool {
	each := float64(time.Second) / r.PerSecond
	full := max(b.full, now) + int64(each*float64(n))
	if n > r.Burst || float64(full-now) > each*float64(r.Burst) {
		return false
	}
	b.full = full
	return true
}

// rates are the buckets of one connection. All of them are its own goroutine's.
type rates struct {
	bytes, pings, commands, messages, replays bucket

	own     bucket // what the wiki allows a visitor without an account
	refused bucket // messages that were refused; who goes on regardless empties it
}

// spend takes one message out of the buckets that bound what the connection, and its user, may send. It comes before each publish. The error is for
// the sender; a connection that goes on sending so many that are refused ends.
func (c *Conn) spend() *wire.Error {
	err := c.mayPublish(time.Now())
	if err != nil && !c.sock.rates.refused.take(c.env.Limits.Messages, time.Now().UnixNano(), 1) {
		c.sock.end(wire.CloseRateLimited)
	}
	return err
}

func (c *Conn) mayPublish(now time.Time) *wire.Error {
	l, who, at := &c.env.Limits, c.identity, now.UnixNano()
	if !c.sock.rates.messages.take(l.Messages, at, 1) {
		return wire.NewError(wire.RateLimited, "a connection sends at most "+strconv.FormatFloat(l.Messages.PerSecond, 'g', 4, 64)+" messages a second, and "+
			strconv.Itoa(l.Messages.Burst)+" at once: wait a little")
	}
	if who.Rate.Count <= 0 || who.Rate.Seconds <= 0 {
		return nil
	}
	r := Rate{float64(who.Rate.Count) / float64(who.Rate.Seconds), who.Rate.Count}
	if who.User == "" && c.sock.rates.own.take(r, at, 1) || who.User != "" && c.env.users.take(who, r, now) {
		return nil
	}
	return wire.NewError(wire.RateLimited, "the wiki lets you send "+strconv.Itoa(who.Rate.Count)+" messages in "+strconv.Itoa(who.Rate.Seconds)+
		" seconds: wait a little")
}

// allowPing counts a ping of the protocol, which is not one of WebSocket, and ends the connection that sends too many.
func (c *Conn) allowPing() bool {
	ok := c.sock.rates.pings.take(c.env.Limits.Pings, time.Now().UnixNano(), 1)
	if !ok {
		c.sock.end(wire.CloseRateLimited)
	}
	return ok
}

// userRates are the buckets of users, each shared by all connections of that user of that wiki. The zero value is ready for use.
type userRates struct {
	mu    sync.Mutex
	of    map[user]*rate.Limiter
	swept time.Time
}

// user is a struct and not a joined string: no name reaches into another wiki.
type user struct{ wiki, name string }

func (u *userRates) take(who *auth.Identity, r Rate, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	name := user{who.Wiki, who.User}
	l := u.of[name]
	if l == nil {
		if u.of == nil {
			u.of = make(map[user]*rate.Limiter)
		}
		l = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
		u.of[name] = l
	} else if l.Burst() != r.Burst || l.Limit() != rate.Limit(r.PerSecond) { // a newer token says otherwise
		l.SetLimitAt(now, rate.Limit(r.PerSecond))
		l.SetBurstAt(now, r.Burst)
	}
	return l.AllowN(now, 1)
}

const sweepUsers = 10 * time.Second

// sweep forgets the users whose buckets are full again, every now and then.
func (u *userRates) sweep(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Sub(u.swept) < sweepUsers {
		return
	}
	u.swept = now
	for name, l := range u.of {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(u.of, name)
		}
	}
}
