package client

import (
	"bytes"
	"encoding/json"
	"strings"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// encode writes a command. Its members are those of package wire.
func encode(c *session.Command) []byte {
	if body, ok := c.Body.([]byte); ok {
		b := append([]byte(`{"id":`), jsonOf(c.ID)...)
		return append(append(b, ','), bytes.TrimPrefix(body, []byte("{"))...)
	}
	type position struct {
		Epoch  string `json:"epoch,omitempty"`
		Offset uint64 `json:"offset,omitempty"`
		Time   int64  `json:"time,omitempty"`
	}
	frame := struct {
		ID      int       `json:"id,omitempty"`
		Op      string    `json:"op"`
		Token   string    `json:"token,omitempty"`
		Clients []string  `json:"clients,omitempty"`
		Client  string    `json:"client,omitempty"`
		Type    string    `json:"type,omitempty"`
		Since   *position `json:"since,omitempty"`
		Follow  any       `json:"follow,omitempty"`
	}{ID: c.ID, Op: c.Op, Token: c.Token, Clients: c.Clients, Client: c.Client, Type: c.Type, Follow: c.Follow}
	if s := c.Since; s != (session.Since{}) {
		frame.Since = &position{s.Epoch, uint64(s.Offset), int64(s.Time)}
	}
	return jsonOf(frame)
}

func jsonOf(v any) []byte {
	b, err := marshal(v)
	if err != nil {
		panic(err) // these types can be marshalled
	}
	return b
}

// marshal leaves texts as they are: encoding/json would escape some letters for pages, which would change messages and make them longer.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// decode reads a frame; nil when it is none. The payload of a message is a *Message, that of an answer about who is there a Presence. epoch is the one that
// the relay has named last on this connection.
func decode(data []byte, epoch *string) *session.Frame {
	var f struct {
		ID int
		OK *struct {
			Wiki, User, Epoch string
			Ping              int
			Recovered         bool
			Offset            uint64
			Presence
		}
		Error  *wire.Error
		Op     string
		After  int
		Type   string
		Msg    json.RawMessage
		From   string
		To     json.RawMessage
		User   string
		Wiki   bool
		Offset uint64
	}
	if json.Unmarshal(data, &f) != nil {
		return nil
	}
	out := &session.Frame{ID: f.ID, Reply: f.OK != nil || f.Error != nil, Error: f.Error, Op: f.Op, After: f.After, Type: f.Type, From: f.From,
		Offset: f.Offset, To: recipients(f.To)}
	switch {
	case f.OK != nil:
		out.Wiki, out.User, out.Ping, out.Epoch, out.Recovered, out.Offset = f.OK.Wiki, f.OK.User, f.OK.Ping, f.OK.Epoch, f.OK.Recovered, f.OK.Offset
		out.Payload = f.OK.Presence
		if f.OK.Epoch != "" {
			*epoch = f.OK.Epoch
		}
	case f.Op == "" && !out.Reply:
		out.Payload = &Message{Type: f.Type, Msg: f.Msg, From: f.From, To: out.To, User: f.User, Wiki: f.Wiki, Offset: f.Offset, Epoch: *epoch}
	}
	return out
}

// recipients reads "to" in each form that it may have: an array of ids or one comma-separated string; nothing and zero mean everyone.
func recipients(to json.RawMessage) []string {
	var list []any
	var one any
	if json.Unmarshal(to, &list) != nil {
		json.Unmarshal(to, &one)
		text, ok := one.(string)
		if !ok {
			return nil
		}
		for part := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(part))
		}
	}
	var ids []string
	for _, v := range list {
		if id, ok := v.(string); ok && id != "" && id != "0" {
			ids = append(ids, id)
		}
	}
	return ids
}

// envelope reads a message of the classic mode, which may have any other members; nil when it is none.
func envelope(data []byte) *Message {
	var e struct {
		Type string
		Msg  json.RawMessage
		From json.RawMessage
		To   json.RawMessage
	}
	if json.Unmarshal(data, &e) != nil || e.Type == "" {
		return nil
	}
	m := &Message{Type: e.Type, Msg: e.Msg, To: recipients(e.To)}
	json.Unmarshal(e.From, &m.From)
	return m
}
