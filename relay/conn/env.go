package conn

import (
	"errors"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
)

// Env is what the connections of a relay share. Its zero counters are ready for use; the rest must be set.
type Env struct {
	Limits Limits
	Auth   *auth.Auth
	Hub    *hub.Hub
	Engine engine.Engine
	Log    *slog.Logger
	Warn   func(about, message string, attrs ...any) // logs a warning, but those about the same thing only now and then

	// Capacity is how many connections that have said who they are there may be, of all wikis together; 0: any number.
	Capacity int

	Refusals Refusals
	visitors Quotas // messages that visitors send

	Published, BadFrames, Panics atomic.Uint64 // messages accepted; frames refused as malformed; faults caught
	Repeated                     atomic.Uint64 // messages that had been accepted before, by their key
	Recovered, Lost              atomic.Uint64 // subscriptions since a position or a time: that missed nothing, or got it; that may have missed something
	Replayed                     atomic.Uint64 // messages that they got

	users     userRates
	appearing [16]sync.Mutex // each for some of the connections

	mu     sync.Mutex
	conns  []*Conn
	number uint32
	room   room
	shut   bool
	closes map[int]uint64
	wg     sync.WaitGroup // counts connections and the goroutines that write for them

	poller   atomic.Pointer[poller] // nil: every connection keeps a goroutine
	noPoller bool                   // and it cannot be opened
	readers  readers
	turns    turns
}

// Publish hands m to the engine, and returns its offset. The error is for the sender.
func (e *Env) Publish(m *engine.Message, deliver func(*engine.Message)) (offset uint64, err *wire.Error) {
	if m.Recipients != nil && m.Keep != (engine.History{}) {
		m.Owners = e.Hub.Owners(m.Recipients)
	}
	repeated, fault := e.Engine.Publish(m, deliver)
	switch {
	case fault != nil:
		return 0, e.unavailable(fault)
	case repeated:
		e.Repeated.Add(1)
	default:
		e.Published.Add(1)
	}
	return m.Offset, nil
}

// Forget lets go of what is kept of a key, or of all keys of the wiki whose types begin with what stands before the "*" at its end.
func (e *Env) Forget(k engine.Key) *wire.Error {
	before, all := strings.CutSuffix(k.Type, "*")
	k.Type = before
	if fault := e.Engine.Forget(k, all); fault != nil {
		return e.unavailable(fault)
	}
	return nil
}

func (e *Env) unavailable(fault error) *wire.Error {
	if !errors.Is(fault, engine.ErrClosed) { // that the relay ends is no news
		e.Warn("publish", "messages could not be taken", "error", fault)
	}
	return wire.NewError(wire.Unavailable, "the relay cannot take messages now")
}

// spawn starts a goroutine that belongs to a connection; [Env.Wait] waits for it.
func (e *Env) spawn(f func()) {
	e.wg.Go(func() {
		defer e.catch()
		f()
	})
}

// catch is deferred where a fault must end one connection only.
func (e *Env) catch() {
	if fault := recover(); fault != nil {
		e.Panics.Add(1)
		e.Log.Error("fault in a connection", "fault", fault, "stack", string(debug.Stack()))
	}
}

// add takes c in and serves it, unless the relay is ending.
func (e *Env) add(c *Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shut {
		return false
	}
	if e.readers.free == nil {
		e.readers.free = make(chan *reader, readersKept)
	}
	c.place = len(e.conns)
	e.conns = append(e.conns, c)
	e.number++
	c.number = e.number
	if c.sock.fd >= 0 && e.canPoll() {
		c.sock.mu.Lock() // it may be evicted already
		c.sock.owner = c
		c.sock.mu.Unlock()
	}
	e.wg.Add(1)
	if c.mode == raw || len(c.sock.prefix) > 0 || !c.sock.rests() || !c.rest() {
		e.run(c, noTurn)
	}
	return true
}

