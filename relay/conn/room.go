package conn

import "mediawiki-websocket/relay/wire"

// Guest is what a listener's connections may be besides a net.Conn, when the listener keeps peers that do not say who they are from taking all the
// room: it then ends those that have been there for longest.
type Guest interface {
	// Upgraded says how such a connection is to be ended from now on. It reports false when the listener has already ended it.
	Upgraded(end func()) bool
	// Known says that the peer has said who it is.
	Known()
}

// room counts the connections that have said who they are, by wiki. It is guarded by Env.mu.
type room struct {
	known      int
	wikis      map[string]int // "": connections of no wiki
	registered int            // wikis at the last sweep
}

// nearlyFull reports whether one more connection fills more than three quarters of the capacity.
func (e *Env) nearlyFull() bool { return e.Capacity > 0 && 4*(e.room.known+1) > 3*e.Capacity }

// Full reports whether no connection at all can be admitted.
func (e *Env) Full() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Capacity == 0 || e.room.known < e.Capacity {
		return false
	}
	_, over := e.greediest()
	return over == 0
}

// share is how many connections each wiki gets whatever the others do. Those that belong to no wiki count as one.
func (e *Env) share(wiki string) int {
	wikis := e.room.registered
	if wiki == "" || e.room.wikis[""] > 0 {
		wikis++
	}
	return max(1, e.Capacity/max(1, wikis))
}

// admit counts c as one connection more of wiki, until [Conn.dismiss]. While there is room every wiki takes what it needs; the last quarter is for those
// that have less than their share. When that is used up too, the wiki that is furthest over its share gives its youngest connection up.
func (e *Env) admit(c *Conn, wiki string) *wire.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.nearlyFull() && (e.room.wikis[wiki] >= e.share(wiki) || e.room.known >= e.Capacity && !e.giveUp()) {
		return full
	}
	c.admitted, c.home = true, wiki
	if e.room.wikis == nil {
		e.room.wikis = make(map[string]int)
	}
	e.room.known++
	e.room.wikis[wiki]++
	return nil
}

var full = wire.NewError(wire.Unavailable, "the relay has no room for more connections of this wiki now: try again later")

// greediest returns the wiki that is furthest over its share, and by how many connections; 0: none is.
func (e *Env) greediest() (wiki string, over int) {
	for w, n := range e.room.wikis {
		if n-e.share(w) > over {
			wiki, over = w, n-e.share(w)
		}
	}
	return wiki, over
}

// giveUp ends a connection of the greediest wiki and reports whether there was one.
func (e *Env) giveUp() bool {
	wiki, over := e.greediest()
	for i := len(e.conns) - 1; i >= 0 && over > 0; i-- {
		if c := e.conns[i]; c.admitted && c.home == wiki {
			e.leave(c)
			e.spawn(func() { c.sock.end(wire.CloseFull) })
			return true
		}
	}
	return false
}

// dismiss undoes admit.
func (c *Conn) dismiss() {
	c.env.mu.Lock()
	defer c.env.mu.Unlock()
	c.env.leave(c)
}

func (e *Env) leave(c *Conn) {
	if !c.admitted {
		return
	}
	c.admitted = false
	e.room.known--
	if e.room.wikis[c.home]--; e.room.wikis[c.home] == 0 {
		delete(e.room.wikis, c.home)
	}
}

// countWikis keeps the number of wikis at hand: to ask for it at every connection would be work that a crowd of refused ones could cause.
func (e *Env) countWikis() {
	n := len(e.Auth.Wikis.All())
	e.mu.Lock()
	defer e.mu.Unlock()
	e.room.registered = n
}

// admit makes the connection one of wiki's, "" for none, from now until it ends. After an error it must be closed, with [wire.CloseFull].
func (c *Conn) admit(wiki string) *wire.Error {
	if err := c.env.admit(c, wiki); err != nil {
		return err
	}
	if g, ok := c.sock.Conn.(Guest); ok {
		g.Known()
	}
	return nil
}

// evict ends a connection that has not said who it is, because others need the room. It does not wait for the peer.
func (c *Conn) evict() {
	c.env.Warn("evict", "many connections that do not say who they are; the oldest are closed", "remote", c.remote())
	c.sock.end(wire.CloseNoConnect)
	c.sock.Close()
}
