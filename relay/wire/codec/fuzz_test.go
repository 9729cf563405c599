package codec_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// reading is how encoding/json reads a frame: it also takes members in another case, and of two the last.
type reading struct {
	envelope
	Op      string
	Token   *string
	Client  json.RawMessage
	Clients []json.RawMessage
	ID      uint64
	Since   *codec.Since
	Follow  *bool
}

type envelope struct {
	Type          string
	Msg, From, To json.RawMessage
	Actor         *string // in a publish only
	Key           *string
}

// reads returns how encoding/json reads what the scanner has taken. No reader may see anything else in a frame than the relay does.
func reads(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil || !utf8.Valid(data) {
		t.Fatalf("%q is taken, but encoding/json says %v", data, err)
	}
}

// id is what a raw value says as a client id.
func id(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	if text = string(raw); text == "null" || text == "false" || text == "0" {
		return ""
	}
	return text
}

// recipients is what "to" says: nil is everyone.
func recipients(raw json.RawMessage) (ids []string) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		for name := range strings.SplitSeq(id(raw), ",") {
			list = append(list, json.RawMessage(`"`+strings.TrimSpace(name)+`"`))
			if string(list[len(list)-1]) == `"0"` {
				list = list[:len(list)-1]
			}
		}
	}
	for _, element := range list {
		if name := id(element); name != "" {
			ids = append(ids, name)
		}
	}
	return ids
}

// alike fails the test unless both readers see the same envelope, msg and to the same to the byte.
func alike(t *testing.T, data []byte, e codec.Envelope, r *envelope) {
	t.Helper()
	if e.Type != r.Type || !bytes.Equal(e.Msg, r.Msg) || (e.Msg == nil) != (r.Msg == nil) || e.From != id(r.From) || !bytes.Equal(e.To, r.To) ||
		!slices.Equal(e.Recipients, recipients(r.To)) || e.HasActor != (r.Actor != nil) || e.HasActor && e.Actor != *r.Actor ||
		(r.Key == nil) != (e.Key == "") || r.Key != nil && e.Key != *r.Key {
		t.Errorf("%q is %+v, but for encoding/json %+v", data, e, r)
	}
}

// survives fails the test unless the message that is made of e carries what e does.
func survives(t *testing.T, e codec.Envelope) {
	t.Helper()
	frame := codec.AppendMessage(nil, &codec.Message{Envelope: e, Offset: 1, User: "u\"\x1f\u2028", Wiki: true})
	again, err := codec.ParseEnvelope(frame, wire.DefaultLimits())
	if err != nil || again.Type != e.Type || again.From != e.From || !bytes.Equal(again.Msg, e.Msg) || !bytes.Equal(again.To, e.To) ||
		!slices.Equal(again.Recipients, e.Recipients) {
		t.Errorf("%+v became %q: %v", e, frame, err)
	}
	var sender struct {
		Offset uint64
		User   string
		Wiki   bool
	}
	if err := json.Unmarshal(frame, &sender); err != nil || sender.Offset != 1 || sender.User != "u\"\x1f\u2028" || !sender.Wiki {
		t.Errorf("the sender in %q is %+v: %v", frame, sender, err)
	}
}

func explains(t *testing.T, data []byte, err *wire.Error) {
	t.Helper()
	if err.Code == "" || err.Message == "" || !utf8.ValidString(err.Message) || strings.ContainsAny(err.Message, "\r\n\x1b") {
		t.Errorf("%q: error %#v", data, err)
	}
	if frame := codec.AppendError(nil, 7, err); !json.Valid(frame) {
		t.Errorf("%q: the error became %q", data, frame)
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, g := range rows(f, "envelopes.json") {
		f.Add([]byte(g.Frame))
	}
	f.Add([]byte(`{"type":"t","msg":2,"m\u017fg":1}`)) // the long s is an s in another case
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := codec.ParseEnvelope(data, wire.DefaultLimits())
		if err != nil {
			explains(t, data, err)
			return
		}
		var r envelope
		reads(t, data, &r)
		r.Actor, r.Key = nil, nil
		alike(t, data, e, &r)
		survives(t, e)
	})
}

