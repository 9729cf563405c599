package engine

import (
	"crypto/rand"
	"errors"
	"hash/maphash"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"mediawiki-websocket/relay/wire/codec"
)

const (
	stripes = 64
	// DefaultBytes is how much memory the kept messages may take when nobody says otherwise.
	DefaultBytes = 64 << 20
	// settle is how long after a change of policies messages may come that were looked at with those of before.
	settle = 5 * time.Second
)

var (
	// ErrClosed is the error of a message that comes after [Memory.Close].
	ErrClosed = errors.New("the engine is closed")
	// ErrTaken is part of the error of [Open] when another process has the journal open.
	ErrTaken = errors.New("another relay has it open: end that one, or choose another file")
)

// Options says how a [Memory] is to be. The zero value keeps messages for as long as the process lives.
type Options struct {
	// Journal is the path of the file that kept messages survive the process in, in a folder that is there; "": they do not.
	Journal string
	// Bytes is how much memory kept messages may take; the oldest of all go when there are more. 0: [DefaultBytes].
	Bytes int
	// Changed is told of changes of presence, in their order, those that come together in one call; no two calls overlap. It must not block and not close
	// the engine. nil: nobody is told.
	Changed func([]Change)
	// Log gets what went wrong with the journal. nil: nobody does.
	Log *slog.Logger

	// Now tells the time, and After calls f when d is over unless stop is called before. nil: as in package time.
	Now   func() time.Time
	After func(d time.Duration, f func()) (stop func())

	boot string // of the machine, for tests; "": as the kernel says
}

func (o *Options) complete() {
	if o.Bytes == 0 {
		o.Bytes = DefaultBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, f)
			return func() { t.Stop() }
		}
	}
}

// Memory is the engine of a single relay. It keeps messages in memory and, with a journal, in a file from which the next process takes them. Without one
// each start is a new epoch. Offsets are one count over all types.
//
// Locks are taken in this order: repeats, stripe, journal, history. Presence is on its own.
type Memory struct {
	epoch    string
	seed     maphash.Seed
	count    atomic.Uint64 // the last offset
	reserved atomic.Uint64 // no offset beyond it is given before the journal says so
	stripes  [stripes]stripe
	marks    marks
	repeats  [stripes]repeats
	history  history
	presence presence
	journal  *journal // nil: none

	now   func() time.Time
	after func(time.Duration, func()) func()
	log   *slog.Logger
}

var _ Engine = (*Memory)(nil)

// NewMemory returns an engine without a journal, which needs no Close.
func NewMemory() *Memory {
	e, _ := Open(Options{}) // only a journal can fail
	return e
}

// Open returns an engine which goes on where the one before that had this journal has ended. When that is not possible, because the machine broke down or
// the file is damaged, it begins a new epoch, so that nobody believes to have missed nothing, and says so in the log. Errors are the journal's; [ErrTaken]
// is among them. Close must be called.
func Open(o Options) (*Memory, error) {
	o.complete()
	e := &Memory{epoch: newEpoch(), seed: maphash.MakeSeed(), now: o.Now, after: o.After, log: o.Log}
	e.history.init(o.Bytes)
	e.presence.init(&o)
	e.reserved.Store(math.MaxUint64)
	if o.Journal != "" {
		if err := e.openJournal(&o); err != nil {
			return nil, err
		}
	}
	e.marks.add(point{e.count.Load(), e.now().UnixMilli()})
	for i := range e.stripes {
		e.stripes[i].floor = e.count.Load() // who knows what was published before without being kept
	}
	return e, nil
}

func newEpoch() string { return rand.Text()[:12] }

func (e *Memory) stripe(k Key) *stripe {
	return &e.stripes[maphash.Comparable(e.seed, k)%stripes]
}

// Publish implements [Engine]. Without history it returns no error but [ErrClosed].
func (e *Memory) Publish(m *Message, deliver func(*Message)) (repeated bool, err error) {
	if m.Dedup != "" || m.Keep.some() {
		m.Time = e.now().UnixMilli()
	}
	if m.Dedup != "" {
		return e.once(m, deliver)
	}
	return false, e.publish(m, deliver)
}

