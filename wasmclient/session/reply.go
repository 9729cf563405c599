package session

import "mediawiki-websocket/relay/wire"

// A reply is what the answer to a command means.
type reply struct {
	id         int
	op         string
	client     string        // register, send, presence: the tab that hears of it
	typ        string        // subscribe, send, presence
	sub        *subscription // subscribe
	since      Since         // subscribe
	item       *queued       // send
	question   int           // presence: what the tab calls it
	followed   *follow       // presence that is followed
	introduced []string      // connect
}

// command sends a command that will be answered.
func (s *Session) command(c *Command, r *reply) {
	s.lastID++
	c.ID = s.lastID
	r.id, r.op, r.typ = c.ID, c.Op, c.Type
	s.replies = append(s.replies, r)
	s.link.socket.Send(c)
}

func (s *Session) received(f *Frame) {
	if s.usable() {
		s.heard()
	}
	if f.Reply || f.Op == wire.OpPong {
		s.settle()
	}
	switch {
	case f.Reply:
		for i, r := range s.replies {
			if r.id == f.ID {
				s.replies = append(s.replies[:i], s.replies[i+1:]...)
				s.answered(r, f)
				break
			}
		}
	case f.Op == wire.OpExpire && f.Type != "":
		s.expiring(f.Type)
	case f.Op == wire.OpExpire:
		s.renew()
	case f.Op == wire.OpReconnect:
		s.move(f.After)
	case f.Op == wire.OpRevoked:
		s.revoked(f.Type)
	case f.Op == wire.OpJoin || f.Op == wire.OpLeave:
		s.changed(f)
	case f.Op == "":
		s.deliver(f)
	}
}

func (s *Session) answered(r *reply, f *Frame) {
	switch r.op {
	case wire.OpConnect:
		if f.Error != nil {
			s.turnedAway(f.Error)
			return
		}
		s.admitted(f, r.introduced)
	case wire.OpSubscribe:
		if f.Error == nil {
			s.subscribed(r.sub, r.since, f)
		} else {
			s.notSubscribed(r.sub, *f.Error)
		}
	case wire.OpPresence:
		s.present(r, f)
	case wire.OpSend:
		if f.Error != nil {
			s.notSent(r, f.Error)
		} else if r.item.message.Answered != nil {
			r.item.message.Answered(f.Offset, nil)
		}
	case wire.OpRegister:
		if f.Error != nil {
			s.fail(r.client, Failure{Op: r.op, Error: *f.Error})
		}
	}
}

// turnedAway: connect was refused.
func (s *Session) turnedAway(err *wire.Error) {
	ended := Ended{Code: wire.CloseUnauthorized.Code, Reason: err.Message}
	s.disconnect(wire.CloseNormal)
	switch err.Code {
	case wire.Expired:
		s.token.refuse()
	case wire.Unauthorized:
		s.token.refuse()
		s.retryAfter(s.nextSecond(revokedWindow), ended)
		return
	case wire.Forbidden, wire.BadRequest, wire.UnknownOp:
		s.halt(ended)
		return
	}
	s.retry(ended)
}
