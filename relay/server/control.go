package server

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mediawiki-websocket/relay/config"
)

const (
	lockName = "relay.lock"
	pidWait  = 200 * time.Millisecond // for a relay that has just taken the lock to write its pid
)

// openControl listens on the control socket, if there is to be one. The lock has been taken.
func (s *Server) openControl() (net.Listener, error) {
	path := s.cfg.Control
	if path == "" {
		return nil, nil
	}
	l, err := s.bind(controlPart, func() (net.Listener, error) {
		if err := removeStale(path); err != nil {
			return nil, err
		}
		return net.Listen("unix", path)
	})
	var told *config.Exit
	if errors.As(err, &told) {
		return nil, err
	}
	if err != nil {
		return nil, config.Fail(config.ExitUsage, "control socket: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, config.Fail(config.ExitUsage, "control socket: %v", err)
	}
	return l, nil
}

// takeLock makes this the only relay with this control socket: it locks a file beside it for the life of the process and writes the pid into it.
// The file stays behind: to remove it would let two relays lock two files of one name.
func (s *Server) takeLock() error {
	if s.cfg.Control == "" {
		return nil
	}
	path := filepath.Join(filepath.Dir(s.cfg.Control), lockName)
	if err := controlFolder(filepath.Dir(path)); err != nil {
		return err
	}
	var f *os.File
	var err error
	if s.inheritance != nil && s.inheritance.lock != nil {
		f = s.inheritance.lock // both hold it, until the other ends
	} else if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return config.Fail(config.ExitUsage, "lock: %v", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		return config.Fail(config.ExitTaken, "a relay (pid %s) already runs with the control socket %s", holder(f), s.cfg.Control)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return config.Fail(config.ExitUsage, "lock %s: %v", path, err)
	}
	s.lock = f
	return nil
}

func controlFolder(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err != nil {
		return config.Fail(config.ExitUsage, "folder of the control socket: %v", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return config.Fail(config.ExitUsage, "folder of the control socket: %v", err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 && int(owner) != os.Geteuid() {
		return config.Fail(config.ExitUsage, "%s, the folder of the control socket, belongs to another user: chown it, or choose another --control", dir)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return config.Fail(config.ExitUsage, "others may write to %s, the folder of the control socket: chmod 700 it", dir)
	}
	return nil
}

func holder(f *os.File) string {
	for end := time.Now().Add(pidWait); time.Now().Before(end); time.Sleep(pidWait / 20) {
		text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
		if pid := strings.TrimSpace(string(text)); err == nil && strings.HasSuffix(string(text), "\n") {
			if _, err := strconv.Atoi(pid); err == nil {
				return pid
			}
		}
	}
	return "unknown"
}

// removeStale removes the socket that a relay which was killed has left. Who holds the lock is the only relay; a socket that answers all the same
// is another program's.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode()&fs.ModeSocket == 0 {
		return config.Fail(config.ExitTaken, "%s is there and is not a socket: remove it, or choose another --control", path)
	}
	if c, err := net.DialTimeout("unix", path, probeTimeout); err == nil {
		c.Close()
		return config.Fail(config.ExitTaken, "another program, which is not a relay, listens on the control socket %s: end it, or choose another --control", path)
	}
	if err := os.Remove(path); err != nil {
		return config.Fail(config.ExitUsage, "stale control socket: %v", err)
	}
	return nil
}

// unlock lets the next relay in.
func (s *Server) unlock() {
	if !s.ceded.Load() {
		if err := s.auth.Revocations.Close(); err != nil {
			s.log.Error("close the file of revoked tokens", "error", err)
		}
	}
	if s.lock != nil {
		s.lock.Close()
	}
}
