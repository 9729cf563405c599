package conn

import (
	"maps"
	"sync"

	"mediawiki-websocket/relay/wire"
)

// Refusals counts what connections were refused, by wiki and error code.
type Refusals struct {
	mu sync.Mutex
	by map[string]map[wire.Code]uint64
}

// Of returns the refusals of a wiki's connections, "" for those of none.
func (r *Refusals) Of(wiki string) map[wire.Code]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.by[wiki])
}

func (r *Refusals) count(wiki string, code wire.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = make(map[string]map[wire.Code]uint64)
	}
	if r.by[wiki] == nil {
		r.by[wiki] = make(map[wire.Code]uint64)
	}
	r.by[wiki][code]++
}

// refused counts and logs that a command was refused. The wikis and codes are few, so that peers cannot fill the log or the memory; the type is
// the peer's own word.
func (c *Conn) refused(op, typ string, err *wire.Error) {
	c.env.Refusals.count(c.identity.Wiki, err.Code)
	c.env.Warn("refused "+c.identity.Wiki+" "+string(err.Code)+" "+err.Message, "refused", "wiki", c.identity.Wiki, "op", Cut(op), "type", Cut(typ),
		"user", Cut(c.identity.User), "code", err.Code, "why", Cut(err.Message), "remote", c.remote())
}
