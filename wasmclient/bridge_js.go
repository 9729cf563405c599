//go:build js && wasm

package main

import (
	"errors"
	"strconv"
	"syscall/js"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

var (
	jsonObject = js.Global().Get("JSON")
	date       = js.Global().Get("Date")
	math       = js.Global().Get("Math")
)

// run connects a session with the host and never returns.
func run() {
	b := &bridge{host: js.Global().Get("webSocketHost")}
	b.session = session.New(session.Config{
		Dial: b.dial,
		Rand: func() float64 { return math.Call("random").Float() },
	})
	b.host.Call("listen", js.FuncOf(b.receive)) // for the life of the program
	b.session.Run()
}

type bridge struct {
	host    js.Value
	session *session.Session
}

func (b *bridge) receive(_ js.Value, args []js.Value) any {
	client, m := args[0].String(), args[1]
	switch op := m.Get("op").String(); op {
	case "hello":
		b.session.Join(client, m.Get("url").String(), token(m), &tab{b.host, client})
		if m.Get("hidden").Truthy() {
			b.session.Visible(client, false)
		}
	case "bye":
		b.session.Leave(client)
	case "subscribe":
		b.session.Subscribe(client, m.Get("type").String())
	case "unsubscribe":
		b.session.Unsubscribe(client, m.Get("type").String())
	case "send":
		body := encode(client, m)
		b.session.Send(client, session.Message{Type: m.Get("type").String(), Body: body, Bytes: len(body)})
	case "token":
		if t := token(m); t != nil {
			b.session.GiveToken(client, *t)
		} else {
			b.session.NoToken(client, m.Get("final").Truthy())
		}
	case "visible":
		b.session.Visible(client, m.Get("visible").Truthy())
	case "online", "offline":
		b.session.Online(op == "online")
	}
	return nil
}

// encode makes the frame of a message, without its id and its opening brace. The message itself is JSON text already and stays as it is.
func encode(client string, m js.Value) string {
	var to any = m.Get("to")
	if m.Get("to").Length() == 0 {
		to = ""
	}
	head := stringify(map[string]any{"op": wire.OpSend, "type": m.Get("type"), "from": client, "to": to})
	return head[1:len(head)-1] + `,"msg":` + m.Get("json").String() + "}"
}

func stringify(v map[string]any) string { return jsonObject.Call("stringify", v).String() }

// token reads the token of a page's message; nil when it has none.
func token(m js.Value) *session.Token {
	text := m.Get("token")
	if text.Type() != js.TypeString {
		return nil
	}
	t := &session.Token{Text: text.String()}
	if expires := m.Get("expires"); expires.Truthy() {
		ms := expires.Float()*1000 - date.Call("now").Float()
		if t.Life = time.Duration(ms) * time.Millisecond; t.Life == 0 {
			t.Life = -1
		}
	}
	return t
}

// A tab is a page behind a port of the host.
type tab struct {
	host   js.Value
	client string
}

var _ session.Tab = (*tab)(nil)

func (t *tab) post(m map[string]any) { t.host.Call("post", t.client, m) }

func (t *tab) Connected(w session.Welcome) {
	t.post(map[string]any{"op": "connected", "wiki": w.Wiki, "user": w.User})
}

func (t *tab) Disconnected(e session.Ended) {
	t.post(map[string]any{"op": "disconnected", "code": e.Code, "reason": e.Reason, "retry": e.Retry})
}

func (t *tab) Deliver(payload any) { t.post(map[string]any{"op": "message", "data": payload}) }

func (t *tab) Fail(f session.Failure) {
	t.post(map[string]any{"op": "error", "about": f.Op, "type": f.Type, "code": string(f.Code), "message": f.Message})
}

func (t *tab) WantToken(refused bool) { t.post(map[string]any{"op": "token", "refused": refused}) }

// A socket is the browser's WebSocket.
type socket struct {
	ws    js.Value
	funcs []js.Func
}

var _ session.Socket = (*socket)(nil)

func (b *bridge) dial(url string, link *session.Link) (s session.Socket, err error) {
	defer func() {
		if thrown, ok := recover().(js.Error); ok { // a URL that is none, or one that a policy forbids
			err = errors.New(thrown.Get("message").String())
		}
	}()
	c := &socket{ws: b.host.Call("open", url, wire.Subprotocol)}
	c.on("onopen", func(js.Value) { link.Opened() })
	c.on("onmessage", func(event js.Value) {
		if f := parse(event.Get("data")); f != nil {
			link.Received(f)
		}
	})
	c.on("onclose", func(event js.Value) {
		c.release()
		link.Closed(event.Get("code").Int(), event.Get("reason").String())
	})
	return c, nil
}

func (c *socket) on(event string, f func(js.Value)) {
	fn := js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	})
	c.funcs = append(c.funcs, fn)
	c.ws.Set(event, fn)
}

func (c *socket) release() {
	for _, event := range []string{"onopen", "onmessage", "onclose"} {
		c.ws.Set(event, nil)
	}
	for _, fn := range c.funcs {
		fn.Release()
	}
	c.funcs = nil
}

func (c *socket) Close(code int, reason string) {
	c.release()
	c.ws.Call("close", code, reason)
}

// Send writes a frame. A socket that is closing by itself drops it; what is lost with the connection is reported by the session.
func (c *socket) Send(cmd *session.Command) {
	if body, ok := cmd.Body.(string); ok {
		c.ws.Call("send", `{"id":`+strconv.Itoa(cmd.ID)+","+body)
		return
	}
	m := map[string]any{"op": cmd.Op}
	if cmd.ID != 0 {
		m["id"] = cmd.ID
	}
	for name, value := range map[string]string{"token": cmd.Token, "client": cmd.Client, "type": cmd.Type} {
		if value != "" {
			m[name] = value
		}
	}
	if cmd.Op == wire.OpConnect {
		clients := make([]any, len(cmd.Clients))
		for i, client := range cmd.Clients {
			clients[i] = client
		}
		m["clients"] = clients
	}
	c.ws.Call("send", stringify(m))
}
