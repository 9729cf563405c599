package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// CheckType returns nil when t can be the name of an event: 1 to limit bytes of UTF-8 without control characters.
func CheckType(t string, limit int) *Error {
	switch {
	case t == "":
		return NewError(BadRequest, "type is missing or empty")
	case len(t) > limit:
		return NewError(BadRequest, "type has "+strconv.Itoa(len(t))+" bytes, at most "+strconv.Itoa(limit)+" are allowed")
	case !utf8.ValidString(t):
		return NewError(BadRequest, "type is not UTF-8")
	}
	for _, r := range t {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return NewError(BadRequest, "type has a control character")
		}
	}
	return nil
}

// CheckClient returns nil when id can be a client id: 1 to limit bytes of A-Z a-z 0-9 _ . : -
func CheckClient(id string, limit int) *Error { return checkID("client id", id, limit) }

// CheckKey returns nil when key can name a message, so that it is not delivered twice: 1 to [KeyBytes] bytes of the letters of client ids.
func CheckKey(key string) *Error { return checkID("key", key, KeyBytes) }

func checkID(what, id string, limit int) *Error {
	switch {
	case id == "":
		return NewError(BadRequest, what+" is missing or empty")
	case len(id) > limit:
		return NewError(BadRequest, what+" has "+strconv.Itoa(len(id))+" bytes, at most "+strconv.Itoa(limit)+" are allowed")
	}
	for i := range len(id) {
		if c := id[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.:-", c) >= 0) {
			return NewError(BadRequest, what+" may have letters, digits and _ . : - only")
		}
	}
	return nil
}

// CheckWikiID returns nil when id can be a wiki id: table prefix, database name and one colon, which is at its end; at most 128 bytes.
func CheckWikiID(id string) *Error {
	if len(id) < 2 || len(id) > 128 || strings.IndexByte(id, ':') != len(id)-1 || CheckType(id, 128) != nil {
		return NewError(BadRequest, `a wiki id is table prefix, database name and ":", at most 128 bytes`)
	}
	return nil
}

// WikiPrefix returns the part of a type that would be a wiki id: up to and including the first colon, or "".
func WikiPrefix(t string) string { return t[:strings.IndexByte(t, ':')+1] }

// IsSystem reports whether t is a system type: "@" follows what is, or would be, a wiki id.
func IsSystem(t string) bool {
	n := len(WikiPrefix(t))
	return n > 0 && len(t) > n && t[n] == '@'
}
