package codec

import (
	"strconv"

	"mediawiki-websocket/relay/wire"
)

// ParseBatch reads the body of POST /api/publish, {"messages":[envelope…]}, whose envelopes may have an "actor". All or nothing: one bad message refuses the batch, and the error
// names its index.
func ParseBatch(body []byte, lim wire.Limits) ([]Envelope, *wire.Error) {
	var batch []Envelope
	found := false
	err := members(body, lim.Depth+2, []string{"messages"}, func(_ string, raw []byte) *wire.Error {
		found = true
		if raw[0] != '[' {
			return wire.NewError(wire.BadRequest, `"messages" is not an array`)
		}
		s := scanner{data: raw, max: lim.Depth + 2}
		return s.array(func(element []byte) *wire.Error {
			if len(batch) == lim.PublishBatch {
				return wire.NewError(wire.Limit, "more than "+strconv.Itoa(lim.PublishBatch)+" messages in one publish")
			}
			e, err := parseEnvelope(element, lim, publishMembers)
			if err != nil {
				return wire.NewError(err.Code, "message "+strconv.Itoa(len(batch))+": "+err.Message)
			}
			batch = append(batch, e)
			return nil
		})
	})
	if err == nil && !found {
		err = wire.NewError(wire.BadRequest, `"messages" is missing`)
	}
	return batch, err
}
