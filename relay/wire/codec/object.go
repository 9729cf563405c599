package codec

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"mediawiki-websocket/relay/wire"
)

// members walks the JSON object in data and hands each known member's name and raw value to set. A member twice, or in another case than known
// spells it, is refused: two readers of one frame must not see two different things. Unknown members are dropped.
func members(data []byte, depth int, known []string, set func(name string, raw []byte) *wire.Error) *wire.Error {
	if !utf8.Valid(data) {
		return wire.NewError(wire.BadRequest, "not UTF-8")
	}
	s := scanner{data: data, max: depth}
	if s.peek() != '{' {
		return wire.NewError(wire.BadRequest, "not a JSON object")
	}
	var seen uint32
	err := s.object(func(key, value []byte) *wire.Error {
		name, _ := unquote(key)
		for i, k := range known {
			if !strings.EqualFold(k, name) { // also not the long s for an s, which encoding/json takes for one
				continue
			}
			if k != name {
				return wire.NewError(wire.BadRequest, strconv.Quote(name)+" is not written "+strconv.Quote(k))
			}
			if seen&(1<<i) != 0 {
				return wire.NewError(wire.BadRequest, strconv.Quote(k)+" stands twice")
			}
			seen |= 1 << i
			return set(k, value)
		}
		return nil
	})
	if err == nil && s.peek() != 0 || s.pos < len(data) && err == nil {
		return s.fail("something follows the object")
	}
	return err
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

// nothing reports whether raw is one of the values that scripts write for "none": null, false, 0, "".
func nothing(raw []byte) bool {
	switch string(raw) {
	case "null", "false", "0", `""`:
		return true
	}
	return false
}

// idMember reads a client id. Scripts of the original daemon also named themselves by a number.
func idMember(name string, raw []byte, lim wire.Limits) (string, *wire.Error) {
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
