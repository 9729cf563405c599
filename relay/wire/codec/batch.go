package codec

import (
	"strconv"

	"mediawiki-websocket/relay/wire"
)

var batchMembers = []string{"messages"}

// ParseBatch reads the body of POST /api/publish, {"messages":[envelope…]}, whose envelopes may have an "actor" and a "key", and hands one after the other to take.
// All or nothing: one bad message, or an error of take, refuses the batch, and nothing of what was handed over before counts. The error names its index.
func ParseBatch(body []byte, lim wire.Limits, take func(Envelope) *wire.Error) *wire.Error {
	n, found := 0, false
	s, err := newScanner(body, lim.Depth+2)
	if err != nil {
		return err
	}
	message := func() *wire.Error {
		if n == lim.PublishBatch {
			return wire.NewError(wire.Limit, "more than "+strconv.Itoa(n)+" messages in one publish")
		}
		var e Envelope
		err := e.read(&s, publishMembers, &lim)
		if err == nil {
			err = take(e)
		}
		if err != nil {
			return wire.NewError(err.Code, "message "+strconv.Itoa(n)+": "+err.Message)
		}
		n++
		return nil
	}
	err = s.members(batchMembers, func(string) *wire.Error {
		if found = true; s.peek() != '[' {
			return wire.NewError(wire.BadRequest, `"messages" is not an array`)
		}
		return s.array(message)
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && !found {
		err = wire.NewError(wire.BadRequest, `"messages" is missing`)
	}
	return err
}
