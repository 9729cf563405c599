package command

import (
	"os"
	"syscall"
	"time"
)

// goneEvery is how often the watch looks whether it is to stop.
const goneEvery = 200 * time.Millisecond

// Gone returns a function for [Streams] that tells when nobody can read any more what is written to f, a pipe or a socket: as in "listen | head -1", which is to
// end also when no further message comes.
func Gone(f *os.File) func(stop <-chan struct{}) <-chan struct{} {
	return func(stop <-chan struct{}) <-chan struct{} {
		gone := make(chan struct{})
		go watch(int(f.Fd()), stop, gone)
		return gone
	}
}

// watch closes gone when the other end of fd is gone. It ends soon after stop is closed.
func watch(fd int, stop <-chan struct{}, gone chan<- struct{}) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return
	}
	defer syscall.Close(epoll)
	// Errors and hang-ups are told unasked. A file cannot be watched, and has no other end.
	if syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Fd: int32(fd)}) != nil {
		return
	}
	events := make([]syscall.EpollEvent, 1)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, err := syscall.EpollWait(epoll, events, int(goneEvery.Milliseconds()))
		if n > 0 {
			close(gone)
			return
		}
		if err != nil && err != syscall.EINTR {
			return
		}
	}
}
