//go:build linux

package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a server that this program has started, and ends.
type Process struct {
	Pid  int
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Start starts a program on the cores, a list as taskset takes it. It dies with the thread that calls Start.
func Start(cores string, out io.Writer, args ...string) (*Process, error) {
	cmd := exec.Command("taskset", append([]string{"-c", cores}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	p := &Process{cmd.Process.Pid, cmd, make(chan struct{})}
	go func() { // ends with the process
		cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Kill ends the process with SIGKILL and waits for that.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// Running reports whether it has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// CPU is processor time in seconds.
type CPU struct {
	Total     float64 // by nanoseconds
	User, Sys float64 // by ticks of 10 ms
}

// CPU returns what the process has used.
func (p *Process) CPU() (c CPU) {
	if f := statFields(p.path("stat")); len(f) > 12 {
		c.User, c.Sys = number(f[11])/ticks, number(f[12])/ticks
	}
	threads, _ := filepath.Glob(p.path("task/[0-9]*/schedstat"))
	for _, t := range threads {
		b, _ := os.ReadFile(t)
		if f := strings.Fields(string(b)); len(f) > 0 {
			c.Total += number(f[0]) / 1e9
		}
	}
	return c
}

// PSS returns its proportional set size in bytes.
func (p *Process) PSS() int64 {
	b, _ := os.ReadFile(p.path("smaps_rollup"))
	return kilobytes(string(b), "Pss:")
}

// Files returns how many files it has open.
func (p *Process) Files() int {
	names, _ := filepath.Glob(p.path("fd/*"))
	return len(names)
}

func (p *Process) path(name string) string { return filepath.Join("/proc", strconv.Itoa(p.Pid), name) }

// ErrEnded is the error of [Process.Await] when the process has ended.
var ErrEnded = errors.New("the server has ended")

// Await waits until ok, at most for limit.
func (p *Process) Await(limit time.Duration, ok func() bool) error {
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if !p.Running() {
			return ErrEnded
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server is not ready within %v", limit)
		}
	}
	return nil
}
