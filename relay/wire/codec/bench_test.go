package codec_test

import (
	"testing"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

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
