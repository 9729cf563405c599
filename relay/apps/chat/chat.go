// Package chat is rooms in which people talk: at each of its URLs there is a page and, at URL/connect, the socket of a chat of its own.
//
// The page agrees on the subprotocol "chat.v1": text frames, each a JSON object. From page to relay:
//
//	{"op":"join","key":K,"name":N}       comes first, within ten seconds. The key, up to 64 characters made by chance, shows who has had the name before:
//	                                     who comes back with it takes the place of its old connection. Without a name there is a pseudonym
//	{"op":"name","name":N}               another name; "": the pseudonym
//	{"op":"say","text":"…"}              up to 2000 characters, and 20 lines
//
// From relay to page:
//
//	{"op":"welcome","you":N,"here":[N,…],"epoch":E,"lines":[LINE,…]}    who is here, and the last 50 lines
//	{"op":"line","line":LINE}            LINE is {"n":1,"from":N,"text":"…","time":ms}; n counts the lines of an epoch
//	{"op":"here","joined":N}             also "left", and both for another name
//	{"op":"you","name":N}                what you are called now
//	{"op":"error","text":"…"}            what is wrong with what you have said; it has not been done. Of a join: only the name has not been taken
//
// Other programs, which agree on no subprotocol, send and get lines as the chat of NaviServer's WebSocket module has them: what they send is said, and
// what others say comes as "NAME: text".
package chat

import (
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"mediawiki-websocket/relay/apps/gate"
	"mediawiki-websocket/relay/apps/names"
	"mediawiki-websocket/relay/apps/page"
	"mediawiki-websocket/relay/sockets"
	"mediawiki-websocket/relay/wire"
)

//go:embed page
var files embed.FS

const (
	subprotocol          = "chat.v1"
	plain                = " "     // at the end of the subscriptions of those who do not speak it
	kept, most           = 50, 500 // lines, and people in a chat
	textRunes, textLines = 2000, 20
	keyBytes             = 64
	joinTime             = 10 * time.Second
)

// What one connection, and a chat, may say: so many lines and names a second, and at once.
const (
	ownRate, ownBurst = rate.Limit(1), 8
	allRate, allBurst = rate.Limit(20), 60
)

// closeElsewhere is the close code of a connection whose key has come back: the page must not come back by itself (wire.MayReconnect).
const closeElsewhere = 4509

// Config is what the app is told.
type Config struct {
	URLs  []string // absolute paths without a slash at the end; each is a chat
	Group *sockets.Group
}

// New returns the app.
func New(c Config) http.Handler {
	chats := make(map[string]*chat)
	secret := []byte(rand.Text())
	for _, url := range c.URLs {
		chats[url] = &chat{url: url, group: c.Group, secret: secret, epoch: rand.Text(), people: make(map[*person]bool), limit: rate.NewLimiter(allRate, allBurst),
			names: rate.NewLimiter(allRate, allBurst)}
	}
	return page.Handler(page.App{URLs: c.URLs, Files: files, Folder: "page", Framers: "'self'",
		Connect: func(url string, w http.ResponseWriter, r *http.Request) { chats[url].connect(w, r) }})
}

type chat struct {
	url          string
	group        *sockets.Group
	secret       []byte        // makes pseudonyms
	epoch        string        // of the count of lines
	limit, names *rate.Limiter // of lines, and of other names, which must not silence the lines

	mu     sync.Mutex // also makes what is said come to all in one order
	people map[*person]bool
	lines  []line
	count  int
}

// A line is what somebody has said.
type line struct {
	N    int    `json:"n"`
	From string `json:"from"`
	Text string `json:"text"`
	Time int64  `json:"time"` // Unix milliseconds

	owner owner
	fold  string // of From
}

// An owner of names is the hash of a key.
type owner [sha256.Size]byte

// A person is one connection. owner, name and fold are guarded by the chat's mu.
type person struct {
	conn  *sockets.Conn
	plain bool   // it speaks no chat.v1
	alias string // its pseudonym, but for a number at its end
	limit *rate.Limiter
	timer *time.Timer // until it has joined
	owner owner
	name  string // "": it has not joined
	fold  string // of name
}

// A message is what either side says.
type message struct {
	Op     string   `json:"op"`
	Key    string   `json:"key,omitempty"`
	Name   string   `json:"name,omitempty"`
	Text   string   `json:"text,omitempty"`
	You    string   `json:"you,omitempty"`
	Here   []string `json:"here,omitempty"`
	Epoch  string   `json:"epoch,omitempty"`
	Lines  []line   `json:"lines,omitempty"`
	Line   *line    `json:"line,omitempty"`
	Joined string   `json:"joined,omitempty"`
	Left   string   `json:"left,omitempty"`
}

func (m message) encode() sockets.Message {
	text, _ := json.Marshal(m) // nothing in it can fail
	return sockets.Message{Data: text}
}

