package codec

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"mediawiki-websocket/relay/wire"
)

// newScanner returns a scanner at the beginning of a JSON text, which must be UTF-8.
func newScanner(data []byte, depth int) (scanner, *wire.Error) {
	if !utf8.Valid(data) {
		return scanner{}, wire.NewError(wire.BadRequest, "not UTF-8")
	}
	return scanner{data: data, max: depth}, nil
}

// end returns an error unless the text ends here.
func (s *scanner) end() *wire.Error {
	if s.space(); s.pos < len(s.data) {
		return s.fail("something follows the object")
	}
	return nil
}

// members walks a JSON object and calls read for the value of each known member; read walks it. A member twice, or in another case than known spells
// it, is refused: two readers of one frame must not see two different things. Unknown members are dropped.
func (s *scanner) members(known []string, read func(name string) *wire.Error) *wire.Error {
	if s.peek() != '{' {
		return wire.NewError(wire.BadRequest, "not a JSON object")
	}
	var seen uint32
	return s.object(func(name []byte) *wire.Error {
		i, err := member(known, name)
		switch {
		case err != nil:
			return err
		case i < 0:
			return s.value()
		case seen&(1<<i) != 0:
			return wire.NewError(wire.BadRequest, strconv.Quote(known[i])+" stands twice")
		}
		seen |= 1 << i
		return read(known[i])
	})
}

// member returns which of the known members a raw name is, -1 for none.
func member(known []string, raw []byte) (int, *wire.Error) {
	for i, k := range known {
		if string(raw[1:len(raw)-1]) == k {
			return i, nil
		}
	}
	name, _ := unquote(raw)
	for i, k := range known {
		switch {
		case name == k: // in escapes
			return i, nil
		case strings.EqualFold(k, name): // also the long s for an s, which encoding/json takes for one
			return -1, wire.NewError(wire.BadRequest, strconv.Quote(name)+" is not written "+strconv.Quote(k))
		}
	}
	return -1, nil
}

func stringMember(name string, raw []byte) (string, *wire.Error) {
	if raw[0] == '"' {
		if text, ok := unquote(raw); ok {
			return text, nil
		}
		return "", wire.NewError(wire.BadRequest, strconv.Quote(name)+" has half a surrogate pair")
	}
	return "", wire.NewError(wire.BadRequest, strconv.Quote(name)+" is not a string")
}

func uintMember(name string, raw []byte) (uint64, *wire.Error) {
	n, err := strconv.ParseUint(string(raw), 10, 53)
	if err != nil {
		return 0, wire.NewError(wire.BadRequest, strconv.Quote(name)+" is not a whole number from 0 to 2^53-1")
	}
	return n, nil
}

// boolMember reads true or false; null is nil.
func boolMember(name string, raw []byte) (*bool, *wire.Error) {
	switch string(raw) {
	case "true", "false":
		value := raw[0] == 't'
		return &value, nil
	case "null":
		return nil, nil
	}
	return nil, wire.NewError(wire.BadRequest, strconv.Quote(name)+" is not true or false")
}

// nothing reports whether raw is one of the values that scripts write for "none": null, false, 0, "".
func nothing(raw []byte) bool {
	switch string(raw) {
	case "null", "false", "0", `""`:
		return true
	}
	return false
}

// idMember reads a client id. Scripts of the original daemon also named themselves by a number.
func idMember(name string, raw []byte, lim *wire.Limits) (string, *wire.Error) {
	if nothing(raw) {
		return "", nil
	}
	id := ""
	if c := raw[0]; '1' <= c && c <= '9' && !bytes.ContainsAny(raw, ".eE") {
		id = string(raw)
	} else {
		var err *wire.Error
		if id, err = stringMember(name, raw); err != nil {
			return "", err
		}
	}
	if err := wire.CheckClient(id, lim.ClientBytes); err != nil {
		return "", wire.NewError(err.Code, strconv.Quote(name)+": "+err.Message)
	}
	return id, nil
}
