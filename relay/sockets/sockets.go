// Package sockets is for servers that speak a protocol of their own over WebSocket (RFC 6455): it accepts connections, hands each message to a function, and
// sends to one connection, to those that have subscribed to something, or to all. Messages are text or binary, and arrive as they were sent.
//
// The connections are those of the relay (package conn), with its limits: thousands that say nothing hold neither a goroutine nor a buffer, a peer that does not
// read holds up nobody, and one that breaks the protocol or sends too much is closed with a code that says so. A group is either on its own, [New], with
// any HTTP server of net/http, or part of a relay, [In], with whose connections it counts and ends. All functions and methods may be called by several
// goroutines at once, and from within the functions of a [Handler], except that [Group.Close] waits for these.
//
// What comes in: a message of more than Limits.FrameBytes ends the connection with 1009, text that is not UTF-8 with 1007, too many bytes, frames or pings
// with 4003. Messages beyond Limits.Messages, or beyond Limits.WikiMessages of the whole group, are dropped; who goes on is closed with 4003.
package sockets

import (
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
)

// Options are the settings of a group. The zero value of each field is its default.
type Options struct {
	Name string // what the group is called in the log; "": sockets
	// Limits of the connections of [New]; default, when all of it is zero: [conn.DefaultLimits], from which one that changes some begins. In a relay the
	// relay's own count.
	Limits  conn.Limits
	Log     *slog.Logger // default: nothing is logged; in a relay, the relay's
	Origins []string     // whose pages may connect, as "https://wiki.example"; "*": all

	// Hosts says of a host name, without port, whether nobody else can have pages under it; nil: of none. Pages of the host that they connect to may do so when
	// that is an address, localhost, or one that Hosts knows. Any other name a stranger may have made lead here (DNS rebinding): pages under it need Origins.
	Hosts func(name string) bool
}

// Group is connections that can be reached together. What is said in one group is heard in no other.
type Group struct {
	name    string
	log     *slog.Logger
	origins []string
	hosts   func(name string) bool
	env     *conn.Env
	own     bool   // the group has an env of its own
	names   string // the key of its subscriptions
	every   string // the key of all its connections
	quota   conn.Quotas

	deliveries sync.Pool
	count      atomic.Int64 // of connections

	mu   sync.Mutex
	shut bool           // guarded by mu
	open sync.WaitGroup // counts them too; nothing is added once shut is true

	stop  chan struct{} // ends the clock of a group on its own
	clock sync.WaitGroup
}

// groups counts them, so that each has keys of its own.
var groups atomic.Uint64

