//go:build js && wasm

package main

import (
	"errors"
	"syscall/js"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// run connects a session with the host and never returns.
func run() {
	b := &bridge{host: js.Global().Get("webSocketHost")}
	math := js.Global().Get("Math")
	b.session = session.New(session.Config{
		Dial:   b.dial,
		Rand:   func() float64 { return math.Call("random").Float() },
		After:  b.after,
		Limits: wire.DefaultLimits(),
	})
	b.host.Call("listen", js.FuncOf(b.receive)) // the only js.Func; it is needed as long as the program runs
	b.session.Run()
}

type bridge struct {
	host    js.Value
	session *session.Session
	link    *session.Link // of the host's socket

	timers    []timer // that run in the host
	lastTimer int
}

type timer struct {
	id   int
	fire func()
}

func (b *bridge) receive(_ js.Value, args []js.Value) any {
	client, m := args[1].String(), args[2]
	typ := text(m, "type")
	switch args[0].String() {
	case "frame":
		b.link.Received(frame(m, typ))
	case "timer":
		if fire := b.take(number(m, "id")); fire != nil {
			fire()
		}
	case "opened":
		b.link.Opened()
	case "closed":
		b.link.Closed(number(m, "code"), text(m, "reason"))
	case "online":
		b.session.Online(m.Get("online").Truthy())
	case "hello":
		b.session.Join(client, text(m, "url"), token(m), &tab{b.host, client})
	case "bye":
		b.session.Leave(client)
	case "woke":
		b.session.Woke(client == "")
	case "subscribe":
		b.session.Subscribe(client, typ, since(m))
	case "unsubscribe":
		b.session.Unsubscribe(client, typ)
	case "send":
		b.session.Send(client, session.Message{Type: typ, Body: m.Get("body"), Bytes: number(m, "bytes")})
	case "presence":
		b.session.Presence(client, typ, number(m, "id"))
	case "follow":
		b.session.Follow(client, typ)
	case "unfollow":
		b.session.Unfollow(client, typ)
	case "visible":
		b.session.Visible(client, m.Get("visible").Truthy())
	case "token":
		if t := token(m); t != nil {
			b.session.GiveToken(client, *t)
		} else {
			b.session.NoToken(client, m.Get("final").Truthy())
		}
	case "granted":
		b.session.Granted(client, grants(m), m.Get("final").Truthy())
	}
	return nil
}

// frame reads a frame that the host has parsed.
func frame(m js.Value, typ string) *session.Frame {
	f := &session.Frame{
		ID: number(m, "id"), Reply: m.Get("reply").Truthy(),
		Wiki: text(m, "wiki"), User: text(m, "user"), Ping: number(m, "ping"),
		Epoch: text(m, "epoch"), Recovered: m.Get("recovered").Truthy(), Offset: count(m, "offset"),
		Op: text(m, "op"), After: number(m, "after"),
		Type: typ, From: text(m, "from"), Payload: m.Get("data"),
	}
	if code := text(m, "error"); code != "" {
		f.Error = wire.NewError(wire.Code(code), text(m, "message"))
	}
	if to := m.Get("to"); to.Type() == js.TypeObject {
		for i := range to.Length() {
			f.To = append(f.To, to.Index(i).String())
		}
	}
	return f
}

// since reads what a page has had.
func since(m js.Value) (had session.Since) {
	if m = m.Get("since"); m.Type() == js.TypeObject {
		if had = (session.Since{Epoch: text(m, "epoch"), Offset: count(m, "offset")}); had.Epoch == "" {
			had = session.Since{Time: int64(count(m, "time"))}
		}
	}
	return had
}

// token reads a token; nil when there is none.
func token(m js.Value) *session.Token {
	if m.Get("token").Type() != js.TypeString {
		return nil
	}
	return &session.Token{Text: text(m, "token"), Life: number(m, "life")}
}

// grants reads subscription tokens and refusals.
func grants(m js.Value) (answers []session.Grant) {
	for _, g := range array(m, "tokens") {
		if t := token(g); t != nil {
			answers = append(answers, session.Grant{Type: text(g, "type"), Token: *t})
		}
	}
	for _, g := range array(m, "refused") {
		err := wire.NewError(wire.Code(text(g, "code")), text(g, "message"))
		answers = append(answers, session.Grant{Type: text(g, "type"), Refused: err})
	}
	return answers
}

// array reads an array of objects.
func array(m js.Value, name string) (members []js.Value) {
	list := m.Get(name)
	if list.Type() != js.TypeObject {
		return nil
	}
	for i := range list.Length() {
		if v := list.Index(i); v.Type() == js.TypeObject {
			members = append(members, v)
		}
	}
	return members
}

func text(m js.Value, name string) string {
	if v := m.Get(name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}

func number(m js.Value, name string) int {
	if v := m.Get(name); v.Type() == js.TypeNumber {
		return v.Int()
	}
	return 0
}

// count reads a number that is not negative.
func count(m js.Value, name string) uint64 { return uint64(max(0, number(m, name))) }

// A tab is a page behind a port of the host.
type tab struct {
	host   js.Value
	client string
}

var _ session.Tab = (*tab)(nil)

func (t *tab) Connected(w session.Welcome) {
	t.host.Call("post", t.client, "connected", w.Wiki, w.User)
}

func (t *tab) Disconnected(e session.Ended) {
	t.host.Call("post", t.client, "disconnected", e.Code, e.Reason, e.Retry)
}

func (t *tab) Deliver(payload any) { t.host.Call("post", t.client, "message", payload) }

func (t *tab) Missed(typ string) { t.host.Call("post", t.client, "missed", typ) }

func (t *tab) Position(typ, epoch string, offset uint64) {
	t.host.Call("post", t.client, "position", typ, epoch, offset)
}

func (t *tab) Present(question int, payload any, err *wire.Error) {
	if err == nil {
		err = &wire.Error{}
	}
	t.host.Call("post", t.client, "presence", question, payload, string(err.Code), err.Message)
}

func (t *tab) Changed(op, typ string, payload any) { t.host.Call("post", t.client, op, typ, payload) }

func (t *tab) Fail(f session.Failure) {
	t.host.Call("post", t.client, "error", f.Op, f.Type, string(f.Code), f.Message)
}

func (t *tab) WantGrants(types, refused []string) {
	t.host.Call("post", t.client, "grants", values(types), values(refused))
}

func (t *tab) WantToken(refused bool) { t.host.Call("post", t.client, "token", refused) }

// A socket is the one that the host has open. The session closes one before it dials the next.
type socket struct {
	host js.Value
}

var _ session.Socket = socket{}

func (b *bridge) dial(url string, link *session.Link) (session.Socket, error) {
	b.link = link
	if !b.host.Call("open", url, wire.Subprotocol).Bool() {
		return nil, errors.New("the browser does not open " + url)
	}
	return socket{b.host}, nil
}

func (s socket) Send(c *session.Command) {
	if c.Op == wire.OpSend {
		s.host.Call("sendMessage", c.ID, c.Body)
		return
	}
	var since any
	switch had := c.Since; {
	case had.Epoch != "":
		since = map[string]any{"epoch": had.Epoch, "offset": had.Offset}
	case had.Time != 0:
		since = map[string]any{"time": had.Time}
	}
	s.host.Call("send", c.ID, c.Op, c.Type, c.Client, c.Token, values(c.Clients), since, c.Follow)
}

func (s socket) Close(code int, reason string) { s.host.Call("close", code, reason) }

// values is what syscall/js makes an array of.
func values(list []string) []any {
	array := make([]any, len(list))
	for i, s := range list {
		array[i] = s
	}
	return array
}

// after starts a timer of the host. The one js.Func serves all of them: none is made here, so none can leak.
func (b *bridge) after(ms int, f func()) (cancel func()) {
	b.lastTimer++
	id := b.lastTimer
	b.timers = append(b.timers, timer{id, f})
	b.host.Call("after", id, ms)
	return func() {
		if b.take(id) != nil {
			b.host.Call("cancel", id)
		}
	}
}

// take removes a timer and returns what it is to do; nil when it has fired or was cancelled.
func (b *bridge) take(id int) func() {
	last := len(b.timers) - 1
	for i, t := range b.timers {
		if t.id == id {
			b.timers[i], b.timers[last] = b.timers[last], timer{}
			b.timers = b.timers[:last]
			return t.fire
		}
	}
	return nil
}
