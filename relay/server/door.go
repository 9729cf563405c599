package server

import (
	"runtime"
	"time"
)

// How many handshakes are worked on at once, for each processor, and how many more wait for that before the relay accepts no further connection.
const (
	handshakesEach = 2
	handshakesWait = 32
)

// doorPatience bounds how long one who does not move on can keep others waiting: who has not read what came before may be in the way of the answer.
const doorPatience = 20 * time.Millisecond

// door keeps a crowd that comes at once from holding up those who are there: a handshake takes a hundred times as long as to hand a message to the kernel.
// Nobody can stand in the door who has not sent all of a handshake.
type door struct{ room, inside chan struct{} }

func newDoor() door {
	n := handshakesEach * runtime.GOMAXPROCS(0)
	return door{make(chan struct{}, n+handshakesWait), make(chan struct{}, n)}
}

// enter waits until a handshake may be worked on, or for long enough, and returns what ends that.
func (d door) enter() (leave func()) {
	room, inside := take(d.room), take(d.inside)
	return func() {
		if inside {
			<-d.inside
		}
		if room {
			<-d.room
		}
	}
}

// wait waits until there is room before the door, or for long enough.
func (d door) wait() {
	if take(d.room) {
		<-d.room
	}
}

// take takes a place and reports whether one has become free in time.
func take(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	late := time.NewTimer(doorPatience)
	defer late.Stop()
	select {
	case places <- struct{}{}:
		return true
	case <-late.C:
		return false
	}
}