func (e *Memory) publish(m *Message, deliver func(*Message)) error {
	s := e.stripe(m.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.reserved.Load() == 0 { // the offsets from here on are another relay's
		return ErrClosed
	}
	m.Offset = e.count.Add(1)
	if m.Offset > e.reserved.Load() {
		if err := e.reserve(m.Offset); err != nil {
			return err
		}
	}
	if !m.Keep.some() {
		s.remember(m.Key, m.Offset)
	} else if err := e.keep(m); err != nil {
		return err
	}
	deliver(m)
	return nil
}

// Forget implements [Engine]. The file has the text until it is written anew.
func (e *Memory) Forget(k Key, all bool) error {
	j := e.journal
	if j != nil {
		j.mu.Lock() // nothing comes between file and memory
		defer j.mu.Unlock()
		if j.closed {
			return ErrClosed
		}
	}
	e.history.mu.Lock()
	defer e.history.mu.Unlock()
	for _, r := range e.history.chosen(k, all) {
		last := r.list[len(r.list)-1]
		p := point{last.Offset, last.Time}
		if j != nil {
			j.buf = appendLost(j.buf[:0], r.key, p)
			if err := j.write(j.buf); err != nil {
				j.spoil(err)
			}
		}
		e.history.forget(r.key, p)
	}
	return nil
}

// reserve lets offsets up to some beyond n be given. A disk that cannot be written to does not keep messages from being delivered, but then the journal
// is of no use to a next process.
func (e *Memory) reserve(n uint64) error {
	if e.journal == nil {
		return ErrClosed
	}
	j := e.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	if n <= e.reserved.Load() {
		return nil
	}
	j.buf = appendReserve(j.buf[:0], n+reserveBlock)
	if err := j.write(j.buf); err != nil {
		j.spoil(err)
	}
	e.reserved.Store(n + reserveBlock)
	return nil
}

// keep keeps m, in the journal first.
func (e *Memory) keep(m *Message) error {
	n := newNode(m)
	if e.journal == nil {
		e.history.mu.Lock()
		defer e.history.mu.Unlock()
		e.history.add(n, m.Time)
		return nil
	}
	j := e.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = appendMessage(j.buf[:0], n)
	n.recorded = len(j.buf)
	if err := j.write(j.buf); err != nil {
		return err
	}
	e.history.mu.Lock()
	e.history.add(n, m.Time)
	live := e.history.recorded
	e.history.mu.Unlock()
	if j.bloated(live) {
		j.poke()
	}
	return nil
}

// onItsWay is how many seconds a message may take to whoever says that it has had everything up to a time to come.
const onItsWay = 2

// At implements [Engine].
func (e *Memory) At(k Key, keep History, since *codec.Since, f func(Missed)) {
	reached := e.count.Load()
	clock := e.now().UnixMilli() // after reached was
	e.marks.add(point{reached, clock})
	s := e.stripe(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if since != nil && since.Epoch == "" && since.Time*1000 > clock { // a clock that runs ahead must not cover what is on its way
		since = &codec.Since{Time: clock/1000 - onItsWay}
	}
	m := Missed{Now: codec.Position{Epoch: e.epoch, Offset: e.count.Load()}, All: true}
	switch {
	case since == nil:
	case since.Epoch != "" && (since.Epoch != e.epoch || since.Offset > m.Now.Offset):
		m.All = false
	default:
		m.Messages, m.All = e.missed(k, keep, since, s, clock)
	}
	f(m)
}

// missed returns what was published of k since and, in all, whether that is everything.
func (e *Memory) missed(k Key, keep History, since *codec.Since, s *stripe, clock int64) (messages []*Message, all bool) {
	offset, exact := s.last(k)
	last := e.marks.at(offset, clock)
	h := &e.history
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.wikis[k.Wiki]
	declared := w != nil && w.declared && covers(since, w.since)
	if !keep.some() {
		return nil, covers(since, last) && !h.after(k, since, declared)
	}
	if !covers(since, last) && (exact || !declared) {
		return nil, false // something was published that was not kept, or may have been
	}
	return h.missed(k, keep, since, clock)
}

// Declare implements [Engine].
func (e *Memory) Declare(wiki, policies string) {
	p := digestOf(policies)
	e.history.mu.Lock()
	w := e.history.wiki(wiki)
	first, same := !w.declared, w.declared && w.policies == p
	e.history.mu.Unlock()
	if same {
		return
	}
	e.declare(wiki, p, first)
	if !first {
		e.after(settle, func() { e.declare(wiki, p, true) })
	}
}

// declare makes p what has been declared from now on. A message may still be on its way that was looked at with the policies of before. So when they change
// that is done once more somewhat later, and only then lasting: to a next process that comes meanwhile what is declared then is new.
func (e *Memory) declare(id string, p digest, lasting bool) {
	j := e.journal
	if j != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
	}
	e.history.mu.Lock()
	w := e.history.wiki(id)
	overtaken := lasting && w.declared && w.policies != p
	if !overtaken {
		w.declared, w.settled, w.policies, w.since = true, lasting, p, point{e.count.Load(), e.now().UnixMilli()}
	}
	record := w.lasting()
	e.history.mu.Unlock()
	if overtaken || j == nil || j.closed {
		return
	}
	j.buf = appendDeclared(j.buf[:0], id, record, w.since)
	if err := j.write(j.buf); err != nil {
		j.spoil(err)
	}
}

// Enter implements [Engine].
func (e *Memory) Enter(k Key, p Person) { e.presence.enter(k, p) }

// Exit implements [Engine].
func (e *Memory) Exit(k Key, p Person) { e.presence.exit(k, p) }

// Present implements [Engine].
func (e *Memory) Present(k Key) Presence { return e.presence.present(k) }

// Close implements [Engine]. When it returns the journal may be opened by another process, which goes on with the same epoch. Its error is the journal's.
func (e *Memory) Close() error {
	e.presence.close()
	if e.journal != nil && e.journal.isBroken() {
		e.rewrite() // the last chance; when it fails so does end
	}
	for i := range e.stripes {
		e.stripes[i].mu.Lock()
	}
	e.reserved.Store(0)
	var err error
	if e.journal != nil {
		err = e.journal.end(e.count.Load())
	}
	for i := range e.stripes {
		e.stripes[i].mu.Unlock()
	}
	if e.journal != nil {
		err = errors.Join(err, e.journal.close())
	}
	return err
}

// Stats is what an engine holds.
type Stats struct {
	Messages int // kept
	Keys     int // that have kept messages
	Bytes    int // of memory that they take, about
	Journal  int // bytes of the file
	Rooms    int // types that somebody is in
	Present  int // subscribers in them: connections
}

// Stats returns what e holds now.
func (e *Memory) Stats() Stats {
	var s Stats
	if j := e.journal; j != nil {
		j.mu.Lock()
		s.Journal = int(j.size)
		j.mu.Unlock()
	}
	h := &e.history
	h.mu.Lock()
	s.Messages, s.Keys, s.Bytes = h.messages, len(h.rings), h.bytes
	h.mu.Unlock()
	s.Rooms, s.Present = e.presence.size()
	return s
}