// canPoll opens the poller, with the first connection that needs it. Where there is none every connection keeps a goroutine.
func (e *Env) canPoll() bool {
	if e.poller.Load() != nil || e.noPoller {
		return !e.noPoller
	}
	p, err := openPoller(e.turns.wake, e.dispatch)
	if e.noPoller = err != nil; e.noPoller {
		e.Log.Warn("every connection keeps a goroutine, which takes more memory", "error", err)
		return false
	}
	e.poller.Store(p)
	return true
}

// run serves c in a goroutine of its own, which ends when the connection rests or ends.
func (e *Env) run(c *Conn, held claim) { go e.serve(c, held) }

func (e *Env) serve(c *Conn, held claim) {
	rests := false
	defer func() {
		if !rests {
			e.wg.Done()
		}
	}()
	defer e.catch()
	if !c.connected && c.mode != raw { // a newcomer, who shows a token
		MakeRoom()
	} else {
		makeReadRoom()
	}
	rests = c.serve(held)
}

// Shut lets no more connections in.
func (e *Env) Shut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shut = true
}

func (e *Env) remove(c *Conn, code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	last := len(e.conns) - 1
	e.conns[c.place] = e.conns[last]
	e.conns[c.place].place = c.place
	e.conns[last] = nil
	e.conns = e.conns[:last]
	if p := e.poller.Load(); p != nil {
		p.forget(c)
	}
	if e.closes == nil {
		e.closes = make(map[int]uint64)
	}
	e.closes[label(code)]++
}

// label returns the code when the protocol names it, else 0: peers must not make as many numbers to count as they like.
func label(code int) int {
	if code >= 1000 && code <= 1014 || code == 3000 || code >= 4000 && code <= 4003 || code == 4401 || code >= 4500 && code <= 4502 {
		return code
	}
	return 0
}

// Len returns how many connections there are.
func (e *Env) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.conns)
}

// All returns the connections.
func (e *Env) All() []*Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*Conn(nil), e.conns...)
}

// Closes calls f with each close code, as a label, and how many connections ended with it: the relay's own or else the peer's; "0" without any, or
// for one that the protocol does not name.
func (e *Env) Closes(f func(code string, n uint64)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for code, n := range e.closes {
		f(strconv.Itoa(code), n)
	}
}

// Sweep does for every connection what is due at now: pings, ends the silent, those without connect and those whose token has run out. It is to be
// called every [Env.SweepEvery].
func (e *Env) Sweep(now time.Time) {
	e.countWikis()
	e.users.sweep(now)
	e.each(func(c *Conn) { c.sweep(now) })
}

// eachSome is how many connections are looked at between two looks at the list of them.
const eachSome = 256

// each calls f, without a lock, with all connections that do not end meanwhile, with one or the other twice, and with some that do end or begin.
func (e *Env) each(f func(*Conn)) {
	var some [eachSome]*Conn
	for n, place := e.before(e.Len(), some[:]); n > 0; n, place = e.before(place, some[:]) {
		for _, c := range some[:n] {
			f(c)
		}
	}
}

// before copies connections out of the list, those before the place end, and returns how many there are and the place of the first. Who goes from the list's
// end to its beginning misses nobody: when one is removed, the last takes its place.
func (e *Env) before(end int, to []*Conn) (n, place int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	end = min(end, len(e.conns))
	place = max(0, end-len(to))
	return copy(to, e.conns[place:end]), place
}

// SweepEvery returns how often Sweep must be called to be in time for the limits.
func (e *Env) SweepEvery() time.Duration {
	l := e.Limits
	return max(time.Millisecond, min(time.Second, l.ConnectTimeout/4, l.MessageTimeout/4, l.PingInterval/4, l.PingTimeout/4, l.WriteTimeout/4))
}

// Wait waits until all connections have ended.
func (e *Env) Wait() {
	e.Shut() // and whoever was let in before is counted
	e.wg.Wait()
	if p := e.poller.Load(); p != nil {
		p.close()
	}
}
