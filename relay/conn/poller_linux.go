package conn

import (
	"os"
	"sync"
	"syscall"
)

const pollEvents = 128 // taken from the kernel at once

// poller wakes connections that hold no goroutine: when their peer has sent something, or has gone. It has an epoll of its own, which is itself
// one descriptor in the runtime's poller, so that nobody blocks a thread on it.
type poller struct {
	fd   int
	file *os.File // owns fd
	done sync.WaitGroup

	mu      sync.Mutex
	waiting []*Conn // by descriptor
}

// openPoller starts a poller, which hands each connection that is to be served to wake, and whether its peer has gone; then it calls dispatch. close
// ends it.
func openPoller(wake func(*Conn, bool), dispatch func()) (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // or else the runtime would not poll it
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	raw, err := p.file.SyscallConn()
	if err != nil {
		p.file.Close()
		return nil, err
	}
	p.done.Go(func() { p.loop(raw, wake, dispatch) })
	return p, nil
}

func (p *poller) close() {
	p.file.Close()
	p.done.Wait()
}

func (p *poller) loop(raw syscall.RawConn, wake func(*Conn, bool), dispatch func()) {
	for {
		took := false
		err := raw.Read(func(uintptr) bool {
			took = p.poll(wake)
			return took
		})
		if err != nil {
			return // closed
		}
		dispatch()
	}
}

// poll takes some events, without waiting, and reports whether there were any.
func (p *poller) poll(wake func(*Conn, bool)) bool {
	var events [pollEvents]syscall.EpollEvent
	n, _ := syscall.EpollWait(p.fd, events[:], 0) // which fails only when the descriptor is closed, and raw.Read says so
	for _, e := range events[:max(n, 0)] {
		if c := p.take(int(e.Fd), uint32(e.Pad)); c != nil {
			wake(c, e.Events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0)
		}
	}
	return n > 0
}

// take returns the connection that an event is about. By the time that it is looked at, its descriptor may be another connection's.
func (p *poller) take(fd int, number uint32) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.waiting[fd]; c != nil && c.number == number {
		return c
	}
	return nil
}

// watch makes the poller wake c once. c's descriptor must be open, and stay open for as long as this takes.
func (p *poller) watch(c *Conn) error {
	fd, op := int(c.sock.fd), syscall.EPOLL_CTL_MOD
	if !c.watched {
		op, c.watched = syscall.EPOLL_CTL_ADD, true
		p.mu.Lock()
		if fd >= len(p.waiting) {
			p.waiting = append(p.waiting, make([]*Conn, fd+1-len(p.waiting))...)
		}
		p.waiting[fd] = c
		p.mu.Unlock()
	}
	e := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(fd), Pad: int32(c.number)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.fd, op, fd, &e))
}

// forget drops what the poller knows of c, which has ended; its descriptor may be another connection's already.
func (p *poller) forget(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd := int(c.sock.fd); c.watched && p.waiting[fd] == c {
		p.waiting[fd] = nil
	}
}
