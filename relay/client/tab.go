package client

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// tab is a client in mode v1: the only tab of a session.
type tab struct {
	*Client
	session *session.Session
	hooks   hooks
	fault   atomic.Pointer[error] // of the TokenFunc
	ran     chan struct{}         // closed when the session has ended
}

var _ session.Tab = (*tab)(nil)

// hooks is what a client learns from its sockets, not from the session.
type hooks struct {
	// question names what the program wants of a type just now, to which subscribed brings the answer; nil: nothing.
	question   func(typ string) <-chan struct{}
	subscribed func(typ string, question <-chan struct{})
	refused    atomic.Pointer[Error]  // what the relay has answered to the last connect
	admitted   atomic.Pointer[socket] // the one that the relay has let in, nil for none
}

func openSession(c *Client) *tab {
	t := &tab{Client: c, ran: make(chan struct{})}
	t.hooks.question, t.hooks.subscribed = c.question, c.subscribed
	config := Config(c.o.HTTP)
	config.Dial = func(url string, link *session.Link) (session.Socket, error) {
		return dial(c.o.HTTP, url, link, &t.hooks, &c.all), nil
	}
	t.session = session.New(config)
	go func() {
		defer close(t.ran)
		t.session.Run()
	}()
	var token *session.Token
	if c.o.TokenFunc == nil {
		token = &session.Token{Text: c.o.Token}
	}
	t.session.Join(c.id, c.o.URL, token, t)
	return t
}

func (t *tab) subscribe(typ string, since Since) { t.session.Subscribe(t.id, typ, since) }

func (t *tab) unsubscribe(typ string) { t.session.Unsubscribe(t.id, typ) }

func (t *tab) ask(number int, typ string) { t.session.Presence(t.id, typ, number) }

func (t *tab) close() {
	t.session.Stop()
	<-t.ran
}

// Connected implements [session.Tab].
func (t *tab) Connected(w session.Welcome) { t.up(w) }

// spawn is for what calls the session, which is waiting, and functions of the program, for which Close does not wait. A session that has ended does nothing.
func (t *tab) spawn(f func()) { go f() } // ends when the program's function does, whose context ends with the client

// Disconnected implements [session.Tab].
func (t *tab) Disconnected(e session.Ended) {
	refused := t.hooks.refused.Load()
	if t.o.TokenFunc == nil && (refused != nil && refused.Code != wire.Unavailable || !e.Retry && e.Code == wire.CloseUnauthorized.Code) {
		// There is no other token. The session goes on until the client is closed.
		if refused == nil {
			refused = wire.NewError(wire.Unauthorized, "the token has run out or was revoked, and there is no other")
		}
		t.down(refused)
		return
	}
	if e.Retry {
		if fault := t.fault.Swap(nil); fault != nil {
			e.Reason = "get a token: " + (*fault).Error()
		}
		t.down(&Lost{e.Code, e.Reason, refused})
		return
	}
	t.down(final(e, refused))
}

// final returns why a client is not wanted.
func final(e session.Ended, refused *Error) *Error {
	if refused != nil {
		return refused
	}
	code := wire.Unavailable
	switch e.Code {
	case wire.CloseUnauthorized.Code, wire.CloseUnknownWiki.Code:
		code = wire.Unauthorized
	case wire.CloseOrigin.Code:
		code = wire.Forbidden
	case wire.CloseBadProtocol.Code:
		code = wire.BadRequest
	}
	return wire.NewError(code, e.Reason)
}

// Deliver implements [session.Tab].
func (t *tab) Deliver(payload any) { t.deliver(payload.(*Message)) }

// Missed implements [session.Tab].
func (t *tab) Missed(typ string) { t.missed(typ) }

// Fail implements [session.Tab].
func (t *tab) Fail(f session.Failure) {
	switch f.Op {
	case wire.OpSubscribe:
		t.refused(f.Type, f.Error)
	case wire.OpRegister:
		t.end(wire.NewError(f.Code, f.Message))
	}
}

// Present implements [session.Tab].
func (t *tab) Present(number int, payload any, err *wire.Error) {
	p, _ := payload.(Presence)
	t.present(number, p, err)
}

// Position implements [session.Tab]. Messages bring theirs along.
func (t *tab) Position(string, string, uint64) {}

// Changed implements [session.Tab].
func (t *tab) Changed(string, string, any) {}

// WantToken implements [session.Tab].
func (t *tab) WantToken(bool) {
	if t.o.TokenFunc == nil {
		// A connection is used for as long as the relay lets it.
		t.spawn(func() { t.session.NoToken(t.id, t.hooks.admitted.Load() == nil) })
		return
	}
	t.spawn(func() {
		text, err := t.o.TokenFunc(t.ctx)
		switch {
		case err == nil:
			t.session.GiveToken(t.id, session.Token{Text: text, Life: life(text)})
		case t.ctx.Err() != nil:
		default:
			refused := new(Error)
			if final := errors.As(err, &refused); final {
				t.hooks.refused.Store(refused)
				t.session.NoToken(t.id, true)
				return
			}
			t.fault.Store(&err)
			t.session.NoToken(t.id, false)
		}
	})
}

// WantGrants implements [session.Tab].
func (t *tab) WantGrants(types, _ []string) {
	t.spawn(func() {
		if t.o.GrantFunc == nil {
			t.session.Granted(t.id, nil, true)
			return
		}
		tokens, err := t.o.GrantFunc(t.ctx, types)
		var answers []session.Grant
		for typ, text := range tokens {
			answers = append(answers, session.Grant{Type: typ, Token: session.Token{Text: text, Life: life(text)}})
		}
		t.session.Granted(t.id, answers, err == nil)
	})
}

// life returns for how many seconds a token is good, or 0 when that is not to be seen.
func life(token string) int {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil || claims.Exp == 0 {
		return 0
	}
	left := int(time.Until(time.Unix(int64(claims.Exp), 0)).Seconds())
	if left == 0 {
		return -1
	}
	return left
}
