package session

import "mediawiki-websocket/relay/wire"

// Command is a frame to the relay; package wire says which members belong to which Op.
type Command struct {
	ID      int
	Op      string
	Token   string // of connect, refresh and subscribe
	Clients []string
	Client  string
	Type    string
	Since   Since // of subscribe; zero: nothing from before
	Follow  any   // of presence: true, false, or nil to leave it as it is
	Body    any   // of a send: the [Message]'s
}

// Frame is a frame from the relay, as far as the session reads it. Exactly one of these holds: Reply is set, Op is not empty, or it is a
// message.
type Frame struct {
	ID    int
	Reply bool
	Error *wire.Error // of a reply, nil when it is "ok"

	Wiki, User string // in the reply to connect
	Ping       int    // seconds, in the reply to connect

	Epoch     string // in the reply to subscribe
	Recovered bool   // in the reply to subscribe: what was missed follows
	Offset    uint64 // in the reply to subscribe, and of a message; 0: none

	Op    string
	After int // milliseconds, of reconnect

	Type    string // of a message, revoked, join and leave
	From    string
	To      []string // none: everyone
	Payload any      // the envelope, for [Tab.Deliver]; of the reply to presence, of join and of leave what they say

	Handled func() // nil, or called by the session when it has done what the frame says, unless its link is deaf
}

// Link is what a socket reports to. A link of a socket that the session has given up is deaf.
type Link struct {
	s      *Session
	socket Socket
}

// Opened tells that the socket is open.
func (l *Link) Opened() { l.post(l.s.opened) }

// Received hands over a frame.
func (l *Link) Received(f *Frame) {
	l.post(func() {
		l.s.received(f)
		if f.Handled != nil {
			f.Handled()
		}
	})
}

// Closed tells that the socket is closed, or could not be opened; code is 1006 then.
func (l *Link) Closed(code int, reason string) {
	l.post(func() { l.s.lost(code, reason) })
}

func (l *Link) post(event func()) {
	l.s.post(func() {
		if l.s.link == l {
			event()
		}
	})
}
