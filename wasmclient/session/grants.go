package session

import "mediawiki-websocket/relay/wire"

// In milliseconds.
const (
	// grantMoment is how long types that need a token are collected, so that those of a reconnect are one question.
	grantMoment = 50
	// revokedWindow is the time over which browsers that lose a subscription or their token at the same time spread their questions.
	revokedWindow = 2_000
	// newSecond is until the wiki's tokens have another issue time. It is in whole seconds, and a revocation reaches to the end of its second.
	newSecond = 1_000
)

// mostRefusals is how many tokens in a row the relay may refuse for one type: one from stock, one that was made anew.
const mostRefusals = 2

const noGrant = "the wiki gives no subscription token now"

type stage int

const (
	resting stage = iota // the relay has been told, or will be when there is a connection
	again                // it will be told again
	wanted               // a token will be asked for
	asked                // it has been
)

// A grant is the subscription token of a type that needs one.
type grant struct {
	token    string // "" for none
	once     bool   // as in tokens
	proven   bool   // the relay has taken it
	bad      bool   // what tabs have in stock will not do
	refusals int    // in a row, on this connection
	why      wire.Error
	stage    stage
	expiry   alarm
}

// drop lets go of the token.
func (g *grant) drop() {
	g.token, g.once, g.proven = "", false, false
	g.expiry.stop()
}

// taken: it is good, so it is kept for the next connection.
func (g *grant) taken() {
	g.proven = true
	if g.once {
		g.drop()
	}
}

// grants is the search for subscription tokens: one question at a time, for all types that need one then.
type grants struct {
	question
	collect  alarm
	wait     int  // with which collect was started
	due      bool // collect has ended while a question was out
	failures attempts
}

// Grant is the wiki's answer about one type: a token, or the reason why there is none.
type Grant struct {
	Type    string
	Token   Token
	Refused *wire.Error
}

// Granted is the answer to [Tab.WantGrants]. About types that it does not name nothing is known, and they will be asked for again; after a final
// answer there is no token to be had for them.
func (s *Session) Granted(client string, answers []Grant, final bool) {
	s.post(func() {
		if !s.grants.asks(client) {
			return
		}
		s.grants.over()
		for _, a := range answers {
			sub := s.subscription(a.Type)
			switch {
			case sub == nil || sub.stage != asked:
			case a.Refused != nil:
				sub.bad = false
				s.failed(sub, *a.Refused)
			case a.Token.Text != "":
				s.grants.failures = 0
				s.granted(sub, a.Token)
			}
		}
		s.ungranted(final)
	})
}

func (s *Session) granted(sub *subscription, token Token) {
	sub.token, sub.once, sub.bad = token.Text, token.expired(), false
	if token.Life > tokenMargin {
		sub.expiry.start((token.Life-tokenMargin)*1000, sub.drop)
	}
	s.subscribe(sub)
}

// ungranted: a question is over, and this is what becomes of the types that got no answer.
func (s *Session) ungranted(final bool) {
	missed := false
	for _, sub := range s.types {
		switch {
		case sub.stage != asked:
		case final:
			sub.bad = false
			s.failed(sub, sub.why)
		default:
			missed = true
			sub.stage = wanted
			if s.grants.failures > 0 || sub.refused && s.state == connected || s.asleep() { // else nothing is lost yet, and the next question comes soon
				s.unavailable(sub, noGrant)
			}
		}
	}
	if missed {
		s.collect(s.grants.failures.next(s.config.Rand(), s.asleep()))
	}
	if s.grants.due {
		s.askGrants()
	}
}

// wantGrant: the relay wants a subscription token, or another one.
func (s *Session) wantGrant(sub *subscription, why wire.Error) {
	wait := grantMoment
	if sub.token != "" {
		sub.bad = true
		if sub.refusals++; sub.refusals == mostRefusals {
			sub.drop()
			s.failed(sub, why)
			return
		}
		if !sub.proven { // it may have been made in the second of a revocation
			wait = s.nextSecond(newSecond)
		}
	}
	sub.drop()
	sub.why, sub.stage = why, wanted
	s.collect(wait)
}

// revoked: the relay has ended a subscription for which it had a token.
func (s *Session) revoked(typ string) {
	sub := s.subscription(typ)
	if sub == nil || sub.refused {
		return
	}
	sub.refuse()
	s.regrant(sub, "the subscription was revoked")
}

// expiring: a subscription goes on for a while, but its token runs out.
func (s *Session) expiring(typ string) {
	if sub := s.subscription(typ); sub != nil && !sub.refused && sub.stage == resting {
		s.regrant(sub, "the subscription token has run out")
	}
}

func (s *Session) regrant(sub *subscription, why string) {
	sub.drop()
	sub.bad, sub.refusals = true, 0
	sub.why, sub.stage = wire.Error{Code: wire.Unauthorized, Message: why}, wanted
	s.collect(s.upTo(revokedWindow))
}

func (s *Session) upTo(ms int) int { return int(s.config.Rand() * float64(ms)) }

// nextSecond is a wait after which the wiki makes tokens that a revocation of now does not reach, spread over a window.
func (s *Session) nextSecond(window int) int { return newSecond + s.upTo(window) }

// collect sees to it that the types that want something get it, at the latest in so many milliseconds.
func (s *Session) collect(ms int) {
	if g := &s.grants; !g.collect.running() || ms < g.wait {
		g.wait = ms
		g.collect.start(ms, s.askGrants)
	}
}

func (s *Session) askGrants() {
	busy := s.grants.tab != ""
	s.grants.due = false
	any := false
	for _, sub := range s.types {
		switch {
		case sub.stage == again:
			s.subscribe(sub)
		case sub.stage == wanted && busy:
			s.grants.due = true
		case sub.stage == wanted:
			sub.stage = asked
			any = true
		}
	}
	if any {
		s.grants.ask()
	}
}

func (s *Session) putGrants(m *member) {
	var types, refused []string
	for _, sub := range s.types {
		if sub.stage == asked {
			types = append(types, sub.typ)
			if sub.bad {
				refused = append(refused, sub.typ)
			}
		}
	}
	if types == nil { // nobody wants any of them any more
		s.grants.over()
		return
	}
	m.WantGrants(types, refused)
}

// forgetGrants ends the search; tokens that the relay has not refused stay.
func (s *Session) forgetGrants() {
	s.grants.over()
	s.grants.collect.stop()
	s.grants.due = false
	for _, sub := range s.types {
		sub.refusals = 0
	}
}
