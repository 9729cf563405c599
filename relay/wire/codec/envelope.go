// Package codec reads and writes the JSON of package wire.
package codec

import (
	"strconv"
	"strings"

	"mediawiki-websocket/relay/wire"
)

// Envelope is the object that carries a message. Msg and To are raw JSON as it came, nil where the member was missing; they alias the frame they
// were read from. Recipients is what To says: nil means everyone.
type Envelope struct {
	Type       string
	Msg        []byte
	From       string
	To         []byte
	Recipients []string
	Key        string // of a send or a publish: names the message, so that it is not delivered twice; "": nothing does
	Actor      string // of a publish: the user whose request it was, "" for one without an account
	HasActor   bool   // false: whose request it was is unknown
	Forget     bool   // of a publish: it is no message, but lets go of what is kept of the type
}

var (
	envelopeMembers = []string{"type", "msg", "from", "to"}
	publishMembers  = []string{"type", "msg", "from", "to", "actor", "key", "forget"}
)

// ParseEnvelope reads a classic frame. The type must be there and well formed; From may be empty.
func ParseEnvelope(data []byte, lim wire.Limits) (Envelope, *wire.Error) {
	return parseEnvelope(data, envelopeMembers, lim)
}

// ParsePublished reads one envelope as it is in the body of POST /api/publish, with "actor" and "key".
func ParsePublished(data []byte, lim wire.Limits) (Envelope, *wire.Error) {
	return parseEnvelope(data, publishMembers, lim)
}

func parseEnvelope(data []byte, known []string, lim wire.Limits) (Envelope, *wire.Error) {
	var e Envelope
	s, err := newScanner(data, lim.Depth)
	if err == nil {
		err = e.read(&s, known, &lim)
	}
	if err == nil {
		err = s.end()
	}
	return e, err
}

func (e *Envelope) read(s *scanner, known []string, lim *wire.Limits) *wire.Error {
	err := s.members(known, func(name string) *wire.Error {
		raw, err := s.raw()
		if err == nil {
			err = e.set(name, raw, lim)
		}
		return err
	})
	if err == nil {
		err = wire.CheckType(e.Type, lim.TypeBytes)
	}
	return err
}

func (e *Envelope) set(name string, raw []byte, lim *wire.Limits) (err *wire.Error) {
	switch name {
	case "type":
		e.Type, err = stringMember(name, raw)
	case "msg":
		e.Msg = raw
	case "from":
		e.From, err = idMember(name, raw, lim)
	case "to":
		e.To = raw
		e.Recipients, err = recipients(raw, lim)
	case "key":
		e.Key, err = keyMember(name, raw)
	case "forget":
		if e.Forget = string(raw) == "true"; !e.Forget && string(raw) != "false" {
			err = wire.NewError(wire.BadRequest, `"forget" is neither true nor false`)
		}
	case "actor":
		e.HasActor = true
		e.Actor, err = stringMember(name, raw)
	}
	return err
}

func keyMember(name string, raw []byte) (key string, err *wire.Error) {
	if string(raw) == "null" {
		return "", nil
	}
	if key, err = stringMember(name, raw); err == nil {
		err = wire.CheckKey(key)
	}
	return key, err
}

// recipients reads "to": an array of ids or one comma-separated string; nothing, "", [] and [0] mean everyone.
func recipients(raw []byte, lim *wire.Limits) ([]string, *wire.Error) {
	var ids []string
	add := func(id string) *wire.Error {
		if ids = append(ids, id); len(ids) > lim.Recipients {
			return wire.NewError(wire.Limit, `"to" names more than `+strconv.Itoa(lim.Recipients)+" recipients")
		}
		return nil
	}
	switch {
	case nothing(raw):
		return nil, nil
	case raw[0] == '[':
		s := scanner{data: raw, max: lim.Depth}
		err := s.array(func() *wire.Error {
			element, err := s.raw()
			if err != nil {
				return err
			}
			id, err := idMember("to", element, lim)
			if err != nil || id == "" {
				return err
			}
			return add(id)
		})
		return ids, err
	case raw[0] == '"':
		list, err := stringMember("to", raw)
		if err != nil {
			return nil, err
		}
		for id := range strings.SplitSeq(list, ",") {
			if id = strings.TrimSpace(id); id == "" || id == "0" {
				continue
			}
			if err := wire.CheckClient(id, lim.ClientBytes); err != nil {
				return nil, wire.NewError(err.Code, `"to": `+err.Message)
			}
			if err := add(id); err != nil {
				return nil, err
			}
		}
		return ids, nil
	}
	id, err := idMember("to", raw, lim)
	return []string{id}, err
}
