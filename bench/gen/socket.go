//go:build linux

package gen

import (
	"syscall"
	"unsafe"
)

const (
	readBytes  = 256 << 10 // read at once; as much again is room for what was not complete
	drainBytes = 1 << 30
	noWait     = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
	latePort   = 24      // IP_BIND_ADDRESS_NO_PORT: the port is chosen when the peer is known, so that ports do not run out
	edges      = 1 << 31 // EPOLLET
	allEvents  = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edges
)

// Dial starts to connect c, from the next of some loopback addresses. An error is one of this machine, not the server's.
func (e *Engine) Dial(c *Conn) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, latePort, 1)
	if c.Kind == Drainer {
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<20)
	}
	e.source++
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 1, byte(1 + e.source%50)}})
	if err == nil {
		err = syscall.Connect(fd, &e.to)
	}
	if err != nil && err != syscall.EINPROGRESS {
		syscall.Close(fd)
		return err
	}
	c.fd, c.state, c.Began, c.Retry, c.Step = fd, Connecting, Now(), 0, 0
	c.turn++
	c.partial, c.unsent, c.answered = c.partial[:0], nil, false
	ev := syscall.EpollEvent{Events: allEvents, Fd: c.slot, Pad: c.turn}
	return syscall.EpollCtl(e.epoll, syscall.EPOLL_CTL_ADD, fd, &ev)
}

// Hangup ends a connection from this side, at once.
func (e *Engine) Hangup(c *Conn) {
	if c.state == Closed {
		return
	}
	if c.state == Ready && c.Kind.Subscribes() {
		e.ReadyNow--
	}
	c.state = Closed
	syscall.Close(c.fd)
}

// unwatch lets no more events come from c.
func (e *Engine) unwatch(c *Conn) { syscall.EpollCtl(e.epoll, syscall.EPOLL_CTL_DEL, c.fd, nil) }

// Write implements [Link]: it sends what the kernel takes, and the rest when it takes more.
func (e *Engine) Write(c *Conn, b []byte) {
	if len(c.unsent) > 0 {
		c.unsent = append(c.unsent, b...)
		return
	}
	for len(b) > 0 {
		n, errno := transfer(syscall.SYS_SENDTO, c.fd, b, noWait)
		if errno == syscall.EAGAIN {
			c.unsent = append(c.unsent, b...)
			return
		}
		if errno != 0 {
			return // reading will show it
		}
		b = b[n:]
	}
}

// Read handles what c has received.
func (e *Engine) Read(c *Conn) {
	for {
		have := copy(e.buffer, c.partial)
		n, errno := transfer(syscall.SYS_RECVFROM, c.fd, e.buffer[have:have+readBytes], syscall.MSG_DONTWAIT)
		if errno == syscall.EAGAIN {
			return
		}
		c.partial = c.partial[:0]
		if errno != 0 || n == 0 {
			e.lost(c)
			return
		}
		if c.state == Ready {
			e.Bytes += uint64(n)
		}
		used := e.consume(c, e.buffer[:have+n])
		if c.state == Closed {
			return
		}
		c.partial = append(c.partial, e.buffer[used:have+n]...)
		if n < readBytes {
			return
		}
	}
}

// Drain throws away what a [Drainer] has received and returns how many bytes that were; -1 when the server has ended the connection. It is not copied
// out of the kernel.
func (e *Engine) Drain(c *Conn) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(c.fd), 0, drainBytes, syscall.MSG_DONTWAIT|syscall.MSG_TRUNC, 0, 0)
	if errno == syscall.EAGAIN {
		return 0
	}
	if errno != 0 || n == 0 {
		e.lost(c)
		return -1
	}
	e.Bytes += uint64(n)
	return int(n)
}

func transfer(call uintptr, fd int, b []byte, flags uintptr) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), flags, 0, 0)
	return int(n), errno
}

// epollWait returns how many events there are, 0 after an error. Without a wait it does not tell Go's scheduler, which costs more than the call.
func epollWait(epoll int, events []syscall.EpollEvent, ms int) int {
	call := syscall.RawSyscall6
	if ms != 0 {
		call = syscall.Syscall6
	}
	n, _, errno := call(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(ms), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}
