package session

import "mediawiki-websocket/relay/wire"

const (
	// tokenMargin keeps a token from running out on its way, in seconds.
	tokenMargin = 30
	// lastingToken is the life, in seconds, below which a token is taken for a sign that something is wrong: what follows it is not asked for
	// as soon as the relay says that it runs out.
	lastingToken = 120
)

// Token is what a wiki signed. The empty text stands for "connect without one".
type Token struct {
	Text string
	Life int // seconds until it runs out; 0: it does not, or nobody knows
}

func (t Token) expired() bool { return t.Life < 0 || t.Life > 0 && t.Life <= tokenMargin }

// tokens is the cache of one token and the search for the next.
type tokens struct {
	question
	text   string
	have   bool
	once   bool   // good for one attempt: it came fresh, yet this machine's clock takes it for run out
	used   string // the one of the last attempt
	bad    string // the one that will not do
	isBad  bool
	expiry alarm

	again    alarm    // a new token for an open connection will be asked for
	failures attempts // to get one
}

// offer takes a token, unless it will not do or has run out, and reports whether the cache changed. A fresh one, which the wiki has just made,
// is taken whatever this machine's clock thinks of it.
func (t *tokens) offer(token Token, fresh bool) bool {
	if t.isBad && token.Text == t.bad || t.have && token.Text == t.text {
		return false
	}
	if !fresh && (token.expired() || t.have) {
		return false
	}
	t.drop()
	t.text, t.have, t.once = token.Text, true, token.expired()
	if token.Life > tokenMargin {
		t.expiry.start((token.Life-tokenMargin)*1000, t.drop)
	}
	if token.Life == 0 || token.Life > lastingToken {
		t.failures = 0
	}
	return true
}

func (t *tokens) drop() {
	t.text, t.have, t.once = "", false, false
	t.expiry.stop()
}

// refuse makes sure that the token of the last attempt is not taken again.
func (t *tokens) refuse() {
	t.bad, t.isBad = t.used, true
	if t.text == t.used {
		t.drop()
	}
}

// use returns the token for one attempt.
func (t *tokens) use() string {
	t.used = t.text
	if t.once {
		t.drop()
	}
	return t.used
}

// GiveToken hands over a token that the wiki has just made or that the tab had in stock: the answer to [Tab.WantToken].
func (s *Session) GiveToken(client string, token Token) {
	s.post(func() {
		if s.token.offer(token, true) {
			s.tokenChanged()
			return
		}
		s.noToken(client)
	})
}

// NoToken is the other answer to [Tab.WantToken]: the tab could not get one. After a final answer there is none to be had, however often it is
// tried: the session ends the connection, if there is one, and stops.
func (s *Session) NoToken(client string, final bool) {
	s.post(func() {
		if final && s.token.asks(client) {
			s.disconnect(wire.CloseNormal)
			s.halt(Ended{Code: wire.CloseUnauthorized.Code, Reason: "the wiki gives no token"})
			return
		}
		s.noToken(client)
	})
}

func (s *Session) noToken(client string) {
	if s.token.asks(client) {
		s.token.over()
		s.tokenless()
	}
}

// tokenless: nobody has a token now. A connection that waits for the next is used until the relay ends it.
func (s *Session) tokenless() {
	switch s.state {
	case needToken:
		s.retry(Ended{Code: noStatus, Reason: "no token"})
	case joining, connected:
		s.renewLater()
	}
}

// renew replaces the token of this connection, which is about to run out.
func (s *Session) renew() {
	if s.token.tab != "" || s.token.again.running() {
		return // under way
	}
	s.token.refuse()
	switch {
	case s.token.have:
		s.tokenChanged()
	case s.token.failures == 0:
		s.token.failures++
		s.token.ask()
	default:
		s.renewLater()
	}
}

func (s *Session) renewLater() {
	s.token.again.start(s.token.failures.next(s.config.Rand(), false), s.token.ask)
}