func FuzzCommand(f *testing.F) {
	for _, g := range rows(f, "commands.json") {
		f.Add([]byte(g.Frame))
	}
	f.Add([]byte(`{"op":"connect","to\u212aen":"x"}`)) // the sign of Kelvin is a k in another case
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := codec.ParseCommand(data, wire.DefaultLimits())
		if err != nil {
			explains(t, data, err)
			return
		}
		var r reading
		reads(t, data, &r)
		if r.Op == "" && r.Type != "" {
			r.Op = wire.OpSend
		}
		var clients []string
		for _, raw := range r.Clients {
			clients = append(clients, id(raw))
		}
		token := ""
		if r.Token != nil {
			token = *r.Token
		}
		if c.ID != r.ID || c.Op != r.Op || c.Token != token || c.Client != id(r.Client) || !slices.Equal(c.Clients, clients) ||
			(c.Since == nil) != (r.Since == nil) || c.Since != nil && *c.Since != *r.Since || !sameBool(c.Follow, r.Follow) {
			t.Errorf("%q is %+v, but for encoding/json %+v", data, c, r)
		}
		r.Actor = nil
		alike(t, data, c.Envelope, &r.envelope)
		if c.Op == wire.OpSend {
			survives(t, c.Envelope)
		}
	})
}

func FuzzBatch(f *testing.F) {
	for _, g := range rows(f, "envelopes.json") {
		f.Add([]byte(`{"messages":[{"type":"T"},` + g.Frame + `]}`))
	}
	f.Add([]byte(`{"messages":[]}`))
	f.Add([]byte(`{"messages":[{"type":"T","actor":"Ann"},{"type":"T","actor":""}]}`))
	f.Add([]byte(`{"messages":[{"type":"T","key":"edit:12"},{"type":"T","key":null}]}`))
	f.Add([]byte(`{"messages":null}`))
	f.Add([]byte(`{"messages":[],"me\u017f\u017fages":[{"type":"x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := wire.DefaultLimits()
		limits.PublishBatch = 4
		batch, err := readBatch(data, limits)
		if err != nil {
			explains(t, data, err)
			return
		}
		var body struct{ Messages []json.RawMessage }
		reads(t, data, &body)
		if len(batch) != len(body.Messages) || len(batch) > limits.PublishBatch {
			t.Fatalf("%q holds %d messages, but for encoding/json %d", data, len(batch), len(body.Messages))
		}
		for i, e := range batch {
			var r envelope
			reads(t, body.Messages[i], &r)
			alike(t, body.Messages[i], e, &r)
			survives(t, e)
		}
	})
}

// The scanner takes exactly what encoding/json takes for JSON.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`1`, `-0`, `1e5`, `"\ud800"`, `[1,{"a":null}]`, `tru`, ` true `, `"`, `{"a":}`, `{"a":1,"a":2}`, ``, `1 2`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if utf8.Valid(data) && codec.Valid(data) != json.Valid(data) {
			t.Errorf("%q: the scanner says %t", data, codec.Valid(data))
		}
	})
}

// Strings are looked at eight bytes at a time: any character at any place of one is judged as encoding/json does.
func TestCharacterAtAnyPlaceOfAString(t *testing.T) {
	for n := range 20 {
		for at := range n + 1 {
			for c := range rune(0x180) {
				for _, behind := range []string{"", `"`, `\`, "\x1f"} {
					text := `["` + strings.Repeat("é", at/2) + strings.Repeat("x", at%2) + string(c) + behind + strings.Repeat("y", n-at) + `"]`
					if codec.Valid([]byte(text)) != json.Valid([]byte(text)) {
						t.Fatalf("%q: the scanner says %t", text, codec.Valid([]byte(text)))
					}
				}
			}
		}
	}
}
