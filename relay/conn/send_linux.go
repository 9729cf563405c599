package conn

import (
	"net"
	"syscall"
	"unsafe"
)

// plainFD returns the descriptor of a TCP connection, or -1 when c is none. It is for [sendNow] alone, and for as long as nobody closes c.
func plainFD(c net.Conn) int {
	if p, ok := c.(interface{ Plain() *net.TCPConn }); ok {
		tcp := p.Plain()
		if tcp == nil {
			return -1
		}
		c = tcp
	}
	tcp, ok := c.(*net.TCPConn) // on the control socket connections are few
	if !ok {
		return -1
	}
	raw, err := tcp.SyscallConn()
	fd := -1
	if err != nil || raw.Control(func(f uintptr) { fd = int(f) }) != nil {
		return -1
	}
	return fd
}

// sendNow gives the kernel as much of b, which is not empty, as it takes at once: 0 when it takes nothing now. It goes past net.Conn because the
// bookkeeping of the runtime's poller costs a quarter of the whole fan-out, and past the scheduler because send(2) on a socket that does not
// block returns within microseconds.
func sendNow(fd int, b []byte) (int, error) {
	for {
		n, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		switch e {
		case 0:
			return int(n), nil
		case syscall.EAGAIN:
			return 0, nil
		case syscall.EINTR:
			continue
		}
		return 0, e
	}
}
