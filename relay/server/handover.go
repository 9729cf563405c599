package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"mediawiki-websocket/relay/wire"
)

// A relay can hand over to another, a newer program say. The other is started with the sockets that this one listens on. When it has looked at its
// configuration and is ready, this one takes no more connections and no more messages, closes its files and lets the other begin. Whoever comes meanwhile
// waits in the sockets' queues; whoever is connected is told when to come back. Up to the moment when it lets the other begin, this one can go on as if
// nothing had been.

const (
	heirTimeout = 10 * time.Second // for the other to get ready, and again to begin
	gateWait    = time.Second      // for publishes under way
)

// The sockets and files that are handed over, by name.
const (
	lockPart    = "lock"
	controlPart = "control"
	plainPart   = "plain"
	securePart  = "secure"
)

// launch is how this program was started.
type launch struct {
	program string
	args    []string
	folder  string
}

// thisLaunch is to be called before anything changes the folder, or replaces the program's file.
func thisLaunch() launch {
	program, _ := os.Executable()
	folder, _ := os.Getwd()
	return launch{program, os.Args[1:], folder}
}

// handOver starts the program anew and lets that go on in this one's place. After an error this relay is as it was, unless the other failed when this one
// had given everything up: then there is none, and ceded is true.
func (s *Server) handOver(l launch) (ceded bool, err error) {
	h, err := s.startHeir(l)
	if err != nil {
		return false, err
	}
	defer h.release()
	if err := h.await("get ready"); err != nil {
		return false, errors.Join(err, h.end())
	}
	s.cede()
	if _, err := h.begin.WriteString("begin\n"); err != nil {
		return true, errors.Join(fmt.Errorf("let the other relay begin: %w", err), h.end())
	}
	if err := h.await("begin"); err != nil {
		return true, errors.Join(err, h.end())
	}
	notify(fmt.Sprintf("MAINPID=%d", h.process.Pid))
	s.log.Info("another relay has taken this one's place", "pid", h.process.Pid)
	return true, nil
}

// cede gives up what only one relay may have. Requests that have begun are answered; later ones are refused, so that whoever asks tries again.
func (s *Server) cede() {
	s.ready.Store(false)
	if c, ok := s.listening[controlPart].(*net.UnixListener); ok {
		c.SetUnlinkOnClose(false) // the name is the other's
	}
	s.closeIngress() // it may take seconds, in which others can connect
	for _, l := range s.listening {
		l.Close()
	}
	late := time.AfterFunc(gateWait, func() { s.log.Warn("a request takes long: the other relay has to wait") })
	s.gate.Lock() // and it stays locked
	late.Stop()
	s.ceded.Store(true)
	s.closeEngine()
	if err := s.auth.Revocations.Close(); err != nil {
		s.log.Error("close the file of revoked tokens", "error", err)
	}
}

// enter reports whether this relay may still do what only one may; then [Server.leave] is to be called. Otherwise it has answered that another one will.
func (s *Server) enter(w http.ResponseWriter) bool {
	if s.gate.TryRLock() {
		return true
	}
	w.Header().Set("Retry-After", "1")
	refuse(w, wire.NewError(wire.Unavailable, "another relay takes this one's place: ask again"))
	return false
}

func (s *Server) leave() { s.gate.RUnlock() }

// hangUp ends the HTTP servers.
func (s *Server) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), requestWait)
	defer cancel()
	for _, h := range []interface {
		Shutdown(context.Context) error
		Close() error
	}{s.public, s.control} {
		if h.Shutdown(ctx) != nil {
			h.Close()
		}
	}
}

// heir is the process that is to take this one's place.
type heir struct {
	process      *os.Process
	ready, begin *os.File
}

// startHeir starts the program with all that it inherits. Everything that other programs must not inherit is marked so.
func (s *Server) startHeir(l launch) (*heir, error) {
	readyR, readyW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer readyW.Close()
	beginR, beginW, err := os.Pipe()
	if err != nil {
		readyR.Close()
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer beginR.Close()
	names, files, closeFiles, err := s.parts()
	defer closeFiles()
	var pid int
	if err == nil {
		env := append(heirEnvironment(), fmt.Sprintf("%s=%d", readyVariable, readyFD), heirVariable+"="+strings.Join(names, " "))
		// Not os.StartProcess, which would make the sockets blocking, also here.
		files = append([]uintptr{0, 1, 2, readyW.Fd(), beginR.Fd()}, files...)
		pid, err = syscall.ForkExec(l.program, append([]string{l.program}, l.args...),
			&syscall.ProcAttr{Dir: l.folder, Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true}})
	}
	if err != nil {
		readyR.Close()
		beginW.Close()
		return nil, fmt.Errorf("start %s: %w", l.program, err)
	}
	process, err := os.FindProcess(pid)
	return &heir{process, readyR, beginW}, err
}

// heirEnvironment is this process's, without what is about this process: of a name that is there twice the first would count.
func heirEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == watchdogPID || name == readyVariable || name == heirVariable
	})
}

// parts returns copies of the descriptors that are handed over.
func (s *Server) parts() (names []string, files []uintptr, closeAll func(), err error) {
	closeAll = func() {
		for _, fd := range files {
			syscall.Close(int(fd))
		}
	}
	add := func(name string, c syscall.Conn) error {
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		var fd int
		var dupErr error
		if err := raw.Control(func(own uintptr) { fd, dupErr = dupCloseOnExec(int(own)) }); err != nil || dupErr != nil {
			return errors.Join(err, dupErr)
		}
		names, files = append(names, name), append(files, uintptr(fd))
		return nil
	}
	if s.lock != nil {
		err = add(lockPart, s.lock)
	}
	for _, name := range []string{controlPart, plainPart, securePart} {
		if l, ok := s.listening[name].(syscall.Conn); ok && err == nil {
			err = add(name, l)
		}
	}
	if err == nil {
		err = s.feedParts(add)
	}
	return names, files, closeAll, err
}

func dupCloseOnExec(fd int) (int, error) {
	const dupFD = syscall.F_DUPFD_CLOEXEC
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), dupFD, 3)
	if errno != 0 {
		return 0, os.NewSyscallError("fcntl", errno)
	}
	return int(n), nil
}

// await waits until the heir has done what it says in one line, or has failed.
func (h *heir) await(what string) error {
	h.ready.SetReadDeadline(time.Now().Add(heirTimeout))
	code, text, err := readAnswer(h.ready)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the other relay did not %s within %s", what, heirTimeout)
	case err != nil:
		return fmt.Errorf("the other relay ended before it could %s", what)
	case code != 0:
		return fmt.Errorf("the other relay could not %s: %s", what, text)
	}
	return nil
}

// end ends the process, if it has not ended.
func (h *heir) end() error {
	h.process.Kill()
	_, err := h.process.Wait()
	return err
}

func (h *heir) release() {
	h.ready.Close()
	h.begin.Close()
}
