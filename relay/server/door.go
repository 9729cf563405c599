package server

import "runtime"

// How many handshakes are worked on at once, for each processor, and how many more wait for that before the relay accepts no further connection.
const (
	handshakesEach = 2
	handshakesWait = 32
)

// door keeps a crowd that comes at once from holding up those who are there: a handshake takes a hundred times as long as to hand a message to the kernel.
// Nobody can stand in the door who has not sent all of a handshake.
type door struct{ room, inside chan struct{} }

func newDoor() door {
	n := handshakesEach * runtime.GOMAXPROCS(0)
	return door{make(chan struct{}, n+handshakesWait), make(chan struct{}, n)}
}

// enter waits until a handshake may be worked on, and returns what ends that.
func (d door) enter() (leave func()) {
	d.room <- struct{}{}
	d.inside <- struct{}{}
	return func() { <-d.inside; <-d.room }
}

// wait waits until there is room before the door.
func (d door) wait() {
	d.room <- struct{}{}
	<-d.room
}
