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
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // these types can be marshalled
	}
	return b
}

// decode reads a frame; nil when it is none. The payload of a message is its JSON, as json.RawMessage.
func decode(data []byte) *session.Frame {
	var f struct {
		ID int
		OK *struct {
			Wiki, User, Epoch string
			Ping              int
			Recovered         bool
			Offset            uint64
		}
		Error  *wire.Error
		Op     string
		After  int
		Type   string
		From   string
		To     json.RawMessage
		Offset uint64
	}
	if json.Unmarshal(data, &f) != nil {
		return nil
	}
	out := &session.Frame{ID: f.ID, Reply: f.OK != nil || f.Error != nil, Error: f.Error, Op: f.Op, After: f.After, Type: f.Type, From: f.From,
		Offset: f.Offset, To: recipients(f.To), Payload: json.RawMessage(bytes.Clone(data))}
	if f.OK != nil {
		out.Wiki, out.User, out.Ping, out.Epoch, out.Recovered, out.Offset = f.OK.Wiki, f.OK.User, f.OK.Ping, f.OK.Epoch, f.OK.Recovered, f.OK.Offset
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
