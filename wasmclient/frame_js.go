//go:build js && wasm

package main

import (
	"strings"
	"syscall/js"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// parse reads a frame from the relay; nil when it is none.
func parse(data js.Value) (f *session.Frame) {
	defer func() {
		if recover() != nil {
			f = nil // not JSON
		}
	}()
	v := jsonObject.Call("parse", data)
	f = &session.Frame{ID: number(v, "id"), Op: text(v, "op"), After: number(v, "after"), Type: text(v, "type"), From: text(v, "from")}
	if ok := v.Get("ok"); ok.Type() == js.TypeObject {
		f.Reply = true
		f.Wiki, f.User, f.Ping = text(ok, "wiki"), text(ok, "user"), number(ok, "ping")
	} else if e := v.Get("error"); e.Type() == js.TypeObject {
		f.Reply = true
		f.Error = wire.NewError(wire.Code(text(e, "code")), text(e, "message"))
	} else if f.Op == "" {
		f.To = recipients(v.Get("to"))
		f.Payload = v
	}
	return f
}

func text(v js.Value, name string) string {
	if member := v.Get(name); member.Type() == js.TypeString {
		return member.String()
	}
	return ""
}

func number(v js.Value, name string) int {
	if member := v.Get(name); member.Type() == js.TypeNumber {
		return member.Int()
	}
	return 0
}

// recipients reads "to" in each form that the classic mode knows, as package wire describes them; nothing means everyone.
func recipients(to js.Value) (ids []string) {
	var list []string
	switch to.Type() {
	case js.TypeString:
		list = strings.Split(to.String(), ",")
	case js.TypeObject:
		for i := range to.Length() {
			list = append(list, js.Global().Call("String", to.Index(i)).String())
		}
	}
	for _, id := range list {
		if id = strings.TrimSpace(id); id != "" && id != "0" {
			ids = append(ids, id)
		}
	}
	return ids
}
