package conn

import (
	"runtime"
	"sync"
)

const (
	goneMost = 2 // connections of peers that have gone are taken apart so many at once,
	goneEach = 8 // and of so many connections that want to be read one is of those, if there are any
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
	held        [goneTurn + 1]int
	count       uint
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

// next returns whose turn it is, or nil.
func (t *turns) next() (*Conn, claim) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[readTurn]+t.held[goneTurn] >= readMost {
		return nil, noTurn
	}
	t.count++
	mayGo := len(t.gone) > 0 && t.held[goneTurn] < goneMost
	if len(t.ready) > 0 && (!mayGo || t.count%goneEach != 0) {
		t.held[readTurn]++
		return shift(&t.ready), readTurn
	}
	if mayGo {
		t.held[goneTurn]++
		return shift(&t.gone), goneTurn
	}
	return nil, noTurn
}

func shift(queue *[]*Conn) *Conn {
	c := (*queue)[0]
	(*queue)[0] = nil
	if *queue = (*queue)[1:]; len(*queue) == 0 {
		*queue = nil
	}
	return c
}

// release gives a turn back; [Env.dispatch] gives it to the next.
func (t *turns) release(held claim) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held[held]--
}

// dispatch serves those whose turn it is.
func (e *Env) dispatch() {
	for c, held := e.turns.next(); c != nil; c, held = e.turns.next() {
		e.run(c, held)
	}
}

// Breathe is for whoever has much to do, now and then: it lets others who have something to say be read. The runtime looks at the network only when a
// processor has nothing else to do, or every ten milliseconds.
func (e *Env) Breathe() {
	if p := e.poller.Load(); p != nil {
		p.poll(e.turns.wake)
		e.dispatch()
	}
	runtime.Gosched()
}
