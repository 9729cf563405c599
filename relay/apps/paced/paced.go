// Package paced sends to one peer no faster than it takes in: the peer says how much it has, and what it is too slow for is left out and counted.
package paced

import "sync"

const (
	windowBytes = 512 << 10 // that the peer has not acknowledged; well below what the relay keeps for a slow connection
	queueBytes  = 8 << 20   // that wait beyond that: two seconds of 10,000 long lines each, which come at once; queues share their frames
	frameCost   = 512       // what a frame counts besides its bytes, so that many small ones are bounded, too
)

// A Frame is a message that holds some items, such as lines.
type Frame struct {
	Data  []byte // not changed any more: many queues may have it
	Items int
}

func (f Frame) cost() int { return len(f.Data) + frameCost }

// A Queue is what waits for one peer. Its methods may be called concurrently; Send and Missed are called one at a time, and must not call them.
type Queue struct {
	Send   func(data []byte) // sends a frame, without waiting
	Missed func(items int)   // says that so many items are left out behind what was sent before

	mu      sync.Mutex
	frames  []Frame
	waiting int   // the cost of frames
	sent    []int // the costs of what is not acknowledged
	unacked int   // their sum
	acked   int   // frames
	missed  int   // items
}

// Put sends a frame, as soon as there is room. When too much waits the oldest frames fall out.
func (q *Queue) Put(f Frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.frames, q.waiting = append(q.frames, f), q.waiting+f.cost()
	q.pump()
	for q.waiting > queueBytes {
		q.missed += q.next().Items
	}
}

// Ack says how many frames the peer has taken in, all in all.
func (q *Queue) Ack(frames int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ; q.acked < frames && len(q.sent) > 0; q.acked++ {
		q.unacked -= q.sent[0]
		q.sent = q.sent[1:]
	}
	q.pump()
}

// pump sends what there is room for.
func (q *Queue) pump() {
	for len(q.frames) > 0 && (q.unacked == 0 || q.unacked+q.frames[0].cost() <= windowBytes) {
		if q.missed > 0 {
			q.Missed(q.missed)
			q.missed = 0
		}
		f := q.next()
		q.sent, q.unacked = append(q.sent, f.cost()), q.unacked+f.cost()
		q.Send(f.Data)
	}
}

// next takes the oldest frame out.
func (q *Queue) next() Frame {
	f := q.frames[0]
	q.frames[0] = Frame{} // or else its bytes would be kept
	q.frames, q.waiting = q.frames[1:], q.waiting-f.cost()
	return f
}
