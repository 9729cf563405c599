package engine

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// leaveAfter is how long a user must have been gone to have left: a page that is loaded anew does not leave.
	leaveAfter = 5 * time.Second
	// tellAfter is how long changes of a key are collected: when many come at once, each follower gets what they are together.
	tellAfter = time.Second
	// presentAgain is down to how many users a crowd must have shrunk for them to be named again. It is less than PresentMost, or else who wants names would
	// ask for all of them whenever one comes and goes.
	presentAgain = PresentMost - PresentMost/10
)

// presence is who subscribes to which key. It takes memory for those who are there only, and the time of each call but present does not depend on how many
// they are.
type presence struct {
	mu      sync.Mutex
	rooms   map[Key]*room
	leaving delayed[departure]
	pausing delayed[*room]
	closed  bool

	connections int // of all rooms

	changed func([]Change) // nil: nobody wants to know
	changes []Change       // that nobody has been told of
	telling bool
	told    sync.Cond // telling has ended
}

// room is who subscribes to a key.
type room struct {
	key       Key
	users     map[string]*visitor
	list      []*visitor // all of users
	anonymous map[uint64]struct{}
	most      struct{ users, anonymous int } // since the maps were made
	told      struct{ users, anonymous int } // how many there are, as others know it
	news      []Change                       // that others will be told of
	pausing   bool                           // until that is so, or because something has just been told
	crowd     bool                           // others are told numbers only
	crowded   bool                           // and do not know that yet
}

// visitor is a user who is in a room, or has been a moment ago.
type visitor struct {
	user        string
	connections connections
	place       int       // in room.list
	until       time.Time // when he has left, if he has gone
}

type departure struct {
	room    *room
	visitor *visitor
	until   time.Time
}

// connections is a set which most often has one element.
type connections struct {
	one  uint64
	any  bool
	more map[uint64]struct{}
}

func (c *connections) add(id uint64) {
	switch {
	case !c.any:
		c.one, c.any = id, true
	case c.one != id:
		if c.more == nil {
			c.more = make(map[uint64]struct{})
		}
		c.more[id] = struct{}{}
	}
}

// remove reports whether id was there and nobody is now.
func (c *connections) remove(id uint64) (empty bool) {
	if !c.any || c.one != id {
		delete(c.more, id)
		return false
	}
	for next := range c.more {
		c.one = next
		if delete(c.more, next); len(c.more) == 0 {
			c.more = nil
		}
		return false
	}
	c.any = false
	return true
}

func (c *connections) len() int {
	if !c.any {
		return 0
	}
	return 1 + len(c.more)
}

func (p *presence) init(o *Options) {
	p.rooms, p.changed, p.told.L = make(map[Key]*room), o.Changed, &p.mu
	p.leaving = delayed[departure]{delay: leaveAfter, now: o.Now, after: o.After, mu: &p.mu, due: p.left}
	p.pausing = delayed[*room]{delay: tellAfter, now: o.Now, after: o.After, mu: &p.mu, due: p.paused}
}

func (p *presence) enter(k Key, who Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	r := p.rooms[k]
	if r == nil {
		r = &room{key: Key{strings.Clone(k.Wiki), strings.Clone(k.Type)}}
		p.rooms[r.key] = r
	}
	if who.User == "" {
		if r.anonymous == nil {
			r.anonymous = make(map[uint64]struct{})
		}
		before := len(r.anonymous)
		r.anonymous[who.Connection] = struct{}{}
		p.connections += len(r.anonymous) - before
		r.most.anonymous = max(r.most.anonymous, len(r.anonymous))
		p.pause(r)
		return
	}
	v := r.users[who.User]
	if v == nil {
		v = &visitor{user: strings.Clone(who.User), place: len(r.list)}
		if r.users == nil {
			r.users = make(map[string]*visitor)
		}
		r.users[v.user], r.list = v, append(r.list, v)
		r.most.users = max(r.most.users, len(r.list))
		p.named(r, Change{Key: r.key, Joined: true, User: v.user})
	}
	before := v.connections.len()
	v.connections.add(who.Connection)
	p.connections += v.connections.len() - before
}

func (p *presence) exit(k Key, who Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rooms[k]
	if p.closed || r == nil {
		return
	}
	if who.User == "" {
		before := len(r.anonymous)
		delete(r.anonymous, who.Connection)
		p.connections += len(r.anonymous) - before
		p.pause(r)
		return
	}
	v := r.users[who.User]
	if v == nil {
		return
	}
	before := v.connections.len()
	empty := v.connections.remove(who.Connection)
	p.connections += v.connections.len() - before
	if empty {
		v.until = p.leaving.now().Add(leaveAfter)
		p.leaving.add(departure{r, v, v.until}, v.until)
	}
}

