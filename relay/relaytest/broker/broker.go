// Package broker starts real queues for tests, on the loopback interface and in folders of their own: Redis and RabbitMQ, as Debian has them. What is
// missing fails the test; make install installs it.
package broker

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start or to end.
const patience = 60 * time.Second

// Server is a program that listens on a port.
type Server struct {
	Address string // 127.0.0.1:PORT
	Port    int
	dir     string
	command func() *exec.Cmd
	cmd     *exec.Cmd
	ended   chan struct{}
	out     output
}

// output is what the program writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs the program until it listens.
func (s *Server) start() error {
	s.cmd, s.ended = s.command(), make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // also when the test ends without a Cleanup
	started := make(chan error)
	go func(cmd *exec.Cmd, ended chan struct{}) { // ends with the program
		runtime.LockOSThread() // whose death Pdeathsig is about
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if started <- err; err == nil {
			cmd.Wait()
		}
		close(ended)
	}(s.cmd, s.ended)
	if err := <-started; err != nil {
		return fmt.Errorf("%w; make install installs what tests need", err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		select {
		case <-s.ended:
			return fmt.Errorf("%s ended:\n%s", s.cmd.Path, s.out.String())
		default:
		}
		if c, err := net.Dial("tcp", s.Address); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("%s does not listen:\n%s", s.cmd.Path, s.out.String())
}

// Start starts it again after [Server.Kill].
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Kill ends it, as when the machine breaks down, and returns when it is gone.
func (s *Server) Kill() {
	s.signal(syscall.SIGKILL)
	<-s.ended
}

// Stop keeps it from doing anything until [Server.Continue].
func (s *Server) Stop() { s.signal(syscall.SIGSTOP) }

// Continue ends [Server.Stop].
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

// signal is for the program and its children, which are a process group.
func (s *Server) signal(n syscall.Signal) { syscall.Kill(-s.cmd.Process.Pid, n) }

func (s *Server) end() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.Kill()
	}
	os.RemoveAll(s.dir)
}

// newServer returns a server with a folder and a port that is free, and is not one that the kernel gives to outgoing connections or the wikis of tests take.
func newServer() (*Server, error) {
	dir, err := os.MkdirTemp("", "websocket-broker")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, Port: FreePort("tcp")}
	s.Address = "127.0.0.1:" + strconv.Itoa(s.Port)
	return s, nil
}

// FreePort returns a port of 127.0.0.1 for "tcp" or "udp" that is free, and is not one that the kernel gives to others.
func FreePort(network string) int {
	for {
		port := 30000 + rand.IntN(2700)
		address := "127.0.0.1:" + strconv.Itoa(port)
		var c io.Closer
		var err error
		if network == "udp" {
			c, err = net.ListenPacket(network, address)
		} else {
			c, err = net.Listen(network, address)
		}
		if err == nil {
			c.Close()
			return port
		}
	}
}

// Redis starts a Redis that gives each write to the kernel before it answers: [Server.Kill] loses none. It has a password unless that is "". The test's end
// ends it.
func Redis(t testing.TB, password string) *Server {
	t.Helper()
	s, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	s.command = func() *exec.Cmd {
		return exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(s.Port), "--dir", s.dir, "--appendonly", "yes", "--appendfsync", "no",
			"--save", "", "--requirepass", password)
	}
	t.Cleanup(s.end)
	s.Start(t)
	return s
}
