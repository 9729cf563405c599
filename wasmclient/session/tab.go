package session

import (
	"slices"

	"mediawiki-websocket/relay/wire"
)

// A member is a tab that has joined.
type member struct {
	Tab
	client string
	hidden bool
	told   bool // it knows whether there is a connection
	live   bool // and that there is
	asked  bool // for a token, in this round
}

// A subscription is a type that at least one tab wants.
type subscription struct {
	typ     string
	tabs    []*member
	refused bool
}

// Join adds a tab under its client id, or takes the place of the tab that has it; subscriptions stay then. token may be nil: the tab is asked
// when one is needed. The URL of the last tab that joined is the one that is dialled.
func (s *Session) Join(client, url string, token *Token, tab Tab) {
	s.post(func() {
		s.url = url
		changed := token != nil && s.token.offer(*token, false)
		if m := s.member(client); m != nil {
			m.Tab, m.told, m.live, m.hidden = tab, false, false, false
			s.tell(m)
		} else {
			s.tabs = append(s.tabs, &member{Tab: tab, client: client})
			s.arrived(client)
		}
		if changed {
			s.tokenChanged()
		}
	})
}

// arrived brings the connection up for a new tab, or the tab into the connection.
func (s *Session) arrived(client string) {
	switch s.state {
	case idle, stopped:
		s.begin()
	case joining, connected:
		s.command(&Command{Op: wire.OpRegister, Client: client}, &reply{client: client})
		if s.state == connected {
			s.tell(s.member(client))
		}
	case backoff:
		s.rouse()
	}
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
		if s.usable() {
			s.link.socket.Send(&Command{Op: wire.OpRelease, Client: client})
		}
		if s.token.asked == client {
			s.askNext()
		}
	})
}

// Subscribe gives a tab the messages of a type. Again is the same as once.
func (s *Session) Subscribe(client, typ string) {
	s.post(func() {
		m, sub := s.member(client), s.subscription(typ)
		if m == nil || sub != nil && slices.Contains(sub.tabs, m) {
			return
		}
		if sub == nil {
			sub = &subscription{typ: typ}
			s.types = append(s.types, sub)
		}
		sub.tabs = append(sub.tabs, m)
		if s.usable() && (len(sub.tabs) == 1 || sub.refused) {
			sub.refused = false
			s.command(&Command{Op: wire.OpSubscribe, Type: typ}, &reply{sub: sub})
		}
	})
}

// Unsubscribe ends it.
func (s *Session) Unsubscribe(client, typ string) {
	s.post(func() {
		if sub := s.subscription(typ); sub != nil {
			s.unsubscribe(s.member(client), sub)
		}
	})
}

// unsubscribe takes a tab, if it is there, from a subscription and gives it up with the last.
func (s *Session) unsubscribe(m *member, sub *subscription) {
	if !slices.Contains(sub.tabs, m) {
		return
	}
	if sub.tabs = without(sub.tabs, m); len(sub.tabs) > 0 {
		return
	}
	types := make([]*subscription, 0, len(s.types))
	for _, other := range s.types {
		if other != sub {
			types = append(types, other)
		}
	}
	s.types = types
	if s.usable() && !sub.refused {
		s.command(&Command{Op: wire.OpUnsubscribe, Type: sub.typ}, &reply{})
	}
}

func (s *Session) subscription(typ string) *subscription {
	for _, sub := range s.types {
		if sub.typ == typ {
			return sub
		}
	}
	return nil
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

// deliver hands a message to the tabs that want it and are meant.
func (s *Session) deliver(f *Frame) {
	sub := s.subscription(f.Type)
	if sub == nil {
		return
	}
	for _, m := range sub.tabs {
		if m.client != f.From && (len(f.To) == 0 || slices.Contains(f.To, m.client)) {
			m.Deliver(f.Payload)
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
		m.told, m.live = true, true
		m.Connected(s.welcome)
	}
}

// tellEnded tells the tabs that there is none, once.
func (s *Session) tellEnded(e Ended) {
	for _, m := range s.tabs {
		if m.live || !m.told {
			m.told, m.live = true, false
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

// without returns a copy of the tabs that lacks one: whoever walks through the list goes on undisturbed.
func without(tabs []*member, gone *member) []*member {
	rest := make([]*member, 0, len(tabs))
	for _, m := range tabs {
		if m != gone {
			rest = append(rest, m)
		}
	}
	return rest
}
