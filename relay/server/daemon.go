package server

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mediawiki-websocket/relay/config"
)

const (
	readyVariable = "WEBSOCKET_RELAY_READY" // set for the relay in the background: the number of the pipe's descriptor
	readyFD       = 3
	readyTimeout  = 10 * time.Second
)

// daemonize starts this program again, detached: in a session of its own, without the terminal, and without the descriptors that a web server
// lets the programs it starts inherit (with its listening socket open in the relay, the server could not start again). It returns once the relay
// listens, or with the relay's own error.
func daemonize() error {
	closeOnExec()
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the relay's program: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer r.Close()
	cmd := exec.Command(program, os.Args[1:]...) // nil files are /dev/null
	cmd.Env = append(os.Environ(), readyVariable+"="+strconv.Itoa(readyFD))
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return fmt.Errorf("start the relay in the background: %w", err)
	}
	r.SetReadDeadline(time.Now().Add(readyTimeout))
	answer, err := bufio.NewReader(r).ReadString('\n')
	code, text, _ := strings.Cut(strings.TrimSpace(answer), " ")
	switch n, bad := strconv.Atoi(code); {
	case err == nil && bad == nil && n == config.ExitOK:
		return cmd.Process.Release()
	case err == nil && bad == nil:
		cmd.Wait()
		return config.Fail(n, "%s", text)
	case errors.Is(err, os.ErrDeadlineExceeded):
		cmd.Process.Kill()
		cmd.Wait()
		return config.Fail(config.ExitFailure, "the relay did not get ready within %s", readyTimeout)
	}
	return config.Fail(config.ExitFailure, "the relay ended while starting: %v", cmd.Wait())
}

// closeOnExec marks every descriptor that this process has inherited, except the standard ones, to be closed in programs that it starts.
func closeOnExec() {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		for fd := 3; fd < 1024; fd++ {
			syscall.CloseOnExec(fd)
		}
		return
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// readyPipe returns the pipe to whoever waits for this relay to listen, or nil.
func readyPipe() *os.File {
	fd, err := strconv.Atoi(os.Getenv(readyVariable))
	os.Unsetenv(readyVariable)
	if err != nil {
		return nil
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "ready")
}

// tell answers the parent: the exit code and, when that is not 0, why. The parent is nil when nobody waits.
func tell(parent *os.File, err error) {
	if parent == nil {
		return
	}
	defer parent.Close()
	var text strings.Builder
	code := config.Report(err, &text, &text)
	fmt.Fprintf(parent, "%d %s\n", code, strings.TrimPrefix(strings.ReplaceAll(strings.TrimSpace(text.String()), "\n", " "), "websocket-relay: "))
}
