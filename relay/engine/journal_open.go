package engine

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
)

var (
	errDamaged = errors.New("the file is damaged")
	errForeign = errors.New("this is no history of a relay: choose another file, or remove it")
)

// replay is what a journal says.
type replay struct {
	e     *Memory
	clock int64 // now, in Unix milliseconds

	epoch    string
	boot     string // of the machine when the file was opened last
	reserved uint64
	count    uint64
	highest  uint64 // offset of a message
	ended    bool   // in order
	size     int64  // of the records that are whole
	torn     bool   // the beginning of another one follows
}

// openJournal takes what a journal says, and goes on with it.
func (e *Memory) openJournal(o *Options) error {
	file, err := openLocked(o.Journal)
	if err != nil {
		return fmt.Errorf("open history: %w", err)
	}
	j := &journal{path: o.Journal, boot: o.boot, log: o.Log, file: file, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	if j.boot == "" {
		j.boot = bootID()
	}
	e.journal = j
	r := replay{e: e, clock: e.now().UnixMilli()}
	err = r.read(file)
	if err == nil || errors.Is(err, errDamaged) {
		err = e.goOn(&r, err)
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("open history %s: %w", o.Journal, err)
	}
	go e.tend() // until Close
	if e.rewriteDue() {
		j.poke()
	}
	return nil
}

// goOn makes the journal ready for new records: it goes on with the epoch, or begins a new one when nobody can say that nothing is missing.
func (e *Memory) goOn(r *replay, damage error) error {
	j := e.journal
	e.history.sweepAll(r.clock)
	e.count.Store(max(r.count, r.highest))
	e.reserved.Store(e.count.Load() + reserveBlock)
	j.size, j.base = r.size, r.size
	why := ""
	switch {
	case damage != nil:
		why = "it is damaged and was set aside"
		if err := setAside(j.path); err != nil {
			return fmt.Errorf("%w, and it cannot be set aside: %w", damage, err)
		}
	case r.epoch != "" && !r.ended && (r.boot != j.boot || j.boot == ""):
		why = "the machine has been started anew, and the relay had not ended before"
	}
	if r.epoch == "" || why != "" {
		if why != "" {
			j.log.Warn("history begins anew, everybody who comes back is told to fetch: "+why, "path", j.path)
			e.history.init(e.history.limit)
		}
		return e.insist(e.rewrite())
	}
	e.epoch = r.epoch
	if r.torn {
		j.log.Info("history ended in the middle of a message that nobody was told was taken; that is cut off", "path", j.path)
		if err := j.file.Truncate(j.size); err != nil {
			return e.insist(err)
		}
	}
	return e.insist(j.write(appendReserve(appendOpened(nil, j.boot), e.reserved.Load())))
}

// insist goes on without a file that cannot be written, as when the disk is full: messages without history need none, and the others are taken when it can.
func (e *Memory) insist(err error) error {
	if err != nil {
		e.journal.mu.Lock()
		defer e.journal.mu.Unlock()
		e.journal.spoil(err)
	}
	return nil
}

// setAside gives the file a second name, so that somebody may look at it when the first has been taken from it.
func setAside(path string) error {
	bad := path + ".bad"
	os.Remove(bad)
	return os.Link(path, bad)
}

// read reads a journal to its end, or to where it is damaged.
func (r *replay) read(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	left := info.Size()
	in := bufio.NewReaderSize(file, int(min(left+1, 1<<20)))
	magic := make([]byte, min(left, int64(len(journalMagic))))
	if _, err := io.ReadFull(in, magic); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(journalMagic, string(magic)) && len(magic) < len(journalMagic):
		return nil // an empty file
	case !strings.HasPrefix(string(magic), journalOwner):
		return errForeign
	case string(magic) != journalMagic:
		return fmt.Errorf("%w, or of another version of the relay", errDamaged)
	}
	r.size = int64(len(magic))
	var head [headBytes]byte
	var buf []byte
	for left -= r.size; left > 0; {
		if left < headBytes {
			r.torn = true
			break
		}
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		size, kind, sum, ok := parseHead(head[:])
		if !ok {
			return errDamaged
		}
		whole := headBytes + int64(size)
		if whole > left {
			r.torn = true
			break
		}
		if buf = buf[:0]; cap(buf) < int(size) {
			buf = make([]byte, 0, max(int(size), min(4<<10, int(left))))
		}
		buf = buf[:size]
		if _, err := io.ReadFull(in, buf); err != nil {
			return err
		}
		if crc32.Checksum(buf, castagnoli) != sum {
			return errDamaged
		}
		if err := r.take(kind, &body{rest: buf}, int(whole)); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		r.size += whole
		left -= whole
	}
	if r.epoch == "" {
		return errDamaged
	}
	if !r.ended {
		r.count = max(r.count, r.reserved)
	}
	return nil
}

// take does what a record says.
func (r *replay) take(kind byte, b *body, size int) error {
	h := &r.e.history
	if (kind == kindEpoch) != (r.epoch == "") {
		return errRecord
	}
	r.ended = kind == kindEnd
	switch kind {
	case kindEpoch:
		if r.epoch, r.boot = b.text(), b.text(); r.epoch == "" {
			return errRecord
		}
	case kindOpened:
		r.boot = b.text()
	case kindReserved:
		r.reserved = b.offset()
	case kindEnd:
		r.count = b.offset()
	case kindLost:
		if k, p := b.key(), b.point(); !b.bad {
			h.forget(k, p)
		}
	case kindFloor:
		if id, p := b.text(), b.point(); !b.bad {
			w := h.wiki(id)
			w.floor = w.floor.max(p)
		}
	case kindDeclared:
		if id, policies, since := b.text(), b.digest(), b.point(); !b.bad {
			w := h.wiki(id)
			w.declared, w.settled, w.policies, w.since = true, true, policies, since
		}
	case kindFirst:
		if d, p := b.digest(), b.point(); !b.bad {
			r.first(d, p)
		}
	case kindMessage:
		n, err := b.message()
		if err != nil {
			return err
		}
		n.recorded = size
		r.highest = max(r.highest, n.Offset)
		if n.once != (digest{}) {
			r.first(n.once, point{n.Offset, n.Time})
		}
		h.add(n, n.Time)
		return nil
	default:
		return errRecord
	}
	return b.end()
}

func (r *replay) first(d digest, p point) {
	if p.time >= r.clock-RepeatMillis {
		r.e.repeatsOf(d).add(d, first{p, true}, p.time)
	}
}
