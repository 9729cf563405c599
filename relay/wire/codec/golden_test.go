package codec_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// golden is a row of the golden files. Msg and To are raw JSON, in a string; a nil one is missing.
type golden struct {
	Name, Frame       string
	Error             wire.Code
	ID                uint64
	Op, Token, Client string
	Clients           []string
	Since             *codec.Since
	Follow            *bool
	Key               string
	Type, From        string
	Msg, To           *string
	Recipients        []string
	Offset            uint64
	User              string
	Wiki              bool
}

func rows(t testing.TB, file string) (list []golden) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", file))
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil || len(list) == 0 {
		t.Fatalf("%s: %d rows, %v", file, len(list), err)
	}
	return list
}

func same(raw []byte, want *string) bool {
	return raw == nil && want == nil || raw != nil && want != nil && string(raw) == *want
}

func (g *golden) envelope(t *testing.T, e codec.Envelope) {
	t.Helper()
	if e.Type != g.Type || e.From != g.From || !same(e.Msg, g.Msg) || !same(e.To, g.To) || !slices.Equal(e.Recipients, g.Recipients) || e.Key != g.Key {
		t.Errorf("%s: %+v (msg %s, to %s)", g.Name, e, e.Msg, e.To)
	}
}

func fails(t *testing.T, g golden, err *wire.Error) bool {
	t.Helper()
	var got wire.Code
	if err != nil {
		got = err.Code
	}
	if got != g.Error {
		t.Errorf("%s: %v, want %q", g.Name, err, g.Error)
	}
	return err != nil
}

func TestEnvelopes(t *testing.T) {
	for _, g := range rows(t, "envelopes.json") {
		e, err := codec.ParseEnvelope([]byte(g.Frame), wire.DefaultLimits())
		if !fails(t, g, err) {
			g.envelope(t, e)
		}
	}
}

func TestCommands(t *testing.T) {
	for _, g := range rows(t, "commands.json") {
		c, err := codec.ParseCommand([]byte(g.Frame), wire.DefaultLimits())
		if c.ID != g.ID {
			t.Errorf("%s: id %d", g.Name, c.ID)
		}
		if fails(t, g, err) {
			continue
		}
		g.envelope(t, c.Envelope)
		if c.Op != g.Op || c.Token != g.Token || c.Client != g.Client || !slices.Equal(c.Clients, g.Clients) || (c.Since == nil) != (g.Since == nil) || c.Since != nil && *c.Since != *g.Since ||
			!sameBool(c.Follow, g.Follow) {
			t.Errorf("%s: %+v", g.Name, c)
		}
	}
}

func sameBool(a, b *bool) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

func raw(s *string) []byte {
	if s == nil {
		return nil
	}
	return []byte(*s)
}

func TestMessages(t *testing.T) {
	for _, g := range rows(t, "messages.json") {
		m := codec.Message{Envelope: codec.Envelope{Type: g.Type, Msg: raw(g.Msg), From: g.From, To: raw(g.To)}, Offset: g.Offset, User: g.User, Wiki: g.Wiki}
		if got := string(codec.AppendMessage(nil, &m)); got != g.Frame {
			t.Errorf("%s:\ngot  %s\nwant %s", g.Name, got, g.Frame)
		}
	}
}

func TestReplies(t *testing.T) {
	for want, got := range map[string][]byte{
		`{"id":7,"ok":{"a":1}}`:                                   codec.AppendOK(nil, 7, []byte(`{"a":1}`)),
		`{"id":7,"error":{"code":"limit","message":"\"x\""}}`:     codec.AppendError(nil, 7, wire.NewError(wire.Limit, `"x"`)),
		`{"error":{"code":"internal","message":"\u0000\u001fé"}}`: codec.AppendError(nil, 0, wire.NewError(wire.Internal, "\x00\x1fé")),
	} {
		if string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestBatch(t *testing.T) {
	lim := wire.DefaultLimits()
	lim.PublishBatch = 2
	for body, want := range map[string]string{
		`{"messages":[]}`: "", `{"messages":[{"type":"a"},{"type":"b"}]}`: "",
		`{"messages":[{"type":"a"},{"type":"b"},{"type":"c"}]}`: "limit: more than 2 messages in one publish",
		`{"messages":[{"type":"a"},{"type":""}]}`:               "bad-request: message 1: type is missing or empty",
		`{"messages":[{"type":"a","key":"k-1"}]}`:               "", `{"messages":[{"type":"a","key":null}]}`: "",
		`{"messages":[{"type":"a","key":"k 1"}]}`: "bad-request: message 0: key may have letters, digits and _ . : - only",
		`{"messages":[{"type":"a","key":7}]}`:     `bad-request: message 0: "key" is not a string`,
		`{"messages":[1]}`:                        "bad-request: message 0: not a JSON object",
		`{"messages":{}}`:                         `bad-request: "messages" is not an array`,
		`{}`:                                      `bad-request: "messages" is missing`,
		`{"Messages":[]}`:                         `bad-request: "Messages" is not written "messages"`,
	} {
		batch, err := readBatch([]byte(body), lim)
		if got := ""; err != nil && err.Error() != want || err == nil && want != got {
			t.Errorf("%s: %v, want %q (%d read)", body, err, want, len(batch))
		}
	}
	deep := `{"messages":[{"type":"T","msg":` + nest(31) + `}]}`
	if _, err := readBatch([]byte(deep), lim); err != nil {
		t.Errorf("a message of depth 32 in a batch: %v", err)
	}
	if _, err := readBatch([]byte(strings.Replace(deep, "[]", "[[]]", 1)), lim); err == nil {
		t.Error("a message of depth 33 in a batch is taken")
	}
	n := 0
	err := codec.ParseBatch([]byte(`{"messages":[{"type":"a"},{"type":"b"},{"type":"c"}]}`), wire.DefaultLimits(), func(e codec.Envelope) *wire.Error {
		if n++; e.Type == "b" {
			return wire.NewError(wire.Forbidden, "not this")
		}
		return nil
	})
	if err == nil || err.Error() != "forbidden: message 1: not this" || n != 2 {
		t.Errorf("the second is refused: %v, %d taken", err, n)
	}
}

func readBatch(body []byte, lim wire.Limits) (batch []codec.Envelope, err *wire.Error) {
	err = codec.ParseBatch(body, lim, func(e codec.Envelope) *wire.Error {
		batch = append(batch, e)
		return nil
	})
	return batch, err
}

func nest(n int) string {
	b := make([]byte, 2*n)
	for i := range n {
		b[i], b[2*n-1-i] = '[', ']'
	}
	return string(b)
}

func TestNotUTF8(t *testing.T) {
	for _, bad := range []string{"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"} {
		for _, frame := range []string{`{"type":"` + bad + `"}`, `{"type":"T","msg":"` + bad + `"}`, `{"type":"T","` + bad + `":1}`, `{"type":"T"}` + bad} {
			if _, err := codec.ParseEnvelope([]byte(frame), wire.DefaultLimits()); err == nil || err.Code != wire.BadRequest {
				t.Errorf("%q: %v", frame, err)
			}
		}
	}
}
