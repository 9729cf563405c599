package session

import "mediawiki-websocket/relay/wire"

// A reply is what the answer to a command means.
type reply struct {
	id         int
	op         string
	client     string        // register, send: the tab that hears of an error
	typ        string        // subscribe, send
	sub        *subscription // subscribe
	sent       bool          // it is a message, and lost with the connection
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
			s.subscribed(r.sub)
		} else {
			s.notSubscribed(r.sub, *f.Error)
		}
	case wire.OpSend, wire.OpRegister:
		if f.Error != nil {
			s.fail(r.client, Failure{Op: r.op, Type: r.typ, Error: *f.Error})
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

// Send sends a message of a tab, now or when there is a connection. What becomes of it is told only when it fails.
func (s *Session) Send(client string, m Message) {
	s.post(func() {
		item := queued{client, m}
		switch {
		case s.member(client) == nil:
		case m.Bytes+idBytes > s.config.Limits.FrameBytes:
			s.failSend(item, wire.TooLarge, "the message is larger than the relay takes")
		case s.state == connected:
			s.transmit(item)
		case s.state == stopped:
			s.failSend(item, wire.Unavailable, "the relay does not serve this page")
		default:
			for _, old := range s.queue.push(item) {
				s.failSend(old, wire.Limit, "too much was sent while there was no connection: the oldest message was dropped")
			}
		}
	})
}

// idBytes is the room that a frame needs for its id, whatever the id is.
const idBytes = 24

func (s *Session) transmit(item queued) {
	s.command(&Command{Op: wire.OpSend, Type: item.message.Type, Body: item.message.Body}, &reply{client: item.from, sent: true})
}

func (s *Session) failSend(item queued, code wire.Code, message string) {
	s.fail(item.from, Failure{Op: wire.OpSend, Type: item.message.Type, Error: wire.Error{Code: code, Message: message}})
}

func (s *Session) fail(client string, f Failure) {
	if m := s.member(client); m != nil {
		m.Fail(f)
	}
}
