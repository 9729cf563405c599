package conn

import (
	"errors"
	"syscall"
)

// errAgain is what a read without waiting returns when nothing has come.
var errAgain = errors.New("nothing has come")

// fetcher reads from a TCP connection without waiting.
type fetcher struct {
	raw  syscall.RawConn // nil: the connection keeps a goroutine, which waits
	recv func(fd uintptr) bool
	p    []byte
	n    int
	err  error
}

func (f *fetcher) init() {
	f.recv = func(fd uintptr) bool {
		f.n, f.err = recvNow(int(fd), f.p)
		return true
	}
}

// of makes f that of s.
func (f *fetcher) of(s *socket) (err error) {
	if f.raw = nil; s.rests() {
		f.raw, err = plainTCP(s.Conn).SyscallConn()
	}
	return err
}

// now reads what is there. It goes through the connection, which knows whether it has been closed, and its descriptor may be another's.
func (f *fetcher) now(p []byte) (int, error) {
	f.p, f.n, f.err = p, 0, nil
	if err := f.raw.Read(f.recv); err != nil {
		return 0, err
	}
	f.p = nil
	return f.n, f.err
}

func recvNow(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, p)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, errAgain
		case err != nil:
			return 0, err
		case n == 0:
			return 0, errGone
		}
		return n, nil
	}
}
