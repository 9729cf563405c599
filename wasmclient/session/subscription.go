package session

import (
	"slices"

	"mediawiki-websocket/relay/wire"
)

// A subscription is a type that at least one tab wants.
type subscription struct {
	typ     string
	tabs    []*member
	refused bool // the relay does not have it
	pending bool // the tabs hear of the connection after it
	told    bool // the tabs know that it is not there now
	grant
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
			sub.expiry.s = s
			s.types = append(s.types, sub)
		}
		sub.tabs = append(sub.tabs, m)
		switch {
		case !s.usable():
		case len(sub.tabs) == 1 || sub.refused && sub.stage == resting:
			s.subscribe(sub)
		case sub.refused:
			sub.told = false // this tab does not know
			s.collect(s.soon())
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
	sub.drop()
	if s.usable() && !sub.refused {
		s.command(&Command{Op: wire.OpUnsubscribe, Type: sub.typ}, &reply{})
	}
	s.inPlace(sub)
}

func (s *Session) subscription(typ string) *subscription {
	for _, sub := range s.types {
		if sub.typ == typ {
			return sub
		}
	}
	return nil
}

// subscribe tells the relay, with the subscription token that there is.
func (s *Session) subscribe(sub *subscription) {
	sub.refused, sub.stage = false, resting
	s.command(&Command{Op: wire.OpSubscribe, Type: sub.typ, Token: sub.token}, &reply{sub: sub})
}

// subscribed: the relay agrees.
func (s *Session) subscribed(sub *subscription) {
	sub.told = false
	sub.taken()
	s.inPlace(sub)
}

// notSubscribed: it does not.
func (s *Session) notSubscribed(sub *subscription, err wire.Error) {
	sub.refused = true
	switch {
	case err.Code == wire.Unauthorized || err.Code == wire.Expired:
		s.wantGrant(sub, err)
	case err.Code == wire.Unavailable:
		sub.stage = again
		s.unavailable(sub, err.Message)
		s.collect(s.grants.failures.next(s.config.Rand(), s.asleep()))
	default:
		s.failed(sub, err)
	}
}

// failed: there will be no such subscription.
func (s *Session) failed(sub *subscription, err wire.Error) {
	sub.stage = resting
	if !sub.refused { // its token ran out, and there is no other
		sub.refused = true
		if s.usable() {
			s.command(&Command{Op: wire.OpUnsubscribe, Type: sub.typ}, &reply{})
		}
	}
	sub.fail(err)
	s.inPlace(sub)
}

// unavailable: there is none now. The tabs hear of it once; the session goes on trying.
func (s *Session) unavailable(sub *subscription, message string) {
	if !sub.told {
		sub.told = true
		sub.fail(wire.Error{Code: wire.Unavailable, Message: message})
	}
	s.inPlace(sub)
}

func (sub *subscription) fail(err wire.Error) {
	for _, m := range sub.tabs {
		m.Fail(Failure{Op: wire.OpSubscribe, Type: sub.typ, Error: err})
	}
}

// inPlace: joining need not wait for this subscription any more.
func (s *Session) inPlace(sub *subscription) {
	if !sub.pending {
		return
	}
	sub.pending = false
	if s.pending--; s.pending == 0 && s.state == joining {
		s.announce()
	}
}
