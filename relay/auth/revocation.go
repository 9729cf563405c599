package auth

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Revocation names the tokens of a wiki that do not count any more: those of a user, of a session, of everybody without an
// account, or the subscription tokens for a type. One of these is set, or none: all tokens of the wiki.
type Revocation struct {
	Wiki    string `json:"wiki"`
	User    string `json:"user,omitempty"`
	Session string `json:"session,omitempty"`
	Type    string `json:"type,omitempty"`
	Public  bool   `json:"public,omitempty"` // those of visitors without an account
}

func (r *Revocation) empty() bool {
	return r.User == "" && r.Session == "" && r.Type == "" && !r.Public
}

// revocationsMost is how many revocations of one wiki are remembered. With one more all its tokens of before are revoked: their owners get new
// ones, and nothing revoked comes back to life.
const revocationsMost = 50000

// Revocations remembers what was revoked for as long as a token may live, in a file, so that a relay that was restarted still knows.
type Revocations struct {
	mu     sync.RWMutex
	now    func() time.Time
	before map[Revocation]int64 // tokens issued then or earlier, in Unix seconds of the wiki's clock, do not count
	counts map[string]int       // by wiki
	file   *os.File             // nil: nothing is kept
	lines  int                  // in the file
	path   string
}

type revocationLine struct {
	Revocation
	Before int64 `json:"before"`
}

// OpenRevocations reads the file at path, which need not exist; "" keeps nothing. now is the clock, nil for time.Now. Lines that cannot be read,
// like the last one of a relay that was killed, are skipped; the second value counts them.
func OpenRevocations(path string, now func() time.Time) (r *Revocations, skipped int, err error) {
	if now == nil {
		now = time.Now
	}
	r = &Revocations{now: now, before: make(map[Revocation]int64), counts: make(map[string]int), path: path}
	if path == "" {
		return r, 0, nil
	}
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			var l revocationLine
			if json.Unmarshal(lines.Bytes(), &l) != nil || l.Wiki == "" {
				skipped++
				continue
			}
			r.put(l.Revocation, l.Before)
		}
		if lines.Err() != nil {
			skipped++
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("read what was revoked: %w", err)
	}
	return r, skipped, r.rewrite()
}

// Add revokes tokens that were issued at before, by the wiki's clock, or earlier. Nothing that was revoked comes back by it. With an error it
// holds until the relay ends.
func (r *Revocations) Add(what Revocation, before time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(what, before.Unix())
	if r.file == nil {
		return nil
	}
	if r.lines > 2*len(r.before)+1000 {
		return r.rewrite()
	}
	line, err := json.Marshal(revocationLine{what, before.Unix()})
	if err != nil {
		return err
	}
	r.lines++
	if _, err = r.file.Write(append(line, '\n')); err != nil {
		r.lines = math.MaxInt // half a line may be there, which the next would continue: the file is written anew then
	}
	return err
}

func (r *Revocations) put(what Revocation, before int64) {
	old, known := r.before[what]
	if !known {
		if r.counts[what.Wiki] >= revocationsMost {
			r.prune()
		}
		if r.counts[what.Wiki] >= revocationsMost {
			before = max(before, r.now().Unix(), r.forget(what.Wiki))
			what = Revocation{Wiki: what.Wiki}
			old = r.before[what]
		}
		r.counts[what.Wiki]++
	}
	r.before[what] = max(old, before)
}

// forget drops all that is known of a wiki but for what stands for all its tokens, and returns the latest time in it.
func (r *Revocations) forget(wiki string) (latest int64) {
	for what, before := range r.before {
		if what.Wiki == wiki && !what.empty() {
			latest = max(latest, before)
			delete(r.before, what)
		}
	}
	r.counts[wiki] = 0
	return latest
}

// prune drops what is older than any token can be.
func (r *Revocations) prune() {
	oldest := r.now().Add(-TokenLife - Leeway).Unix()
	for what, before := range r.before {
		if before < oldest {
			delete(r.before, what)
			if r.counts[what.Wiki]--; r.counts[what.Wiki] <= 0 {
				delete(r.counts, what.Wiki)
			}
		}
	}
}

// Has reports whether tokens that what names and that were issued then are revoked. A nil r, of a relay that is not open yet, has none.
func (r *Revocations) Has(what Revocation, issued time.Time) bool {
	if r == nil {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if before, ok := r.before[Revocation{Wiki: what.Wiki}]; ok && issued.Unix() <= before {
		return true
	}
	before, ok := r.before[what]
	return ok && !what.empty() && issued.Unix() <= before
}

// Count returns how many revocations of a wiki are remembered.
func (r *Revocations) Count(wiki string) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.counts[wiki]
}

// rewrite replaces the file by what still counts: a crash leaves the old one or the new one.
func (r *Revocations) rewrite() error {
	r.prune()
	f, err := os.CreateTemp(filepath.Dir(r.path), filepath.Base(r.path)+".*") // 0600
	if err != nil {
		return fmt.Errorf("save what was revoked: %w", err)
	}
	w := bufio.NewWriter(f)
	lines := json.NewEncoder(w)
	for what, before := range r.before {
		err = errors.Join(err, lines.Encode(revocationLine{what, before}))
	}
	err = errors.Join(err, w.Flush(), f.Sync())
	if err == nil {
		err = os.Rename(f.Name(), r.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("save what was revoked: %w", err), f.Close(), os.Remove(f.Name()))
	}
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.lines = f, len(r.before)
	return nil
}

// Close closes the file.
func (r *Revocations) Close() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}
