package session

import (
	"slices"

	"mediawiki-websocket/relay/wire"
)

// A follow is a type of which at least one tab wants to hear who comes and goes.
type follow struct {
	typ  string
	tabs []*member
}

// Presence asks who subscribes to a type; the answer is [Tab.Present], with the tab's number for the question. Without a connection, and when it is lost
// before the relay has answered, there is no answer: the tab asks again when it hears [Tab.Connected], if it still wants to know.
func (s *Session) Presence(client, typ string, question int) {
	s.post(func() {
		if s.member(client) != nil && s.usable() {
			s.command(&Command{Op: wire.OpPresence, Type: typ}, &reply{client: client, question: question})
		}
	})
}

// Follow tells a tab from now on who comes to a type and goes. Again is the same as once.
func (s *Session) Follow(client, typ string) {
	s.post(func() {
		m, f := s.member(client), s.followed(typ)
		if m == nil || f != nil && slices.Contains(f.tabs, m) {
			return
		}
		if f == nil {
			f = &follow{typ: typ}
			s.follows = append(s.follows, f)
		}
		f.tabs = append(f.tabs, m)
		// Also when another tab has it already: the relay may have refused it then.
		if s.usable() {
			s.follow(f)
		}
	})
}

// Unfollow ends it.
func (s *Session) Unfollow(client, typ string) {
	s.post(func() {
		if f := s.followed(typ); f != nil {
			s.unfollow(s.member(client), f)
		}
	})
}

func (s *Session) follow(f *follow) {
	s.command(&Command{Op: wire.OpPresence, Type: f.typ, Follow: true}, &reply{followed: f})
}

// unfollow takes a tab, if it is there, and with the last tells the relay.
func (s *Session) unfollow(m *member, f *follow) {
	if !slices.Contains(f.tabs, m) {
		return
	}
	if f.tabs = without(f.tabs, m); len(f.tabs) > 0 {
		return
	}
	s.follows = without(s.follows, f)
	if s.usable() {
		s.command(&Command{Op: wire.OpPresence, Type: f.typ, Follow: false}, &reply{})
	}
}

func (s *Session) followed(typ string) *follow {
	for _, f := range s.follows {
		if f.typ == typ {
			return f
		}
	}
	return nil
}

// present: the relay has answered who is there, or that it does not tell.
func (s *Session) present(r *reply, f *Frame) {
	if m := s.member(r.client); m != nil {
		m.Present(r.question, f.Payload, f.Error)
	}
	if r.followed == nil || f.Error == nil {
		return
	}
	for _, m := range r.followed.tabs {
		m.Fail(Failure{Op: r.op, Type: r.typ, Error: *f.Error})
	}
}

// changed: somebody came or went.
func (s *Session) changed(frame *Frame) {
	if f := s.followed(frame.Type); f != nil {
		for _, m := range f.tabs {
			m.Changed(frame.Op, frame.Type, frame.Payload)
		}
	}
}
