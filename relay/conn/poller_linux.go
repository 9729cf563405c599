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
	raw  syscall.RawConn
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
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	p.done.Go(func() { p.loop(wake, dispatch) })
	return p, nil
}

func (p *poller) close() {
	p.file.Close()
	p.done.Wait()
}

func (p *poller) loop(wake func(*Conn, bool), dispatch func()) {
	for {
		took := false
		err := p.raw.Read(func(fd uintptr) bool {
			took = p.events(int(fd), wake)
			return took
		})
		if err != nil {
			return // closed
		}
		dispatch()
	}
}

// poll takes some events, without waiting, unless the poller is closed.
func (p *poller) poll(wake func(*Conn, bool)) {
	p.raw.Control(func(fd uintptr) { p.events(int(fd), wake) })
}

// events takes some events and reports whether there were any.
func (p *poller) events(fd int, wake func(*Conn, bool)) bool {
	var events [pollEvents]syscall.EpollEvent
	n, _ := syscall.EpollWait(fd, events[:], 0) // fails for no reason that waiting would not find again
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
		op = syscall.EPOLL_CTL_ADD
		p.mu.Lock()
		if fd >= len(p.waiting) {
			p.waiting = append(p.waiting, make([]*Conn, fd+1-len(p.waiting))...)
		}
		p.waiting[fd] = c
		p.mu.Unlock()
	}
	e := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(fd), Pad: int32(c.number)}
	if err := syscall.EpollCtl(p.fd, op, fd, &e); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	c.watched = true
	return nil
}

// forget drops what the poller knows of c, which has ended; its descriptor may be another connection's already.
func (p *poller) forget(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd := int(c.sock.fd); fd >= 0 && fd < len(p.waiting) && p.waiting[fd] == c {
		p.waiting[fd] = nil
	}
}
