package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// reserveBlock is how many offsets a process may give before it must say in the journal that it gives more. As many may be left out when it is killed.
	reserveBlock = 1 << 20
	// slack is by how many bytes a journal may be larger than twice what is of use in it.
	slack = 1 << 20
	// syncEvery is how often the disk is waited for, at most.
	syncEvery = time.Second
	// complainEvery is how often the log says that the file cannot be written, at most.
	complainEvery = 10 * time.Second
)

var errBroken = errors.New("the journal could not be written, and not yet be written anew")

// journal is the file that kept messages survive the process in. Records are only appended, by write(2): what was written is safe from the end of the
// process, and about a second later from that of the machine. An orderly end is a record, too; without one, a machine that has started anew since means that
// nobody knows what is missing, and a new epoch.
type journal struct {
	path string
	boot string
	log  *slog.Logger

	mu     sync.Mutex
	file   *os.File
	size   int64 // of what is written whole
	base   int64 // size when it was written anew
	buf    []byte
	broken error // why nothing is written until the file has been written anew
	faults int   // times that it was spoiled
	dirty  bool
	closed bool

	complained time.Time

	wake, quit, done chan struct{} // of tend
	tending          sync.Mutex    // the file is synced or replaced
	closing          sync.Once
}

func (j *journal) isBroken() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.broken != nil
}

// write appends records; j.mu is held. What is not written whole is taken back.
func (j *journal) write(records []byte) error {
	switch {
	case j.closed:
		return ErrClosed
	case j.broken != nil:
		return fmt.Errorf("%w: %w", errBroken, j.broken)
	}
	if _, err := j.file.WriteAt(records, j.size); err != nil {
		if cut := j.file.Truncate(j.size); cut != nil {
			j.broken = err
			j.poke()
		}
		return fmt.Errorf("write history: %w", err)
	}
	j.size += int64(len(records))
	if cap(j.buf) > 64<<10 {
		j.buf = nil
	}
	if !j.dirty {
		j.dirty = true
		j.poke()
	}
	return nil
}

// spoil is for a fact that is not in the file although others rely on it: no process may believe that file. It is made anew as soon as it can be. j.mu is
// held.
func (j *journal) spoil(err error) {
	if j.closed {
		return
	}
	j.complain("write history: it is made anew as soon as that can be done", err)
	if j.broken == nil {
		j.broken = err
	}
	j.faults++
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.log.Error("history is not complete: remove the file before the next start", "path", j.path, "error", err)
	}
	j.poke()
}

// bloated reports whether there is too much in the file that is of no use; live bytes are. j.mu is held.
func (j *journal) bloated(live int) bool {
	return j.size > 2*int64(live)+slack && j.size > j.base+j.base/2+slack/2
}

// complain writes into the log what nobody else is told, but not for each message that comes while a disk is full. j.mu is held.
func (j *journal) complain(what string, err error) {
	if now := time.Now(); now.Sub(j.complained) > complainEvery {
		j.complained = now
		j.log.Error(what, "path", j.path, "error", err)
	}
}

// poke wakes tend.
func (j *journal) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// tend syncs the file and writes it anew when it is time to. It ends when quit is closed; close waits for it.
func (e *Memory) tend() {
	j := e.journal
	defer close(j.done)
	for {
		select {
		case <-j.quit:
			return
		case <-j.wake:
		}
		if e.rewriteDue() {
			if err := e.rewrite(); err != nil {
				j.mu.Lock()
				j.complain("write history anew", err)
				j.mu.Unlock()
				j.poke()
			}
		} else {
			j.sync()
		}
		select {
		case <-j.quit:
			return
		case <-time.After(syncEvery):
		}
	}
}

func (e *Memory) rewriteDue() bool {
	j, h := e.journal, &e.history
	j.mu.Lock()
	defer j.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	return j.broken != nil || j.bloated(h.recorded)
}

func (j *journal) sync() {
	j.tending.Lock()
	defer j.tending.Unlock()
	j.mu.Lock()
	file, dirty := j.file, j.dirty
	j.dirty = false
	j.mu.Unlock()
	if !dirty {
		return
	}
	if err := file.Sync(); err != nil {
		j.mu.Lock()
		j.spoil(err)
		j.mu.Unlock()
	}
}

// end writes that the last offset was count, the last record of all.
func (j *journal) end(count uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	err := j.write(appendNumber(nil, kindEnd, count))
	j.closed = true
	return err
}

// close waits for tend and lets others open the file.
func (j *journal) close() (err error) {
	j.closing.Do(func() {
		close(j.quit)
		<-j.done
		j.tending.Lock()
		defer j.tending.Unlock()
		err = errors.Join(j.file.Sync(), j.file.Close())
	})
	return err
}

// openLocked opens the file at path, which it makes when there is none, for this process alone.
func openLocked(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err = lock(f, path); err == nil {
			err = f.Chmod(0o600)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		mine, err := f.Stat()
		now, gone := os.Stat(path)
		if err == nil && gone == nil && os.SameFile(mine, now) {
			return f, nil
		}
		f.Close() // another process has put a new file in its place before we had the lock
		if err != nil {
			return nil, err
		}
	}
}

func lock(f *os.File, path string) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%s: %w", path, ErrTaken)
	}
	return err
}

// syncFolder makes a rename in the folder of path safe from the end of the machine.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// bootID names the time since the machine has started; "" when the system does not say: then no two are the same.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
