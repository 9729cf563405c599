package wikitest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// A Program is the relay's program with flags of its own and no wiki, for what
// the relay itself serves. Its port stays the same when it is started again.
type Program struct {
	// URL is its address on the loopback interface, without a slash at its end.
	URL string

	args []string
	cmd  *exec.Cmd
	log  lockedBuffer
}

// lockedBuffer is written by the process's reader and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// NewProgram starts the relay with these flags, besides --listen, and ends it
// with the test.
func NewProgram(t testing.TB, args ...string) *Program {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePorts(1))
	p := &Program{URL: "http://" + address, args: append([]string{"--listen", address}, args...)}
	t.Cleanup(func() {
		p.Stop(t)
		if t.Failed() {
			t.Logf("the relay's log:\n%s", p.log.String())
		}
	})
	p.Start(t)
	return p
}

// Start starts it again after Stop, and waits until it listens.
func (p *Program) Start(t testing.TB) {
	t.Helper()
	root, err := ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(filepath.Join(root, "bin", "websocket-relay"), p.args...)
	p.cmd.Stderr = &p.log
	p.cmd.Env = []string{}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start the relay (make build makes it): %v", err)
	}
	Eventually(t, "the relay listens", func() bool {
		if !runs(p.cmd.Process.Pid) {
			t.Fatalf("the relay has ended:\n%s", p.log.String())
		}
		c, err := net.Dial("tcp", p.URL[len("http://"):])
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// Stop ends it as an administrator does, and waits for its end.
func (p *Program) Stop(t testing.TB) {
	t.Helper()
	if p.cmd == nil || p.cmd.ProcessState != nil {
		return
	}
	p.cmd.Process.Signal(os.Interrupt)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the relay: %v\n%s", err, p.log.String())
	}
}
