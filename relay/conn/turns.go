package conn

import (
	"runtime"
	"sync"
)

// readMost is how many connections are read at once, without those that wait for their peer in the middle of a message: enough to keep the processors busy.
// More would only let whoever comes next wait for longer.
var readMost = max(8, 4*runtime.GOMAXPROCS(0))

// claim is what a reader holds while it reads and does not wait.
type claim uint8

const (
	noTurn   claim = iota
	readTurn       // the peer has sent something
	goneTurn       // it has gone
)

// turns decides who is read when many want to be: whoever has waited for longest, but those whose peers have gone, who may be thousands at a time, last.
type turns struct {
	mu          sync.Mutex
	ready, gone []*Conn
	reading     int  // turns that are held
	burying     bool // somebody takes those apart that have gone,
	shift       uint // in this shift
}

// wake puts a connection that rests in the queue.
func (t *turns) wake(c *Conn, gone bool) {
	if !c.resting.CompareAndSwap(true, false) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if gone {
		t.gone = append(t.gone, c)
	} else {
		t.ready = append(t.ready, c)
	}
}

// next returns who is to be read now, or nil.
func (t *turns) next() *Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ready) == 0 || t.reading >= readMost {
		return nil
	}
	t.reading++
	return shift(&t.ready)
}

// bury reports whether somebody must begin to take connections apart whose peers have gone; that is one goroutine.
func (t *turns) bury() (shift uint, begin bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.gone) == 0 || t.burying {
		return 0, false
	}
	t.burying = true
	return t.shift, true
}

// nextGone returns the next of them for who began in that shift; nil ends it.
func (t *turns) nextGone(now uint) *Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shift != now {
		return nil
	}
	if t.burying = len(t.gone) > 0; !t.burying {
		return nil
	}
	return shift(&t.gone)
}

// relieve ends the shift of one who has to wait for a peer.
func (t *turns) relieve() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shift++
	t.burying = false
}

func shift(queue *[]*Conn) *Conn {
	c := (*queue)[0]
	(*queue)[0] = nil
	if *queue = (*queue)[1:]; len(*queue) == 0 {
		*queue = nil
	}
	return c
}

// release gives a turn back.
func (t *turns) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading--
}

// dispatch serves those whose turn it is.
func (e *Env) dispatch() {
	for c := e.turns.next(); c != nil; c = e.turns.next() {
		e.run(c, readTurn)
	}
	if shift, begin := e.turns.bury(); begin {
		go e.bury(shift)
	}
}

// bury takes connections apart whose peers have gone, and lets all others go first after each: if each had a goroutine that starts the next one, that would
// run before those who have let others go first.
func (e *Env) bury(shift uint) {
	for c := e.turns.nextGone(shift); c != nil; c = e.turns.nextGone(shift) {
		e.serve(c, goneTurn)
		e.Breathe()
	}
}

// Poll begins to serve those who have something to say. It is for whoever does one thing after another for long: the runtime looks at the network only
// when a processor has nothing else to do, or every ten milliseconds.
func (e *Env) Poll() {
	if p := e.poller.Load(); p != nil {
		p.poll(e.turns.wake)
		e.dispatch()
	}
}

// Breathe is Poll, and lets all others go on first.
func (e *Env) Breathe() {
	e.Poll()
	runtime.Gosched()
}
