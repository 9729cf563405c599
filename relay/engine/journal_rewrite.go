package engine

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// snapshot is what a new file must say, as of one moment.
type snapshot struct {
	reserved uint64
	head     []byte // records without messages
	nodes    []*node
	floors   []floorOf // the rings of which something is gone, in the order of nodes
	upto     int64     // what the old file has after it is to follow
	faults   int       // of the journal
}

// floorOf says what is gone of a ring before the first of its messages.
type floorOf struct {
	first *node
	point point
}

// rewrite puts a file in the place of the journal that says the same without what is of no use any more. Messages go on being published meanwhile.
func (e *Memory) rewrite() error {
	j := e.journal
	j.tending.Lock()
	defer j.tending.Unlock()
	j.mu.Lock()
	closed := j.closed
	j.mu.Unlock()
	if closed {
		return ErrClosed
	}
	s := e.snapshot()
	file, size, err := e.writeSnapshot(s)
	if err == nil {
		if err = j.replace(file, size, s); err != nil {
			file.Close()
			os.Remove(j.path + ".new")
		}
	}
	if err != nil {
		return fmt.Errorf("write history anew: %w", err)
	}
	return nil
}

// snapshot collects what is of use.
func (e *Memory) snapshot() *snapshot {
	j, h := e.journal, &e.history
	s := &snapshot{}
	j.mu.Lock()
	h.mu.Lock()
	s.upto, s.faults = j.size, j.faults
	s.reserved = e.reserved.Load()
	s.nodes = make([]*node, 0, h.messages)
	for _, w := range h.wikis {
		for n := w.first; n != nil; n = n.next {
			if s.nodes = append(s.nodes, n); n.ring.list[0] == n && n.ring.floor != (point{}) {
				s.floors = append(s.floors, floorOf{n, n.ring.floor})
			}
		}
	}
	b := appendReserve(appendEpoch([]byte(journalMagic), e.epoch, j.boot), s.reserved)
	for id, w := range h.wikis {
		if w.floor != (point{}) {
			b = appendFloor(b, id, w.floor)
		}
		if w.declared {
			b = appendDeclared(b, id, w.lasting(), w.since)
		}
	}
	for _, half := range []map[Key]point{h.lostBefore, h.lost} {
		for k, p := range half {
			b = appendLost(b, k, p)
		}
	}
	h.mu.Unlock()
	j.mu.Unlock()
	// After the moment, not before: whoever was in the middle of a message holds the lock until it is noted here.
	clock := e.now().UnixMilli()
	for i := range e.repeats {
		e.repeats[i].each(clock, func(d digest, f first) { b = appendFirst(b, d, f.point) })
	}
	s.head = b
	return s
}

// writeSnapshot makes the new file, beside the old one, and locks it.
func (e *Memory) writeSnapshot(s *snapshot) (*os.File, int64, error) {
	path := e.journal.path + ".new"
	os.Remove(path) // of a process that was killed
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, 0, err
	}
	size := int64(0)
	if err = lock(file, path); err == nil {
		size, err = s.write(file)
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		file.Close()
		os.Remove(path)
		return nil, 0, err
	}
	return file, size, nil
}

func (s *snapshot) write(file *os.File) (size int64, err error) {
	out := bufio.NewWriterSize(file, 256<<10)
	put := func(b []byte) {
		n, fault := out.Write(b)
		size += int64(n)
		if fault != nil {
			err = fault
		}
	}
	put(s.head)
	var buf []byte
	for _, n := range s.nodes {
		if len(s.floors) > 0 && s.floors[0].first == n {
			put(appendLost(buf[:0], n.Key, s.floors[0].point))
			s.floors = s.floors[1:]
		}
		buf = appendMessage(buf[:0], n)
		if put(buf); err != nil {
			return 0, err
		}
	}
	return size, out.Flush()
}

// replace puts the new file, of size bytes, in the place of the old one, with what has come into that since the snapshot.
func (j *journal) replace(file *os.File, size int64, s *snapshot) error {
	upto := s.upto
	for range 8 { // most of it while others may write
		j.mu.Lock()
		more := j.size - upto
		j.mu.Unlock()
		if more < 64<<10 {
			break
		}
		if err := follow(file, size, j.file, upto, more); err != nil {
			return err
		}
		size, upto = size+more, upto+more
	}
	old, err := j.swap(file, size, upto, s.faults)
	if err != nil {
		return err
	}
	old.Close()
	if err := syncFolder(j.path); err != nil {
		j.log.Error("sync the folder of history", "path", j.path, "error", err)
	}
	return nil
}

func (j *journal) swap(file *os.File, size, upto int64, faults int) (old *os.File, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return nil, ErrClosed
	case j.faults != faults:
		return nil, errBroken // what could not be written meanwhile is not in the snapshot
	}
	if more := j.size - upto; more > 0 {
		if err := follow(file, size, j.file, upto, more); err != nil {
			return nil, err
		}
		size += more
	}
	if err := os.Rename(j.path+".new", j.path); err != nil {
		return nil, err
	}
	old = j.file
	j.file, j.size, j.base, j.broken, j.dirty = file, size, size, nil, true
	j.poke()
	return old, nil
}

// follow appends to file, of size bytes, n bytes of old.
func follow(file *os.File, size int64, old *os.File, from, n int64) error {
	_, err := io.Copy(io.NewOffsetWriter(file, size), io.NewSectionReader(old, from, n))
	return err
}
