package session

import (
	"slices"

	"mediawiki-websocket/relay/wire"
)

// In milliseconds.
const (
	// connectPatience bounds each step from dialling to the last answered subscription.
	connectPatience = 15_000
	// pongPatience is how long a ping may stay unanswered. With the relay's usual ping a dead connection is noticed within 35 seconds.
	pongPatience = 10_000
	// rousePatience is how long when somebody looks.
	rousePatience = 3_000
	// wakePatience is how long when the network was away, or the machine: most likely the connection is dead, and a new one costs little.
	wakePatience = 1_000
	// longestMove bounds what a relay that goes away may ask for.
	longestMove = 5 * 60_000
	// rousePause bounds how often a connection is tried because somebody looks: a relay takes ten pings in ten seconds.
	rousePause = 5_000
	// wakePause bounds how often for what wakes: all pages tell at once.
	wakePause = 2_000
	// usualPing is how long a relay that names no time may be silent.
	usualPing = 25_000
)

// noStatus stands for a close without a code (RFC 6455, section 7.4.1).
const noStatus = 1006

// begin starts an attempt: with the token in stock, else by asking for one.
func (s *Session) begin() {
	s.moving, s.flooded = false, false
	s.deadline.stop()
	if s.token.have {
		s.connect()
		return
	}
	s.state = needToken
	s.token.ask()
}

func (s *Session) connect() {
	s.state = connecting
	link := &Link{s: s}
	socket, err := s.config.Dial(s.url, link)
	if err != nil {
		s.retry(Ended{Code: noStatus, Reason: err.Error()})
		return
	}
	link.socket = socket
	s.link = link
	s.deadline.start(connectPatience, func() { s.hangUp(wire.CloseStale) })
}

// opened introduces all tabs and says what they subscribe to, without waiting for an answer: the relay obeys in order, and everybody is back one journey
// earlier. Tabs past the relay's limit are introduced one by one, so that each gets its own error.
func (s *Session) opened() {
	clients := make([]string, 0, len(s.tabs))
	for _, m := range s.tabs[:min(len(s.tabs), s.config.Limits.Clients)] {
		clients = append(clients, m.client)
		m.named = s.lastID + 1
	}
	s.command(&Command{Op: wire.OpConnect, Token: s.token.use(), Clients: clients}, &reply{introduced: clients})
	for _, sub := range s.types {
		s.subscribe(sub)
	}
}

// admitted: connect was answered. The tabs hear of it when their subscriptions are in place again, so that what they fetch then has no gap to
// what they will be told.
func (s *Session) admitted(f *Frame, introduced []string) {
	s.state = joining
	s.deadline.start(connectPatience, s.impatient)
	s.token.isBad = false
	s.welcome = Welcome{Wiki: f.Wiki, User: f.User}
	s.ping = usualPing
	if f.Ping > 0 {
		s.ping = f.Ping * 1000
	}
	s.heard()
	s.introduce(introduced)
	for _, followed := range s.follows {
		s.follow(followed)
	}
	s.pending = len(s.types)
	for _, sub := range s.types {
		sub.pending, sub.told = true, false
		if !sub.due { // it came meanwhile
			s.subscribe(sub)
		}
	}
	if s.pending == 0 {
		s.announce()
	}
}

// impatient: joining takes too long. It is the relay's fault, unless all that is missing are subscription tokens.
func (s *Session) impatient() {
	for _, r := range s.replies {
		if r.sub != nil && r.sub.pending {
			s.hangUp(wire.CloseStale)
			return
		}
	}
	for _, sub := range s.types {
		if sub.pending {
			s.unavailable(sub, noGrant)
		}
	}
}

// introduce brings the relay's list of tabs up to date with what changed since connect was sent.
func (s *Session) introduce(introduced []string) {
	for _, client := range introduced {
		if s.member(client) == nil {
			s.link.socket.Send(&Command{Op: wire.OpRelease, Client: client})
		}
	}
	for _, m := range s.tabs {
		if !slices.Contains(introduced, m.client) {
			s.register(m)
		}
	}
}

func (s *Session) announce() {
	s.state = connected
	if !s.moving {
		s.deadline.stop()
	}
	s.stable.start(lasting, func() { s.attempts = 0 })
	for _, m := range s.tabs {
		s.tell(m)
	}
	s.flush()
}

// heard puts off the next ping.
func (s *Session) heard() { s.keepalive.start(s.ping, func() { s.probe(pongPatience) }) }

// probe asks the relay whether it is there.
func (s *Session) probe(patience int) {
	s.link.socket.Send(&Command{Op: wire.OpPing})
	s.keepalive.start(patience, func() { s.hangUp(wire.CloseStale) })
}

// hangUp gives up on a socket and tries again.
func (s *Session) hangUp(c wire.Close) {
	s.disconnect(c)
	s.retry(Ended{Code: c.Code, Reason: c.Reason})
}

