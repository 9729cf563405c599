//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

const (
	speakers  = 20 // clients that also send
	chatRooms = 5
)

// visitor is what a browser is: a session with one tab, which checks what it gets.
type visitor struct {
	id      string
	session *session.Session
	types   []int // that it subscribes to
	room    string
	sent    int

	mu        sync.Mutex
	connected bool
	news      map[string]*series // by type
	chats     map[string]*series // by sender
	faults    []string
	delivered int64
	told      int64 // gaps of which it was told
	duplicate int64
	lost      int64
	reunions  int64
	unsent    int // own messages of which it was told that they may not have got through
}

// series is how far a client has come with numbers that rise by one.
type series struct {
	next  int
	gap   bool // it was told that some may be missing
	chat  bool // what another client sends
	lacks int  // messages that were left out, of a chat
}

func newVisitor(n, types int, url, token string) *visitor {
	c := &visitor{id: "WSchaos" + strconv.Itoa(n), room: wiki + "Chat/" + strconv.Itoa(n%chatRooms), news: make(map[string]*series), chats: make(map[string]*series)}
	c.session = session.New(client.Config(nil))
	go c.session.Run()
	c.session.Join(c.id, url, &session.Token{Text: token, Life: 3600}, c)
	for i := range typesEach {
		typ := (n + i*(types/typesEach+1)) % types
		if c.news[newsType(typ)] == nil {
			c.news[newsType(typ)] = new(series)
			c.types = append(c.types, typ)
			c.session.Subscribe(c.id, newsType(typ), session.Since{})
		}
	}
	c.session.Subscribe(c.id, c.room, session.Since{})
	return c
}

func (c *visitor) stop() { c.session.Stop() }

// say sends the next number to the client's room.
func (c *visitor) say() {
	n := c.sent
	c.sent++
	msg := fmt.Appendf(nil, `{"who":%q,"n":%d}`, c.id, n)
	body := client.Body(c.room, c.id, fmt.Sprintf("%s-%d", c.id, n), msg, nil)
	c.session.Send(c.id, session.Message{Type: c.room, Body: body, Bytes: len(body)})
}

func (c *visitor) isConnected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connected
}

// has reports whether the client has the last message of each of its types, or knows that it may have missed some.
func (c *visitor) has(p *publisher) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, typ := range c.types {
		if s := c.news[newsType(typ)]; s.next < p.next[typ] && !s.gap {
			return false
		}
	}
	return true
}

// Deliver implements [session.Tab].
func (c *visitor) Deliver(payload any) {
	m := payload.(*client.Message)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delivered++
	if s := c.news[m.Type]; s != nil {
		n, _ := strconv.Atoi(string(m.Msg))
		c.check(s, m.Type, n)
		return
	}
	var said struct {
		Who string
		N   int
	}
	if m.Type != c.room || json.Unmarshal(m.Msg, &said) != nil {
		c.faults = append(c.faults, fmt.Sprintf("%s got what it has not asked for: %s of %s", c.id, m.Msg, m.Type))
		return
	}
	if c.chats[said.Who] == nil {
		c.chats[said.Who] = &series{chat: true}
	}
	c.check(c.chats[said.Who], m.Type+" from "+said.Who, said.N)
}

// check counts what is wrong with a message. The caller holds the lock.
func (c *visitor) check(s *series, what string, n int) {
	switch {
	case n == s.next:
	case n < s.next:
		c.duplicate++
		c.fault("%s got %d of %s twice, or late: it had %d", c.id, n, what, s.next-1)
		return
	case s.gap:
		c.told++
	case s.chat: // the sender may have been told that it did not get through
		s.lacks += n - s.next
	default:
		c.lost += int64(n - s.next)
		c.fault("%s got %d of %s after %d, and was not told of a gap", c.id, n, what, s.next-1)
	}
	s.next, s.gap = n+1, false
}

func (c *visitor) fault(format string, a ...any) {
	if len(c.faults) < 20 {
		c.faults = append(c.faults, fmt.Sprintf(format, a...))
	}
}

// Missed implements [session.Tab].
func (c *visitor) Missed(typ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.news[typ]; s != nil {
		s.gap = true
	}
	if typ == c.room {
		for _, s := range c.chats {
			s.gap = true
		}
	}
}

// Connected implements [session.Tab].
func (c *visitor) Connected(session.Welcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected = true
	c.reunions++
}

// Disconnected implements [session.Tab].
func (c *visitor) Disconnected(e session.Ended) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected = false
	if !e.Retry {
		c.fault("%s is turned away: %d %s", c.id, e.Code, e.Reason)
	}
}

// Fail implements [session.Tab].
func (c *visitor) Fail(f session.Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Op == wire.OpSend {
		c.unsent++
		return
	}
	c.fault("%s: %s %s failed: %s", c.id, f.Op, strings.TrimPrefix(f.Type, wiki), f.Message)
}

// The rest of [session.Tab] is not needed.

func (c *visitor) Position(string, string, uint64)    {}
func (c *visitor) Present(int, any, *wire.Error)      {}
func (c *visitor) Changed(string, string, any)        {}
func (c *visitor) WantToken(bool)                     {}
func (c *visitor) WantGrants(types, refused []string) {}
