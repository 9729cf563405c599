package conn

import "maps"

// Counted returns how many connections have been admitted and have not ended, in all and by wiki.
func (e *Env) Counted() (int, map[string]int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.room.known, maps.Clone(e.room.wikis)
}