// disconnect closes the socket, if there is one, and lets go of what belonged to it.
func (s *Session) disconnect(c wire.Close) {
	if s.link != nil {
		s.link.socket.Close(c.Code, c.Reason)
	}
	s.unlink(true)
}

// unlink lets go of what belonged to a socket. again: what was sent and not answered is for the next.
func (s *Session) unlink(again bool) {
	s.link = nil
	s.keepalive.stop()
	s.stable.stop()
	s.resend.stop()
	s.token.over()
	s.token.again.stop()
	s.forgetGrants()
	s.replaying = nil
	for _, sub := range s.types {
		sub.due = false
		sub.suspend()
	}
	replies := s.replies
	s.replies = nil
	s.requeue(replies, again)
}

// lost: the socket is closed, and not by this side.
func (s *Session) lost(code int, reason string) {
	// It may be what was sent that the relay does not bear.
	s.unlink(code != wire.CloseTooLarge.Code && code != wire.CloseRateLimited.Code)
	e := Ended{Code: code, Reason: reason}
	switch {
	case !wire.MayReconnect(code):
		s.halt(e)
	case code == wire.CloseUnauthorized.Code:
		s.token.refuse()
		s.retryAfter(s.nextSecond(revokedWindow), e)
	case code == wire.CloseRateLimited.Code:
		s.moving, s.flooded = false, true
		s.retryAfter(floodPause, e)
	default:
		s.retry(e)
	}
}

// retry waits and begins again. A relay that is going away has said how long.
func (s *Session) retry(e Ended) { s.retryAfter(0, e) }

// retryAfter waits so many milliseconds more.
func (s *Session) retryAfter(ms int, e Ended) {
	s.state = backoff
	if !s.moving {
		s.deadline.start(ms+s.attempts.next(s.config.Rand(), s.asleep() && !s.flooded), s.begin)
	}
	e.Retry = true
	s.tellEnded(e)
}

// halt stops until somebody new comes.
func (s *Session) halt(e Ended) {
	s.state = stopped
	s.moving = false
	s.deadline.stop()
	s.tellEnded(e)
	for _, item := range s.queue.drain() {
		s.failSend(item, wire.Unavailable, "the relay does not serve this page")
	}
}

// sleep: nobody is left.
func (s *Session) sleep() {
	s.tabs = nil
	s.disconnect(wire.CloseNormal)
	s.state = idle
	s.moving = false
	s.attempts = 0
	s.deadline.stop()
	s.token.over()
	for _, sub := range s.types {
		sub.drop()
	}
	s.types, s.follows = nil, nil
	s.queue.drain()
}

// move: the relay goes away. The connection is used until the moment the relay named for this browser, or until it is closed.
func (s *Session) move(after int) {
	s.moving = true
	s.deadline.start(max(0, min(after, longestMove)), s.leave)
}

// leave goes to the relay that comes after this one.
func (s *Session) leave() {
	s.disconnect(wire.CloseNormal)
	s.tellEnded(Ended{Code: wire.CloseGoingAway.Code, Reason: wire.CloseGoingAway.Reason, Retry: true})
	s.begin()
}

// rouse: somebody looks, the network is back, a tab came. A wait is cut short, though not to nothing; a connection is tried.
func (s *Session) rouse() {
	switch s.state {
	case backoff:
		if !s.asleep() {
			s.hasten()
		}
	case connected:
		if s.grants.collect.running() {
			s.collect(s.soon())
		}
		if !s.roused.running() {
			s.roused.start(rousePause, func() {})
			s.probe(rousePatience)
		}
	}
}

// wake: the machine, the browser or the network is back.
func (s *Session) wake() {
	switch s.state {
	case connecting, joining:
		s.hangUp(wire.CloseStale) // it was begun in another world
	case connected:
		if s.grants.collect.running() {
			s.collect(s.soon())
		}
		if !s.woken.running() {
			s.woken.start(wakePause, func() {})
			s.probe(wakePatience)
		}
	}
	if s.state == backoff && !s.offline {
		s.hasten()
	}
}

// hasten cuts a wait short, unless the relay has said how long it is.
func (s *Session) hasten() {
	if !s.moving && !s.flooded {
		s.deadline.start(s.soon(), s.begin)
	}
}

// soon is a first wait.
func (s *Session) soon() int {
	first := attempts(0)
	return first.next(s.config.Rand(), false)
}

// tokenChanged uses a new token for whatever waits for one.
func (s *Session) tokenChanged() {
	s.token.over()
	s.token.again.stop()
	switch s.state {
	case needToken:
		s.connect()
	case stopped:
		s.begin()
	case joining, connected:
		s.command(&Command{Op: wire.OpRefresh, Token: s.token.use()}, &reply{})
	}
}

// usable: the relay takes commands.
func (s *Session) usable() bool { return s.state == joining || s.state == connected }
