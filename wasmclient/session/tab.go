package session

import (
	"slices"

	"mediawiki-websocket/relay/wire"
)

// A member is a tab that has joined.
type member struct {
	Tab
	client string
	named  int // the id of the command that told the relay of it, on this connection
	hidden bool
	told   bool // it knows whether there is a connection
	live   bool // and that there is
	over   bool // or that there will be none
}

// Join adds a tab under its client id, or takes the place of the tab that has it; subscriptions stay then. token may be nil: the tab is asked
// when one is needed. The URL of the last tab that joined is the one that is dialled.
func (s *Session) Join(client, url string, token *Token, tab Tab) {
	s.post(func() {
		s.url = url
		changed := token != nil && s.token.offer(*token, false)
		if m := s.member(client); m != nil {
			m.Tab, m.told, m.live, m.over, m.hidden = tab, false, false, false, false
			s.tell(m)
		} else {
			m = &member{Tab: tab, client: client}
			s.tabs = append(s.tabs, m)
			s.arrived(m)
		}
		if changed {
			s.tokenChanged()
		}
	})
}

// arrived brings the connection up for a new tab, or the tab into the connection.
func (s *Session) arrived(m *member) {
	switch s.state {
	case idle, stopped:
		s.begin()
	case joining, connected:
		s.register(m)
		if s.state == connected {
			s.tell(m)
		}
	case backoff:
		s.rouse()
	}
}

// register tells the relay of a tab that connect did not name.
func (s *Session) register(m *member) {
	s.command(&Command{Op: wire.OpRegister, Client: m.client}, &reply{client: m.client})
	m.named = s.lastID
}

// Leave removes a tab. The last one closes the connection.
func (s *Session) Leave(client string) {
	s.post(func() {
		m := s.member(client)
		if m == nil {
			return
		}
		s.tabs = without(s.tabs, m)
		if len(s.tabs) == 0 {
			s.sleep()
			return
		}
		s.queue.forget(client)
		for _, sub := range s.types {
			s.unsubscribe(m, sub)
		}
		for _, f := range s.follows {
			s.unfollow(m, f)
		}
		if s.usable() {
			s.link.socket.Send(&Command{Op: wire.OpRelease, Client: client})
		}
		for _, q := range []*question{&s.token.question, &s.grants.question} {
			if q.asks(client) {
				q.next()
			}
		}
	})
}

// Visible tells whether a tab can be seen. A tab is taken as visible when it joins.
func (s *Session) Visible(client string, visible bool) {
	s.post(func() {
		if m := s.member(client); m != nil {
			m.hidden = !visible
			if visible {
				s.rouse()
			}
		}
	})
}

// deliver hands a message to the tabs that want it, have not had it and are meant.
func (s *Session) deliver(f *Frame) {
	sub := s.subscription(f.Type)
	if sub == nil {
		return
	}
	sub.last = max(sub.last, f.Offset)
	for _, l := range sub.tabs {
		lost := l.had.Epoch == ""
		if !l.take(sub.epoch, f.Offset) {
			continue
		}
		if l.client != f.From && (len(f.To) == 0 || slices.Contains(f.To, l.client)) {
			l.Deliver(f.Payload)
		}
		if lost && l.had.Epoch != "" { // the tab does not know from where the offset counts
			l.Position(f.Type, l.had.Epoch, l.had.Offset)
		}
	}
}

func (s *Session) member(client string) *member {
	for _, m := range s.tabs {
		if m.client == client {
			return m
		}
	}
	return nil
}

// tell tells a tab that there is a connection, if there is and it does not know.
func (s *Session) tell(m *member) {
	if s.state == connected && !m.live {
		m.told, m.live, m.over = true, true, false
		m.Connected(s.welcome)
	}
}

// tellEnded tells the tabs that there is none, once, and once more when there will be none.
func (s *Session) tellEnded(e Ended) {
	for _, m := range s.tabs {
		if m.live || !m.told || !e.Retry && !m.over {
			m.told, m.live, m.over = true, false, !e.Retry
			m.Disconnected(e)
		}
	}
}

// asleep: nobody looks, or there is no network.
func (s *Session) asleep() bool {
	for _, m := range s.tabs {
		if !m.hidden {
			return s.offline
		}
	}
	return true
}

// without returns a copy of a list that lacks one: whoever walks through the list goes on undisturbed.
func without[T comparable](list []T, gone T) []T {
	rest := make([]T, 0, len(list))
	for _, one := range list {
		if one != gone {
			rest = append(rest, one)
		}
	}
	return rest
}
