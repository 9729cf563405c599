package engine

import "os"

// WithBoot returns o for a machine whose boot id is id.
func (o Options) WithBoot(id string) Options {
	o.boot = id
	return o
}

// Rewrite writes the journal anew.
func (e *Memory) Rewrite() error { return e.rewrite() }

// BreakDisk makes the journal write to a device that is full.
func (e *Memory) BreakDisk() error {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	e.journal.mu.Lock()
	defer e.journal.mu.Unlock()
	e.journal.file.Close()
	e.journal.file = full
	return nil
}

// Reserved uses up the offsets that the journal has reserved.
func (e *Memory) UseReserved() { e.count.Store(e.reserved.Load()) }

// Lists returns how many keys the engine remembers something about.
func (e *Memory) Lists() (n int) {
	for i := range e.stripes {
		s := &e.stripes[i]
		s.mu.Lock()
		n += len(s.now) + len(s.old)
		s.mu.Unlock()
	}
	e.history.mu.Lock()
	defer e.history.mu.Unlock()
	return n + len(e.history.rings) + len(e.history.lost) + len(e.history.lostBefore) + len(e.history.wikis)
}