// named is for a user who has come to r, or gone: others learn it at once, unless they have just been told something of r; then with what else comes.
func (p *presence) named(r *room, c Change) {
	switch {
	case r.crowd:
	case len(r.list) > PresentMost || len(r.news) == PresentMost:
		r.crowd, r.crowded, r.news = true, true, nil
	case r.pausing:
		r.news = append(r.news, c)
	default:
		p.tell(c)
		r.told.users = len(r.list)
	}
	p.pause(r)
}

// pause sees to it that others are told later what they do not know then, and nothing before.
func (p *presence) pause(r *room) {
	if !r.pausing {
		r.pausing = true
		p.pausing.add(r, p.pausing.now().Add(tellAfter))
	}
}

// paused tells what has changed since something was told of r last, and makes the next pause.
func (p *presence) paused(r *room) {
	r.pausing = false
	users, anonymous, told := len(r.list), len(r.anonymous), r.told
	r.told.users, r.told.anonymous = users, anonymous
	switch {
	case r.crowd && (r.crowded || r.told != told):
		p.tell(Change{Key: r.key, Joined: users+anonymous > told.users+told.anonymous, Anonymous: anonymous, Crowd: true, Count: users + anonymous})
	case !r.crowd:
		p.tell(r.news...)
		if anonymous != told.anonymous {
			p.tell(Change{Key: r.key, Joined: anonymous > told.anonymous, Anonymous: anonymous})
		}
	}
	if len(r.news) > 0 || r.told != told {
		p.pause(r)
	}
	r.news, r.crowd, r.crowded = nil, r.crowd && users > presentAgain, false
	p.free(r)
}

// left lets a user go who has not come back.
func (p *presence) left(d departure) {
	r, v := d.room, d.visitor
	if v.connections.any || !v.until.Equal(d.until) || r.users[v.user] != v {
		return
	}
	delete(r.users, v.user)
	end := len(r.list) - 1
	r.list[v.place] = r.list[end]
	r.list[v.place].place = v.place
	r.list[end] = nil
	r.list = r.list[:end]
	p.named(r, Change{Key: r.key, User: v.user})
	p.free(r)
}

// free gives memory back: a room's when nobody is in it, and what a crowd has left behind.
func (p *presence) free(r *room) {
	if r.users = shrunk(r.users, &r.most.users); r.users == nil {
		r.list = nil
	} else if len(r.list) < cap(r.list)/roomy {
		r.list = slices.Clone(r.list)
	}
	r.anonymous = shrunk(r.anonymous, &r.most.anonymous)
	if r.users == nil && r.anonymous == nil && !r.pausing && p.rooms[r.key] == r {
		delete(p.rooms, r.key)
	}
}

// roomy is how many times its size something may take that has been larger.
const roomy = 8

// shrunk returns m, or a copy when it has lost most of what it had; maps give back nothing by themselves. nil: m is empty.
func shrunk[K comparable, V any](m map[K]V, most *int) map[K]V {
	if *most = max(*most, len(m)); len(m) == 0 {
		*most = 0
		return nil
	}
	if len(m) > *most/roomy || *most < 1024 {
		return m
	}
	*most = len(m)
	small := make(map[K]V, len(m))
	maps.Copy(small, m)
	return small
}

// tell puts changes in the queue, and sees to it that somebody takes them from there: outside the lock, but in order.
func (p *presence) tell(changes ...Change) {
	if p.changed == nil || len(changes) == 0 {
		return
	}
	if p.changes = append(p.changes, changes...); !p.telling {
		p.telling = true
		go p.tellAll() // until there are no more; close waits for it
	}
}

func (p *presence) tellAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.changes) > 0 && !p.closed {
		batch := p.changes
		p.changes = nil
		p.mu.Unlock()
		p.changed(batch)
		p.mu.Lock()
	}
	p.telling = false
	p.told.Broadcast()
}

func (p *presence) present(k Key) Presence {
	p.mu.Lock()
	r := p.rooms[k]
	if r == nil {
		p.mu.Unlock()
		return Presence{}
	}
	found := Presence{Count: len(r.list), Anonymous: len(r.anonymous), Users: make([]string, min(len(r.list), PresentMost))}
	for i := range found.Users {
		found.Users[i] = r.list[i].user
	}
	p.mu.Unlock()
	slices.Sort(found.Users)
	return found
}

// size returns how many keys somebody subscribes to, and with how many connections.
func (p *presence) size() (rooms, connections int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.rooms), p.connections
}

// close ends all that would happen later. Nobody is told of anything after it.
func (p *presence) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.leaving.end()
	p.pausing.end()
	for p.telling {
		p.told.Wait()
	}
}
