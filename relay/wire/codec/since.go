package codec

import (
	"strconv"
	"strings"

	"mediawiki-websocket/relay/wire"
)

// ParseSince reads EPOCH:OFFSET or Unix seconds, as in an address or on a command line; "" is nil. The error has the code [wire.BadRequest].
func ParseSince(text string) (*Since, *wire.Error) {
	if text == "" {
		return nil, nil
	}
	epoch, number, position := strings.Cut(text, ":")
	if !position {
		number = text
	}
	const bits = 53 // what JavaScript can count exactly
	n, err := strconv.ParseUint(number, 10, bits)
	switch {
	case err != nil || position && epoch == "":
		return nil, wire.NewError(wire.BadRequest, `"since" is EPOCH:OFFSET or a time in Unix seconds`)
	case position:
		return &Since{Position: Position{Epoch: epoch, Offset: n}}, nil
	}
	return &Since{Time: int64(n)}, nil
}
