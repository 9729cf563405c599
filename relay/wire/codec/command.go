package codec

import "mediawiki-websocket/relay/wire"

// Position is a place in the messages of a type: the epoch says from which counting the offset is.
type Position struct {
	Epoch  string
	Offset uint64
}

// Since is what a subscriber has seen: everything up to a position or, when the epoch is "", up to a time.
type Since struct {
	Position
	Time int64 // Unix seconds
}

// Command is a frame from a client in mode v1. Which members mean something depends on Op; the rest is zero.
type Command struct {
	ID      uint64
	Op      string
	Token   string
	Client  string
	Clients []string
	Since   *Since
	Follow  *bool // whether changes of presence are to be told from now on; nil: as it is
	Envelope
}

var (
	commandMembers = []string{"type", "msg", "from", "to", "id", "op", "token", "client", "clients", "key", "since", "follow"}
	sinceMembers   = []string{"epoch", "offset", "time"}
)

// ParseCommand reads a v1 frame. With an error the command still has the ID, where one could be read before the fault, so that the error can be a
// reply to it. An object without "op" that has a type is a send. Members that the op needs are checked here.
func ParseCommand(data []byte, lim wire.Limits) (Command, *wire.Error) {
	var c Command
	s, err := newScanner(data, lim.Depth)
	if err != nil {
		return c, err
	}
	err = s.members(commandMembers, func(name string) *wire.Error {
		raw, err := s.raw()
		if err == nil {
			err = c.set(name, raw, &lim)
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err == nil {
		err = c.check(&lim)
	}
	return c, err
}

func (c *Command) set(name string, raw []byte, lim *wire.Limits) (err *wire.Error) {
	switch name {
	case "id":
		if c.ID, err = uintMember(name, raw); err == nil && c.ID == 0 {
			err = wire.NewError(wire.BadRequest, `"id" is a positive whole number`)
		}
	case "op":
		c.Op, err = opMember(name, raw)
	case "token":
		if string(raw) != "null" {
			c.Token, err = stringMember(name, raw)
		}
	case "client":
		c.Client, err = idMember(name, raw, lim)
	case "clients":
		c.Clients, err = ids(raw, lim)
	case "since":
		c.Since, err = since(raw, lim)
	case "follow":
		c.Follow, err = boolMember(name, raw)
	default:
		err = c.Envelope.set(name, raw, lim)
	}
	return err
}

func (c *Command) check(lim *wire.Limits) *wire.Error {
	if c.Op == "" && c.Type != "" {
		c.Op = wire.OpSend
	}
	switch c.Op {
	case wire.OpSubscribe, wire.OpUnsubscribe, wire.OpSend, wire.OpPresence:
		return wire.CheckType(c.Type, lim.TypeBytes)
	case wire.OpRegister, wire.OpRelease:
		return wire.CheckClient(c.Client, lim.ClientBytes)
	case wire.OpRefresh:
		if c.Token == "" {
			return wire.NewError(wire.BadRequest, "token is missing")
		}
		return nil
	case wire.OpConnect, wire.OpPing:
		return nil
	case "":
		return wire.NewError(wire.BadRequest, `"op" or "type" is missing`)
	}
	return wire.NewError(wire.UnknownOp, "the relay knows connect, register, release, subscribe, unsubscribe, send, presence, refresh and ping")
}

var ops = []string{wire.OpSend, wire.OpSubscribe, wire.OpUnsubscribe, wire.OpRegister, wire.OpRelease, wire.OpConnect, wire.OpRefresh, wire.OpPing,
	wire.OpPresence}

// opMember reads a string that mostly is one of ops, which costs no memory then.
func opMember(name string, raw []byte) (string, *wire.Error) {
	for _, op := range ops {
		if raw[0] == '"' && string(raw[1:len(raw)-1]) == op {
			return op, nil
		}
	}
	return stringMember(name, raw)
}

func ids(raw []byte, lim *wire.Limits) ([]string, *wire.Error) {
	if raw[0] != '[' {
		return nil, wire.NewError(wire.BadRequest, `"clients" is not an array`)
	}
	var list []string
	s := scanner{data: raw, max: lim.Depth}
	err := s.array(func() *wire.Error {
		element, err := s.raw()
		if err != nil {
			return err
		}
		id, err := idMember("clients", element, lim)
		if err != nil {
			return err
		}
		if err := wire.CheckClient(id, lim.ClientBytes); err != nil {
			return err
		}
		if list = append(list, id); len(list) > lim.Clients {
			return wire.NewError(wire.Limit, `"clients" has more ids than a connection may carry`)
		}
		return nil
	})
	return list, err
}

// since reads what a subscriber has seen: a position or a time, one of them.
func since(raw []byte, lim *wire.Limits) (*Since, *wire.Error) {
	if string(raw) == "null" {
		return nil, nil
	}
	var p Since
	var position, time bool
	s := scanner{data: raw, max: lim.Depth}
	err := s.members(sinceMembers, func(name string) *wire.Error {
		raw, err := s.raw()
		if err != nil {
			return err
		}
		switch name {
		case "epoch":
			position = true
			p.Epoch, err = stringMember(name, raw)
		case "offset":
			position = true
			p.Offset, err = uintMember(name, raw)
		default:
			time = true
			var seconds uint64
			seconds, err = uintMember(name, raw)
			p.Time = int64(seconds)
		}
		return err
	})
	if err == nil && (position == time || position && p.Epoch == "") {
		err = wire.NewError(wire.BadRequest, `"since" has either "epoch" and "offset" or "time"`)
	}
	return &p, err
}
