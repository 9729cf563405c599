package conn

import (
	"bytes"
	"compress/flate"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"mediawiki-websocket/relay/wire"
)

// permessage-deflate (RFC 7692) without context takeover. The library knows nothing of it: the hub compresses, the inspector finds out which messages
// are compressed, and here is what is left.

const (
	extension  = "permessage-deflate"
	windowBits = "15" // of the relay's own frames
)

// agree returns the answer to the first offer that the relay can take of those in Sec-WebSocket-Extensions lines, "" when there is none. Neither side
// may then use in one message what came in another.
func agree(lines []string) string {
	for _, line := range lines {
		for offer := range elements(line, ',') {
			if answer := answerTo(offer); answer != "" {
				return answer
			}
		}
	}
	return ""
}

// answerTo returns the answer to one offer (section 7.1), "" when it is declined: it is of something else, asks for a smaller window than the relay
// has, or has a parameter that is unknown, there twice or malformed.
func answerTo(offer string) string {
	answer := extension + "; server_no_context_takeover; client_no_context_takeover"
	var known []string
	for param := range elements(offer, ';') {
		name, value, has := strings.Cut(param, "=")
		name, value = strings.TrimRight(name, " \t"), unquote(strings.TrimLeft(value, " \t"))
		good := false
		switch {
		case known == nil:
			good = param == extension
		case slices.Contains(known, name):
		case name == "server_no_context_takeover", name == "client_no_context_takeover":
			good = !has
		case name == "client_max_window_bits":
			good = !has || slices.Contains([]string{"8", "9", "10", "11", "12", "13", "14", "15"}, value)
		case name == "server_max_window_bits":
			good = value == windowBits
			answer += "; server_max_window_bits=" + windowBits
		}
		if !good {
			return ""
		}
		known = append(known, name)
	}
	return answer
}

// elements returns what stands between separators that are not within quotes.
func elements(list string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i <= len(list); i++ {
			switch {
			case i == len(list) || list[i] == separator && !quoted:
				if !yield(strings.Trim(list[start:i], " \t")) {
					return
				}
				start = i + 1
			case list[i] == '"':
				quoted = !quoted
			case list[i] == '\\' && quoted:
				i++
			}
		}
	}
}

func unquote(value string) string {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1]
	}
	return value
}

// deflateEnd follows a message before it is inflated: the end of a block that its sender took off (section 7.2.2), and a last block without content, so
// that a message that breaks off can be told from one that does not.
const deflateEnd = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

type inflater struct {
	from bytes.Reader
	flate.Resetter
	io.Reader
}

// inflaters are more than 40 KB each: there are only as many as work at once.
var inflaters = sync.Pool{New: func() any {
	z := new(inflater)
	z.Reader = flate.NewReader(&z.from)
	z.Resetter = z.Reader.(flate.Resetter)
	return z
}}

// inflate appends what message says to b, which is empty. No more than limit bytes and one are made of it.
func inflate(b, message []byte, limit int) ([]byte, *wire.Close) {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	z.from.Reset(append(message, deflateEnd...))
	defer z.from.Reset(nil)
	for {
		if err := z.Reset(&z.from, nil); err != nil {
			return b, &wire.CloseBadDeflate
		}
		var fault *wire.Close
		if b, fault = z.read(b, limit); fault != nil {
			return b, fault
		}
		if z.from.Len() <= len(deflateEnd) { // else that was a last block in the middle (section 7.2.3.4)
			return b, nil
		}
	}
}

func (z *inflater) read(b []byte, limit int) ([]byte, *wire.Close) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := z.Read(b[len(b):min(cap(b), limit+1)])
		b = b[:len(b)+n]
		switch {
		case len(b) > limit:
			return b, &wire.CloseTooLarge
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, &wire.CloseBadDeflate
		}
	}
}

// inflated does what a compressed message says. What it becomes counts as if the peer had sent that, besides what it has sent.
func (c *Conn) inflated(message []byte) {
	buf := readPool.Get().(*[]byte)
	defer readPool.Put(buf)
	text, fault := inflate((*buf)[:0], message, c.env.Limits.FrameBytes)
	*buf = text
	switch {
	case fault != nil:
	case !c.sock.rates.bytes.take(c.env.Limits.Bytes, c.sock.seen.Load(), len(text)):
		fault = &wire.CloseRateLimited
	case !utf8.Valid(text):
		fault = &wire.CloseNotUTF8
	}
	if fault != nil {
		c.finish(*fault)
		return
	}
	c.obeyText(text)
}
