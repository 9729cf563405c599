package session

import (
	"time"

	"mediawiki-websocket/relay/wire"
)

const (
	// tokenMargin keeps a token from running out on its way.
	tokenMargin = 30 * time.Second
	// tokenPatience is how long a tab may take to answer before the next is asked.
	tokenPatience = 10 * time.Second
)

// Token is what a wiki signed. The empty text stands for "connect without one".
type Token struct {
	Text string
	Life time.Duration // until it runs out; 0: it does not, or nobody knows
}

// tokens is the cache of one token and the search for the next.
type tokens struct {
	text   string
	have   bool
	once   bool   // good for one attempt: it came fresh, yet this machine's clock takes it for run out
	used   string // the one of the last attempt
	bad    string // the one that will not do
	isBad  bool
	expiry alarm

	asked  string // the tab that was asked, "" for none
	answer alarm
}

// offer takes a token, unless it will not do or has run out, and reports whether the cache changed. A fresh one, which the wiki has just made,
// is taken whatever this machine's clock thinks of it.
func (t *tokens) offer(token Token, fresh bool) bool {
	if t.isBad && token.Text == t.bad || t.have && token.Text == t.text {
		return false
	}
	expired := token.Life < 0 || token.Life > 0 && token.Life <= tokenMargin
	if !fresh && (expired || t.have) {
		return false
	}
	t.drop()
	t.text, t.have, t.once = token.Text, true, expired
	if token.Life > tokenMargin {
		t.expiry.start(token.Life-tokenMargin, t.drop)
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

// answered ends the search.
func (t *tokens) answered() {
	t.asked = ""
	t.answer.stop()
}

// GiveToken hands over a token that the wiki has just made or that the tab had in stock: the answer to [Tab.WantToken].
func (s *Session) GiveToken(client string, token Token) {
	s.post(func() {
		if s.token.offer(token, true) {
			s.token.answered()
			s.tokenChanged()
			return
		}
		s.noToken(client)
	})
}

// NoToken is the other answer to [Tab.WantToken]: the tab could not get one. After a final answer there is none to be had, however often it is
// tried.
func (s *Session) NoToken(client string, final bool) {
	s.post(func() {
		if final && s.state == needToken && s.token.asked == client {
			s.token.answered()
			s.halt(Ended{Code: wire.CloseUnauthorized.Code, Reason: "the wiki gives no token"})
			return
		}
		s.noToken(client)
	})
}

func (s *Session) noToken(client string) {
	if s.token.asked != client || client == "" {
		return
	}
	s.token.answered()
	if s.state == needToken {
		s.retry(Ended{Code: noStatus, Reason: "no token"})
	}
}

// renew replaces the token of this connection, which is about to run out.
func (s *Session) renew() {
	s.token.refuse()
	if s.token.have {
		s.tokenChanged()
		return
	}
	s.ask()
}

// ask asks the tabs for a token, one after the other, the last that joined first: it is the most likely to be alive.
func (s *Session) ask() {
	for _, m := range s.tabs {
		m.asked = false
	}
	s.askNext()
}

func (s *Session) askNext() {
	s.token.answered()
	for i := len(s.tabs) - 1; i >= 0; i-- {
		if m := s.tabs[i]; !m.asked {
			m.asked = true
			s.token.asked = m.client
			s.token.answer.start(tokenPatience, s.askNext)
			m.WantToken(s.token.isBad)
			return
		}
	}
	if s.state == needToken {
		s.retry(Ended{Code: noStatus, Reason: "no token"})
	}
}
