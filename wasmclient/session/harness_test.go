package session_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// A browser is a session with fake sockets and fake tabs, in a synctest bubble.
type browser struct {
	*session.Session
	t       *testing.T
	sockets []*socket
	dialled []time.Time
	random  float64
	// down makes each socket close before it opens, deaf leaves it unanswered, broken makes Dial fail.
	down, deaf, broken bool
	// answer may take the place of the relay's usual answer to a command, and replay is what follows it.
	answer func(*session.Command) *session.Frame
	replay []*session.Frame
	timers atomic.Int32 // that run
}

// in runs a test of a browser in a bubble.
func in(t *testing.T, test func(t *testing.T, b *browser)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &browser{t: t, random: 0.5}
		b.Session = session.New(session.Config{Dial: b.dial, Rand: func() float64 { return b.random }, After: b.after, Limits: wire.DefaultLimits()})
		ran := make(chan struct{})
		go func() { b.Run(); close(ran) }()
		test(t, b)
		b.Stop()
		<-ran
		if n := b.timers.Load(); n != 0 {
			t.Errorf("%d timers are left", n)
		}
		for _, s := range b.sockets {
			close(s.done)
		}
	})
}

// Subscribe subscribes without anything from before.
func (b *browser) Subscribe(client, typ string) { b.Session.Subscribe(client, typ, session.Since{}) }

func (b *browser) after(ms int, f func()) (cancel func()) {
	b.timers.Add(1)
	timer := time.AfterFunc(time.Duration(ms)*time.Millisecond, func() {
		b.timers.Add(-1)
		f()
	})
	return func() {
		if timer.Stop() {
			b.timers.Add(-1)
		}
	}
}

func (b *browser) dial(url string, link *session.Link) (session.Socket, error) {
	b.dialled = append(b.dialled, time.Now())
	if b.broken {
		return nil, errors.New("blocked")
	}
	s := &socket{b: b, url: url, link: link, events: make(chan func(), 1000), done: make(chan struct{})}
	b.sockets = append(b.sockets, s)
	go s.run()
	switch {
	case b.down:
		s.events <- func() { link.Closed(1006, "") }
	case !b.deaf:
		s.events <- link.Opened
	}
	return s, nil
}

// socket is the last one; it must be there.
func (b *browser) socket() *socket {
	b.t.Helper()
	synctest.Wait()
	if len(b.sockets) == 0 {
		b.t.Fatal("nothing was dialled")
	}
	return b.sockets[len(b.sockets)-1]
}

// A socket ends at a relay that agrees to everything.
type socket struct {
	b      *browser
	url    string
	link   *session.Link
	sent   []session.Command
	closed int
	events chan func()
	done   chan struct{}
}

func (s *socket) run() {
	for {
		select {
		case event := <-s.events:
			event()
		case <-s.done:
			return
		}
	}
}

func (s *socket) Send(c *session.Command) {
	s.sent = append(s.sent, *c)
	if s.closed != 0 {
		s.b.t.Errorf("%s was sent on a closed socket", c.Op)
	}
	if s.b.deaf {
		return
	}
	var f *session.Frame
	if s.b.answer != nil {
		f = s.b.answer(c)
	}
	if f == nil {
		f = &session.Frame{Reply: true, Wiki: "wiki:", User: "Ann", Ping: 25}
	}
	f.ID = c.ID
	switch {
	case c.Op == wire.OpPing:
		f = &session.Frame{Op: wire.OpPong}
	case c.ID == 0:
		return
	}
	for _, f := range append([]*session.Frame{f}, s.b.replay...) {
		s.events <- func() { s.link.Received(f) }
	}
	s.b.replay = nil
}

func (s *socket) Close(code int, _ string) { s.closed = code }

// wait lets time pass and everything happen that is due.
func (b *browser) wait(d time.Duration) {
	b.Unsubscribe("nobody", "") // what the test did until here is before what the session's timers do
	time.Sleep(d)
	synctest.Wait()
}

// say sends a frame to the browser and waits until it has been dealt with.
func (s *socket) say(f *session.Frame) {
	s.link.Received(f)
	synctest.Wait()
}

func (s *socket) end(code int) {
	s.link.Closed(code, "")
	synctest.Wait()
}

// commands returns what was sent with that op since the last call for it.
func (s *socket) commands(op string) (found []session.Command) {
	synctest.Wait()
	s.sent = slices.DeleteFunc(s.sent, func(c session.Command) bool {
		if c.Op == op {
			found = append(found, c)
		}
		return c.Op == op
	})
	return found
}

// A tab writes down what it is told.
type tab struct {
	b      *browser
	id     string
	log    []string
	token  *session.Token // what it answers; nil: nothing
	refuse bool           // it answers that it has none
	final  bool           // and that there will be none
	// grants is what it answers when it is asked for subscription tokens; nil: nothing.
	grants func(types, refused []string) (answers []session.Grant, final bool)
}

// open opens a tab that has a token and sees the connection up.
func (b *browser) open(id string, types ...string) *tab {
	return b.openWith(id, &session.Token{Text: "token"}, types...)
}

func (b *browser) openWith(id string, token *session.Token, types ...string) *tab {
	t := &tab{b: b, id: id}
	b.Join(id, "ws://relay.example/", token, t)
	for _, typ := range types {
		b.Subscribe(id, typ)
	}
	synctest.Wait()
	return t
}

func (t *tab) note(format string, args ...any) { t.log = append(t.log, fmt.Sprintf(format, args...)) }

func (t *tab) Connected(w session.Welcome)  { t.note("connected %s%s", w.Wiki, w.User) }
func (t *tab) Disconnected(e session.Ended) { t.note("disconnected %d %t", e.Code, e.Retry) }
func (t *tab) Deliver(payload any)          { t.note("got %v", payload) }
func (t *tab) Fail(f session.Failure)       { t.note("%s %s: %s", f.Op, f.Type, f.Code) }
func (t *tab) Missed(typ string)            { t.note("missed %s", typ) }
func (t *tab) Position(typ, epoch string, offset uint64) {
	t.note("at %s %s:%d", typ, epoch, offset)
}
func (t *tab) Changed(op, typ string, payload any) { t.note("%s %s %v", op, typ, payload) }
func (t *tab) Present(question int, payload any, err *wire.Error) {
	if err != nil {
		payload = err.Code
	}
	t.note("present %d %v", question, payload)
}
func (t *tab) WantToken(refused bool) {
	t.note("token %t", refused)
	switch {
	case t.refuse:
		go t.b.NoToken(t.id, t.final)
	case t.token != nil:
		go t.b.GiveToken(t.id, *t.token)
	}
}

func (t *tab) WantGrants(types, refused []string) {
	t.note("grants %s not %s", strings.Join(types, ","), strings.Join(refused, ","))
	if t.grants != nil {
		answers, final := t.grants(types, refused)
		go t.b.Granted(t.id, answers, final)
	}
}

// heard fails the test unless the tab was told exactly this since the last call.
func (t *tab) heard(want ...string) {
	t.b.t.Helper()
	synctest.Wait()
	if !slices.Equal(t.log, want) {
		t.b.t.Errorf("tab %s was told %q, want %q", t.id, t.log, want)
	}
	t.log = nil
}

func message(typ, from string, to ...string) *session.Frame {
	return &session.Frame{Type: typ, From: from, To: to, Payload: typ}
}

// numbered is a message with an offset.
func numbered(typ string, offset uint64) *session.Frame {
	f := message(typ, "")
	f.Offset, f.Payload = offset, fmt.Sprint(typ, " ", offset)
	return f
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
