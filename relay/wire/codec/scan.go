package codec

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"mediawiki-websocket/relay/wire"
)

// scanner walks one JSON text (RFC 8259) without building values: the relay passes "msg" on as it came, to the byte, so all it needs to know
// is where each value ends and that it is well formed. encoding/json would accept members in any case and twice, which lets two readers of
// one frame see two different messages.
type scanner struct {
	data  []byte
	pos   int
	depth int
	max   int
}

func (s *scanner) fail(what string) *wire.Error {
	return wire.NewError(wire.BadRequest, "not JSON: "+what+" at byte "+strconv.Itoa(s.pos))
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, or 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) value() *wire.Error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(nil)
	case c == '[':
		return s.array(nil)
	case c == '"':
		return s.str()
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.fail("a value is missing")
}

// object walks an object and calls member, when there is one, for each value with the raw name before it (with its quotes). member walks the value.
func (s *scanner) object(member func(name []byte) *wire.Error) *wire.Error {
	return s.nested('{', '}', func() *wire.Error {
		if s.peek() != '"' {
			return s.fail("a member's name is missing")
		}
		start := s.pos
		if err := s.str(); err != nil {
			return err
		}
		name := s.data[start:s.pos]
		if !s.accept(':') {
			return s.fail(`":" is missing`)
		}
		if member == nil {
			return s.value()
		}
		return member(name)
	})
}

// array walks an array and calls element, when there is one, for each value. element walks it.
func (s *scanner) array(element func() *wire.Error) *wire.Error {
	if element == nil {
		element = s.value
	}
	return s.nested('[', ']', element)
}

// raw walks a value and returns it as it stands.
func (s *scanner) raw() ([]byte, *wire.Error) {
	s.space()
	start := s.pos
	err := s.value()
	return s.data[start:s.pos], err
}

// nested walks what stands between two brackets, separated by commas.
func (s *scanner) nested(open, end byte, item func() *wire.Error) *wire.Error {
	if !s.accept(open) {
		return s.fail("a bracket is missing")
	}
	if s.depth++; s.depth > s.max {
		return s.fail("nested deeper than " + strconv.Itoa(s.max))
	}
	if !s.accept(end) {
		for {
			if err := item(); err != nil {
				return err
			}
			if s.accept(end) {
				break
			}
			if !s.accept(',') {
				return s.fail(`"," or a closing bracket is missing`)
			}
		}
	}
	s.depth--
	return nil
}

func (s *scanner) literal(word string) *wire.Error {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return s.fail("a value is missing")
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) has(set string) bool {
	if s.pos == len(s.data) {
		return false
	}
	for i := range len(set) {
		if s.data[s.pos] == set[i] {
			s.pos++
			return true
		}
	}
	return false
}

func (s *scanner) number() *wire.Error {
	s.has("-")
	if !s.has("0") && !s.digits() {
		return s.fail("a digit is missing")
	}
	if s.has(".") && !s.digits() {
		return s.fail("a digit is missing")
	}
	if s.has("eE") {
		s.has("+-")
		if !s.digits() {
			return s.fail("a digit is missing")
		}
	}
	return nil
}

// str walks a string; the text as a whole is known to be UTF-8.
func (s *scanner) str() *wire.Error {
	for s.pos++; ; s.pos++ {
		s.pos += plain(s.data[s.pos:])
		if s.pos == len(s.data) {
			return s.fail("a string has no end")
		}
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return nil
		case c < 0x20:
			return s.fail("a control character in a string")
		}
		if s.pos++; s.pos == len(s.data) {
			return s.fail("a string has no end")
		}
		if s.data[s.pos] == 'u' {
			if _, ok := hex4(s.data[s.pos+1:]); !ok {
				return s.fail("a bad escape")
			}
			s.pos += 4
		} else if unescape(s.data[s.pos]) == 0 {
			return s.fail("a bad escape")
		}
	}
}

// The same byte eight times over.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// plain returns how many bytes b begins with that mean themselves in a string: no quote, backslash or control character. It looks at eight at a time; of
// these the lowest one that is none has its high bit set in special, those above it may have.
func plain(b []byte) (n int) {
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, slash := w^'"'*ones, w^'\\'*ones
		special := (w - ' '*ones) &^ w
		special |= (quote - ones) &^ quote
		special |= (slash - ones) &^ slash
		if special &= highs; special != 0 {
			return n + bits.TrailingZeros64(special)/8
		}
	}
	for n < len(b) && b[n] >= ' ' && b[n] != '"' && b[n] != '\\' {
		n++
	}
	return n
}

func unescape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unquote returns the text of a raw string that [scanner.str] has accepted. ok is false for half a surrogate pair, which no UTF-8 text can hold.
func unquote(raw []byte) (text string, ok bool) {
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), true
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		if raw[i] != 'u' {
			out = append(out, unescape(raw[i]))
			continue
		}
		r, _ := hex4(raw[i+1:])
		i += 4
		if utf16.IsSurrogate(r) {
			if len(raw) < i+7 || raw[i+1] != '\\' || raw[i+2] != 'u' {
				return "", false
			}
			low, _ := hex4(raw[i+3:])
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return "", false
			}
			i += 6
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), true
}
