package codec

import (
	"strconv"

	"mediawiki-websocket/relay/wire"
)

// Message is an envelope as the relay delivers it. User is the verified name of the sender, Wiki says that a wiki sent it; both come from a token,
// never from the sender's frame.
type Message struct {
	Envelope
	Offset uint64
	User   string
	Wiki   bool
}

// AppendMessage appends the frame that every receiver of m gets, in both modes.
func AppendMessage(b []byte, m *Message) []byte {
	b = AppendString(append(b, `{"type":`...), m.Type)
	if m.Msg != nil {
		b = append(append(b, `,"msg":`...), m.Msg...)
	}
	if m.From != "" {
		b = AppendString(append(b, `,"from":`...), m.From)
	}
	if m.To != nil {
		b = append(append(b, `,"to":`...), m.To...)
	}
	if m.Offset != 0 {
		b = strconv.AppendUint(append(b, `,"offset":`...), m.Offset, 10)
	}
	if m.User != "" {
		b = AppendString(append(b, `,"user":`...), m.User)
	}
	if m.Wiki {
		b = append(b, `,"wiki":true`...)
	}
	return append(b, '}')
}

// AppendOK appends the reply to a command: ok is the raw JSON object of its "ok".
func AppendOK(b []byte, id uint64, ok []byte) []byte {
	b = strconv.AppendUint(append(b, `{"id":`...), id, 10)
	return append(append(append(b, `,"ok":`...), ok...), '}')
}

// AppendError appends an error reply; id 0 is left out.
func AppendError(b []byte, id uint64, err *wire.Error) []byte {
	b = append(b, '{')
	if id != 0 {
		b = append(strconv.AppendUint(append(b, `"id":`...), id, 10), ',')
	}
	b = AppendString(append(b, `"error":{"code":`...), string(err.Code))
	return append(AppendString(append(b, `,"message":`...), err.Message), "}}"...)
}

// AppendString appends s, which must be UTF-8, as a JSON string.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		if start = i + 1; c < 0x20 {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			b = append(b, '\\', c)
		}
	}
	return append(append(b, s[start:]...), '"')
}