// New returns a group on its own. It has a clock, a goroutine, which [Group.Close] ends.
func New(o Options) *Group {
	if o.Limits == (conn.Limits{}) {
		o.Limits = conn.DefaultLimits()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	wikis, _, err := auth.OpenWikis("", nil)
	if err != nil {
		panic(err) // there is no file to be wrong
	}
	g := newGroup(&conn.Env{Limits: o.Limits, Auth: &auth.Auth{Wikis: wikis}, Hub: hub.New(), Log: o.Log, Warn: seldom(o.Log)}, o)
	g.own, g.stop = true, make(chan struct{})
	g.clock.Go(g.sweep)
	return g
}

// In returns a group within a relay: its connections have the limits of the relay's, count among them as those of no wiki, and end when the relay does.
func In(env *conn.Env, o Options) *Group {
	if o.Log == nil {
		o.Log = env.Log
	}
	return newGroup(env, o)
}

func newGroup(env *conn.Env, o Options) *Group {
	if o.Name == "" {
		o.Name = "sockets"
	}
	g := &Group{name: o.Name, log: o.Log.With("program", o.Name), origins: o.Origins, hosts: o.Hosts, env: env}
	// No wiki has an id with a NUL, so these are nobody else's.
	g.names = "\x00" + o.Name + "\x00" + strconv.FormatUint(groups.Add(1), 10)
	g.every = g.names + "\x00"
	g.deliveries.New = func() any {
		d := env.Hub.NewDelivery(nil)
		d.Breathe = env.Breathe
		return d
	}
	return g
}

// seldom returns what logs a warning a second at most: peers can cause as many as they like.
func seldom(log *slog.Logger) func(about, message string, attrs ...any) {
	var last atomic.Int64
	return func(_, message string, attrs ...any) {
		now, before := time.Now().UnixNano(), last.Load()
		if now-before >= int64(time.Second) && last.CompareAndSwap(before, now) {
			log.Warn(message, attrs...)
		}
	}
}

// sweep is the clock of a group on its own: pings, and the ends of those that have been silent for too long.
func (g *Group) sweep() {
	tick := time.NewTicker(g.env.SweepEvery())
	defer tick.Stop()
	for {
		select {
		case <-g.stop:
			return
		case now := <-tick.C:
			g.env.Sweep(now)
		}
	}
}

// Message is one message, or what is to become one.
type Message struct {
	Data   []byte
	Binary bool // otherwise it is text, in UTF-8
}

// Text returns a text message.
func Text(s string) Message { return Message{Data: []byte(s)} }

// frame returns the message as a frame. Bytes of a text that are not UTF-8 become U+FFFD: for them browsers would close the connection.
func (m Message) frame() []byte {
	data := m.Data
	if !m.Binary && !utf8.Valid(data) {
		data = []byte(strings.ToValidUTF8(string(data), "\ufffd"))
	}
	b := append(hub.NewFrame(len(data)), data...)
	if m.Binary {
		return hub.SealBinary(b)
	}
	return hub.Seal(b)
}

// Multicast sends m to all that have subscribed to that name, but for some, and returns to how many. It does not wait for them. A connection to which
// nothing can be sent is ended, and in no subscription any more.
func (g *Group) Multicast(subscription string, m Message, except ...*Conn) int {
	return g.multicast(engine.Key{Wiki: g.names, Type: subscription}, m, except)
}

// All is [Group.Multicast] to all connections.
func (g *Group) All(m Message, except ...*Conn) int {
	return g.multicast(engine.Key{Wiki: g.every}, m, except)
}

func (g *Group) multicast(k engine.Key, m Message, except []*Conn) int {
	var skip []*hub.Member
	for _, c := range except {
		if c != nil && c.group == g {
			skip = append(skip, c.conn.Member())
		}
	}
	d := g.deliveries.Get().(*hub.Delivery)
	defer g.deliveries.Put(d)
	n := d.Multicast(k, m.frame(), skip...)
	d.Flush()
	return n
}

// Members returns those that have subscribed to that name, in no particular order.
func (g *Group) Members(subscription string) []*Conn {
	return g.members(engine.Key{Wiki: g.names, Type: subscription})
}

// Conns returns all connections, in no particular order.
func (g *Group) Conns() []*Conn { return g.members(engine.Key{Wiki: g.every}) }

func (g *Group) members(k engine.Key) []*Conn {
	programs := g.env.Programs(k)
	all := make([]*Conn, len(programs))
	for i, p := range programs {
		all[i] = p.(served).Conn
	}
	return all
}

// Len returns how many connections there are.
func (g *Group) Len() int { return int(g.count.Load()) }

// Log logs a message with attributes, as [slog.Logger.Info] does.
func (g *Group) Log(message string, attrs ...any) { g.log.Info(message, attrs...) }

// Warn logs a warning that peers can cause as often as they like: only now and then when it is about the same thing.
func (g *Group) Warn(about, message string, attrs ...any) {
	g.env.Warn(about, message, append(attrs, "program", g.name)...)
}

const closeWait = 4 * time.Second // for the close frames to be answered when a group ends

// Close takes no more connections, closes those that there are with 1001 and returns when all have ended, within some seconds.
func (g *Group) Close() {
	g.mu.Lock()
	again := g.shut
	g.shut = true
	g.mu.Unlock()
	g.each(func(c *conn.Conn) { c.Close(wire.CloseGoingAway) })
	abort := time.AfterFunc(closeWait, func() { g.each((*conn.Conn).Abort) })
	g.open.Wait()
	abort.Stop()
	if g.own && !again {
		g.env.Wait()
		close(g.stop)
	}
	g.clock.Wait()
}

func (g *Group) each(f func(*conn.Conn)) {
	for _, c := range g.env.All() {
		if p, ok := c.Program().(served); ok && p.group == g {
			f(c)
		}
	}
}

// enter counts a connection more, unless the group has been closed.
func (g *Group) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		g.open.Add(1)
		g.count.Add(1)
	}
	return !g.shut
}

func (g *Group) leave() {
	g.count.Add(-1)
	g.open.Done()
}

func (g *Group) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut
}
