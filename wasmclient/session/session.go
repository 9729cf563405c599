// Package session is the browser client without the browser: one connection to the relay for all tabs of a browser.
//
// Tabs join and leave, subscribe to types and send messages; the session connects while there is a tab, keeps the connection alive, comes
// back with jittered backoff when it is lost, subscribes again to what the tabs want, from where each of them was, and hands each message to the tabs
// it is meant for, in order and once. What a tab sends is sent again until the relay has answered; the key in it lets the relay know it again.
//
// One goroutine, [Session.Run], owns all state. Everything that happens outside, a call of a tab, a frame, a timer, is a function that this
// goroutine runs, so every exported method may be called from anywhere and returns before its effect is complete.
//
// There is no clock in it, only timers: a machine that slept does not find itself in the past or the future.
package session

import (
	"sync/atomic"

	"mediawiki-websocket/relay/wire"
)

// Config is what a session needs of its surroundings. All of it is required.
type Config struct {
	// Dial begins to open a socket with the subprotocol [wire.Subprotocol]. What becomes of it is told to the link. An error counts as
	// a socket that closed at once; nothing may be told to the link then.
	Dial func(url string, link *Link) (Socket, error)
	// Rand returns a number in [0, 1). Nothing secret depends on it.
	Rand func() float64
	// After calls f once, from anywhere, when so many milliseconds have passed, unless cancel is called before. Late, as timers are after a
	// machine slept, is early enough. Calling cancel after f, or twice, does nothing.
	After func(ms int, f func()) (cancel func())
	// Limits of the relay.
	Limits wire.Limits
}

// Socket is an open WebSocket. Both methods return at once and must not call the session or the link back before they return.
type Socket interface {
	Send(*Command)
	// Close closes with a code that a browser may use: 1000 or 3000 to 4999. The link is told nothing any more.
	Close(code int, reason string)
}

// Tab is one page, as the session sees it. Its methods return at once and must not wait for the session.
type Tab interface {
	// Connected: the relay knows this tab and all its subscriptions.
	Connected(Welcome)
	// Disconnected: the connection ended, or the first attempt to get one failed. It comes once, not for each further attempt, and once more
	// when the session stops trying.
	Disconnected(Ended)
	// Deliver brings a message; the payload is the one of the [Frame]. Those of a type come in their order, and each once.
	Deliver(payload any)
	// Missed: messages of a type may be lost to this tab. What it shows of it must be fetched again.
	Missed(typ string)
	// Position: the tab has had everything of a type up to here. Each message that it gets afterwards brings it to that message's offset. A tab that
	// has to begin anew says so in [Session.Subscribe].
	Position(typ, epoch string, offset uint64)
	// Present answers [Session.Presence]: with the payload of the [Frame] or with an error.
	Present(question int, payload any, err *wire.Error)
	// Changed: somebody has come to a type, or gone, as op says: [wire.OpJoin] or [wire.OpLeave]. The payload is the one of the [Frame].
	Changed(op, typ string, payload any)
	// Fail reports what became of a subscription or a message of this tab.
	Fail(Failure)
	// WantToken asks for a token; the answer is [Session.GiveToken] or [Session.NoToken]. After refused a token that the tab has in stock will not do.
	WantToken(refused bool)
	// WantGrants asks for subscription tokens for these types, which may be other tabs'; the answer is [Session.Granted]. Of the types in
	// refused, which are among them, tokens that the tab has in stock will not do.
	WantGrants(types, refused []string)
}

// Welcome is who the relay takes this browser for.
type Welcome struct {
	Wiki string // the wiki id, "" without a token
	User string // the user name, "" for an anonymous visitor
}

// Ended is how a connection ended.
type Ended struct {
	Code   int // the close code, RFC 6455 section 7.4; 1006 when there was none
	Reason string
	Retry  bool // the session goes on trying
}