func (c *chat) connect(w http.ResponseWriter, r *http.Request) {
	first, _, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ",")
	p := &person{plain: strings.TrimSpace(first) != subprotocol, limit: rate.NewLimiter(ownRate, ownBurst)}
	c.group.Accept(w, r, sockets.Handler{
		Opened: func(conn *sockets.Conn) {
			p.conn, p.alias = conn, names.Pseudonym(c.secret, c.url, gate.Peer(conn.RemoteAddr()).String())
			p.timer = time.AfterFunc(joinTime, func() { conn.Close(wire.CloseNoConnect.Code, "nobody joined in time") })
			if p.plain {
				c.join(p, rand.Text(), "")
			}
		},
		Message: func(_ *sockets.Conn, m sockets.Message) {
			said := message{Op: "say", Text: string(m.Data)}
			if m.Binary || !p.plain && json.Unmarshal(m.Data, &said) != nil {
				said = message{}
			}
			c.message(p, said)
		},
		Closed: func(*sockets.Conn, int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			p.timer.Stop()
			c.remove(p)
		},
	})
}

func (c *chat) message(p *person, m message) {
	switch {
	case m.Op == "join" && p.name == "" && m.Key != "" && len(m.Key) <= keyBytes:
		c.join(p, m.Key, m.Name)
	case p.name == "" || m.Op != "name" && m.Op != "say":
		p.conn.Close(wire.CloseBadProtocol.Code, wire.CloseBadProtocol.Reason)
	case !p.limit.Allow():
		p.refuse("you are too fast: wait some seconds and try again")
	case m.Op == "name" && !c.names.Allow():
		p.refuse("too many names are changed here just now: wait a moment and try again")
	case m.Op == "name":
		c.rename(p, m.Name)
	default:
		c.say(p, m.Text)
	}
}

// refuse tells p alone that what it has said was not done.
func (p *person) refuse(text string) {
	m := message{Op: "error", Text: text}.encode()
	if p.plain {
		m = sockets.Text("! " + text)
	}
	p.conn.Send(m)
}

// all tells everybody who speaks chat.v1.
func (c *chat) all(m message) { c.group.Multicast(c.url, m.encode()) }

func (c *chat) join(p *person, key, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.timer.Stop()
	p.owner = sha256.Sum256([]byte(key))
	for q := range c.people {
		if q.owner == p.owner {
			c.remove(q)
			q.conn.Close(closeElsewhere, "this chat goes on in another tab")
		}
	}
	if len(c.people) >= most {
		p.conn.Close(wire.CloseFull.Code, "this chat is full: try again later")
		return
	}
	if err := c.claim(p, name); err != nil {
		c.claim(p, "")
		p.refuse(err.Error())
	}
	c.all(message{Op: "here", Joined: p.name})
	c.people[p] = true
	if p.plain {
		p.conn.Subscribe(c.url + plain)
		return
	}
	var here []string
	for q := range c.people {
		here = append(here, q.name)
	}
	slices.Sort(here)
	p.conn.Send(message{Op: "welcome", You: p.name, Here: here, Epoch: c.epoch, Lines: c.lines}.encode())
	p.conn.Subscribe(c.url)
}

// claim gives p the name that it wants, "" for its pseudonym, or says what is wrong with it. A name is taken while somebody else has it, and while
// something said under it can be read.
func (c *chat) claim(p *person, wanted string) (err error) {
	name, chosen := p.alias, strings.TrimSpace(wanted) != ""
	if chosen {
		if name, err = names.Clean(wanted); err != nil {
			return err
		}
	}
	for i := 2; c.taken(names.Fold(name), p.owner); i++ {
		if chosen {
			return fmt.Errorf("the name %s is somebody else's, or looks like it: choose another one", name)
		}
		name = fmt.Sprintf("%s-%d", p.alias, i)
	}
	p.name, p.fold = name, names.Fold(name)
	return nil
}

func (c *chat) taken(fold string, by owner) bool {
	for p := range c.people {
		if p.fold == fold && p.owner != by {
			return true
		}
	}
	return slices.ContainsFunc(c.lines, func(l line) bool { return l.fold == fold && l.owner != by })
}

// remove takes p out, if it is there.
func (c *chat) remove(p *person) {
	if c.people[p] {
		delete(c.people, p)
		c.all(message{Op: "here", Left: p.name})
	}
}

func (c *chat) rename(p *person, wanted string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := p.name
	if err := c.claim(p, wanted); err != nil {
		p.refuse(err.Error())
	} else if c.people[p] {
		c.all(message{Op: "here", Left: before, Joined: p.name})
		p.conn.Send(message{Op: "you", Name: p.name}.encode())
	}
}

func (c *chat) say(p *person, text string) {
	text = names.Text(text)
	size, rows := utf8.RuneCountInString(text), strings.Count(text, "\n")+1
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case text == "" || !c.people[p]:
	case size > textRunes || rows > textLines:
		p.refuse(fmt.Sprintf("a message has at most %d characters and %d lines, and this one has %d and %d", textRunes, textLines, size, rows))
	case !c.limit.Allow():
		p.refuse("too much is being said here just now: wait a moment and try again")
	default:
		c.count++
		l := line{c.count, p.name, text, time.Now().UnixMilli(), p.owner, p.fold}
		c.lines = append(c.lines, l)
		c.lines = slices.Delete(c.lines, 0, max(0, len(c.lines)-kept))
		c.all(message{Op: "line", Line: &l})
		c.group.Multicast(c.url+plain, sockets.Text(p.name+": "+strings.ReplaceAll(text, "\n", "\n  ")), p.conn)
	}
}
