package session

import "mediawiki-websocket/relay/wire"

// A subscription is a type that at least one tab wants.
type subscription struct {
	typ     string
	tabs    []*listener
	refused bool // the relay does not have it
	pending bool // the tabs hear of the connection after it
	told    bool // the tabs know that it is not there now
	due     bool // the relay has been asked and has not answered
	grant

	epoch   string // of the offsets, "" when the relay names none
	last    uint64 // the highest offset
	reached uint64 // what the last replay goes up to
}

// Subscribe gives a tab the messages of a type, also those since, when they are to be had; when they are not, the tab hears [Tab.Missed]. Again, without
// an earlier since, is the same as once.
func (s *Session) Subscribe(client, typ string, since Since) {
	s.post(func() {
		m, sub := s.member(client), s.subscription(typ)
		if m == nil {
			return
		}
		if sub == nil {
			sub = &subscription{typ: typ}
			sub.expiry.s = s
			s.types = append(s.types, sub)
		}
		l := sub.listener(m)
		switch {
		case l == nil:
			l = &listener{member: m, had: since, waiting: true}
			sub.tabs = append(sub.tabs, l)
		case !l.resume(typ, since):
			return
		}
		switch {
		case !s.usable():
		case len(sub.tabs) == 1 && !sub.due || sub.refused && sub.stage == resting:
			s.subscribe(sub)
		case sub.refused:
			sub.told = false // this tab does not know
			s.collect(s.soon())
		case sub.due: // its turn comes with the answer
		case l.had == (Since{}):
			l.begin(typ, Since{Epoch: sub.epoch, Offset: sub.last})
		default:
			s.subscribe(sub)
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
	l := sub.listener(m)
	if l == nil {
		return
	}
	if sub.tabs = without(sub.tabs, l); len(sub.tabs) > 0 {
		return
	}
	s.types = without(s.types, sub)
	sub.drop()
	if (s.usable() || sub.due) && !sub.refused {
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
	sub.refused, sub.stage, sub.due = false, resting, true
	since := sub.since()
	s.command(&Command{Op: wire.OpSubscribe, Type: sub.typ, Token: sub.token, Since: since}, &reply{sub: sub, since: since})
}

// subscribed: the relay agrees.
func (s *Session) subscribed(sub *subscription, asked Since, f *Frame) {
	sub.told, sub.due = false, false
	again := s.serve(sub, asked, f)
	if again {
		s.subscribe(sub)
	}
	sub.taken()
	if !again {
		s.inPlace(sub)
	}
}

// notSubscribed: it does not.
func (s *Session) notSubscribed(sub *subscription, err wire.Error) {
	sub.due = false
	sub.refuse()
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
		sub.refuse()
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
	for _, l := range sub.tabs {
		l.Fail(Failure{Op: wire.OpSubscribe, Type: sub.typ, Error: err})
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