// Failure is an error that concerns one tab.
type Failure struct {
	wire.Error
	Op   string // what failed: [wire.OpSubscribe], [wire.OpSend], [wire.OpRegister] or, for [Session.Follow], [wire.OpPresence]
	Type string // of which type, "" for a registration
}

// Message is what a tab sends.
type Message struct {
	Type  string
	Body  any // for the [Socket], which makes the frame of it; the session does not look inside
	Bytes int // the size of the frame without its id
	// Answered, which may be nil, is told once what has become of it, unless its tab leaves before: its offset, or why it was not sent, which [Tab.Fail]
	// is not told then. It must not wait for the session.
	Answered func(offset uint64, err *wire.Error)
}

type state int

const (
	idle       state = iota // no tab
	needToken               // a tab was asked for a token
	connecting              // until the relay has answered connect
	joining                 // until it has answered the subscriptions of before
	connected
	backoff // waiting to try again
	stopped // the relay does not want this browser: a new tab or a new token begins anew
)

// Session is the browser client. [New] makes one, [Session.Run] runs it.
type Session struct {
	config Config
	events chan func()
	over   atomic.Bool

	state    state
	url      string
	offline  bool
	tabs     []*member // in the order of their arrival
	types    []*subscription
	follows  []*follow
	link     *Link
	lastID   int
	replies  []*reply // to come, in the order of their commands
	pending  int      // subscriptions that joining still waits for
	moving   bool
	flooded  bool // the relay took it for a flood: the wait is not cut short
	ping     int  // milliseconds
	welcome  Welcome
	attempts attempts
	queue    queue
	token    tokens
	grants   grants

	replaying *subscription // what its tabs have missed is on its way

	deadline  alarm // of the state
	keepalive alarm
	roused    alarm
	woken     alarm
	stable    alarm // the connection has lasted, the next loss begins with short waits again
	resend    alarm // what waits in the queue, though there is a connection
}

// New returns a session without tabs.
func New(config Config) *Session {
	s := &Session{
		config: config,
		events: make(chan func(), 64),
	}
	for _, a := range []*alarm{&s.deadline, &s.keepalive, &s.roused, &s.woken, &s.stable, &s.resend,
		&s.token.expiry, &s.token.again, &s.token.patience, &s.grants.collect, &s.grants.patience} {
		a.s = s
	}
	s.token.s, s.grants.s = s, s
	s.token.put = func(m *member) { m.WantToken(s.token.isBad) }
	s.token.unanswered = s.tokenless
	s.grants.put = s.putGrants
	s.grants.unanswered = func() { s.ungranted(false) }
	return s
}

// Run handles events until [Session.Stop] is called. It must be called once.
func (s *Session) Run() {
	for !s.over.Load() {
		event := <-s.events
		event()
	}
	for len(s.events) > 0 { // so that nobody waits who has begun to post before
		<-s.events
	}
}

// Stop closes the connection and ends [Session.Run]. Later calls of any method do nothing.
func (s *Session) Stop() {
	s.post(func() {
		s.sleep()
		s.token.drop()
		s.roused.stop()
		s.woken.stop()
		s.over.Store(true)
	})
}

// post has an event handled. There is no select in it, nor anywhere else here: that alone would be 1 % of what a browser downloads.
func (s *Session) post(event func()) {
	if !s.over.Load() {
		s.events <- event
	}
}

// Online tells that the browser has, or has lost, its network. It is a hint only: a relay on this machine stays reachable.
func (s *Session) Online(online bool) {
	s.post(func() {
		was := s.offline
		s.offline = !online
		if was && online {
			s.wake()
		} else {
			s.rouse()
		}
	})
}

// Woke tells that nothing ran for a while, because the machine slept or the browser had stopped its pages: what was known of the connection is
// worth nothing. Here: that is so also of where the session runs, not only of a page. All pages may tell at once.
func (s *Session) Woke(here bool) {
	s.post(func() {
		if here {
			s.woken.stop() // it was begun before
		}
		s.moving = s.moving && s.state == connected // a relay that went away was long ago
		s.wake()
	})
}
