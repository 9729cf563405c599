package session

import "mediawiki-websocket/relay/wire"

const (
	queueMessages = 100
	queueBytes    = 256 << 10
)

// mostTries is how often a message is sent that the relay does not answer, or for which it is not there: it may be the message that does harm.
const mostTries = 4

type queued struct {
	from    string
	message Message
	tries   int
}

// queue keeps what tabs send while there is no connection, and what the last connection left without an answer. It is bounded; the oldest give way.
type queue struct {
	items []*queued
	bytes int
}

// push appends and returns what had to go.
func (q *queue) push(item *queued) (dropped []*queued) {
	q.items = append(q.items, item)
	q.bytes += item.message.Bytes
	for len(q.items) > queueMessages || q.bytes > queueBytes {
		dropped = append(dropped, q.items[0])
		q.bytes -= q.items[0].message.Bytes
		q.items = q.items[1:]
	}
	return dropped
}

func (q *queue) drain() []*queued {
	items := q.items
	*q = queue{}
	return items
}

// forget removes what a tab that left has sent: the relay would not take it without its sender.
func (q *queue) forget(client string) {
	for _, item := range q.drain() {
		if item.from != client {
			q.push(item)
		}
	}
}

// Send sends a message of a tab, now or when there is a connection, and again when that was lost before the relay answered. What becomes of it is told
// only when it fails.
func (s *Session) Send(client string, m Message) {
	s.post(func() {
		item := &queued{from: client, message: m}
		switch {
		case s.member(client) == nil:
		case m.Bytes+idBytes > s.config.Limits.FrameBytes:
			s.failSend(item, wire.TooLarge, "the message is larger than the relay takes")
		case s.state == connected && !s.resend.running():
			s.transmit(item)
		case s.state == stopped:
			s.failSend(item, wire.Unavailable, "the relay does not serve this page")
		default:
			s.enqueue(item)
		}
	})
}

// idBytes is the room that a frame needs for its id, whatever the id is.
const idBytes = 24

func (s *Session) transmit(item *queued) {
	item.tries++
	s.command(&Command{Op: wire.OpSend, Type: item.message.Type, Body: item.message.Body}, &reply{client: item.from, item: item})
}

func (s *Session) enqueue(item *queued) {
	for _, old := range s.queue.push(item) {
		s.failSend(old, wire.Limit, "too much was sent while there was no connection: the oldest message was dropped")
	}
}

// flush sends what waits.
func (s *Session) flush() {
	for _, item := range s.queue.drain() {
		s.transmit(item)
	}
}

// requeue puts the messages that have had no answer before those that wait. They may have arrived; the relay knows them by their keys then.
func (s *Session) requeue(replies []*reply, again bool) {
	newer := s.queue.drain()
	for _, r := range replies {
		switch {
		case r.item == nil || s.member(r.client) == nil: // without its sender the relay would not take it
		case again && r.item.tries < mostTries:
			s.enqueue(r.item)
		default:
			s.failSend(r.item, wire.Unavailable, "the connection was lost before the relay answered")
		}
	}
	for _, item := range newer {
		s.enqueue(item)
	}
}

// notSent: the relay refuses a message. One that cannot take it now, because it goes away, say, is asked again soon, before anything newer is sent; or
// the next, for which whoever has something to say does not wait.
func (s *Session) notSent(r *reply, err *wire.Error) {
	if err.Code != wire.Unavailable || r.item.tries >= mostTries || s.member(r.client) == nil {
		s.failSend(r.item, err.Code, err.Message)
		return
	}
	s.enqueue(r.item)
	switch {
	case s.resend.running():
	case s.moving:
		s.resend.start(s.soon(), s.leave)
	default:
		s.resend.start(s.soon(), s.flush)
	}
}

func (s *Session) failSend(item *queued, code wire.Code, message string) {
	if item.message.Answered != nil {
		item.message.Answered(0, wire.NewError(code, message))
		return
	}
	s.fail(item.from, Failure{Op: wire.OpSend, Type: item.message.Type, Error: wire.Error{Code: code, Message: message}})
}

func (s *Session) fail(client string, f Failure) {
	if m := s.member(client); m != nil {
		m.Fail(f)
	}
}
