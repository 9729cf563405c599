package codec_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// A frame that the scanner takes is what encoding/json takes too, and a message made of it carries the same msg and to.
func FuzzEnvelope(f *testing.F) {
	for _, g := range rows(f, "envelopes.json") {
		f.Add([]byte(g.Frame))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := codec.ParseEnvelope(data, wire.DefaultLimits())
		if err != nil {
			if err.Code == "" || !utf8.ValidString(err.Message) {
				t.Errorf("%q: error %#v", data, err)
			}
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Fatalf("%q is not JSON", data)
		}
		frame := codec.AppendMessage(nil, &codec.Message{Envelope: e, Offset: 1, User: "u", Wiki: true})
		again, err := codec.ParseEnvelope(frame, wire.DefaultLimits())
		if err != nil || again.Type != e.Type || again.From != e.From || !bytes.Equal(again.Msg, e.Msg) || !bytes.Equal(again.To, e.To) {
			t.Errorf("%q became %q: %v", data, frame, err)
		}
		if !json.Valid(frame) {
			t.Errorf("%q is not JSON", frame)
		}
	})
}

func FuzzCommand(f *testing.F) {
	for _, g := range rows(f, "commands.json") {
		f.Add([]byte(g.Frame))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := codec.ParseCommand(data, wire.DefaultLimits())
		if err == nil && (!json.Valid(data) || c.Op == "") {
			t.Errorf("%q: %+v", data, c)
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

func BenchmarkParseEnvelope(b *testing.B) {
	frame := []byte(`{"type":"mydb:12:UpdateComments","msg":[{"id":7,"user":"Ann","html":"<p>Some text of a comment, not long.</p>"}],"from":"WS0123456789abcdef0123456789abcd","to":""}`)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.ParseEnvelope(frame, wire.DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCommand(b *testing.B) {
	frame := []byte(`{"id":12,"op":"send","type":"mydb:12:UpdateComments","msg":{"text":"hello, world"},"from":"WS0123456789abcdef0123456789abcd"}`)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.ParseCommand(frame, wire.DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	m := codec.Message{Envelope: codec.Envelope{Type: "mydb:@page/12", Msg: []byte(`{"event":"edit","page":12,"title":"Main_Page","rev":34,"user":"Ann"}`)}, Offset: 12345, Wiki: true}
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = codec.AppendMessage(buf[:0], &m)
	}
}
