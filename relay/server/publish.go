package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"sync"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// publish takes messages from a wiki: all of them or, when there is anything wrong with one, none.
func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	id, body, ok := s.fromWiki(w, r, s.cfg.Limits.PublishBytes)
	if !ok || !s.enter(w) {
		return
	}
	defer s.leave()
	p := s.newPublishing()
	if err := p.take(&id, body); err != nil {
		if err.Code == wire.RateLimited {
			w.Header().Set("Retry-After", "1")
		}
		refuse(w, err)
	} else {
		w.Header().Set("Content-Type", "application/json")
		w.Write(p.reply)
	}
	p.free()
}

// publishing is one publish of a wiki, with its room, which the next one gets.
type publishing struct {
	server   *Server
	delivery *hub.Delivery
	deliver  func(*engine.Message) // of delivery
	messages []engine.Message
	reply    []byte
}

var publishings sync.Pool

func (s *Server) newPublishing() *publishing {
	p, _ := publishings.Get().(*publishing)
	if p == nil || p.server != s {
		p = &publishing{server: s, delivery: s.hub.NewDelivery(nil)}
		p.deliver, p.delivery.Breathe = p.delivery.Deliver, s.env.Breathe
	}
	return p
}

// free is not for a publish that ended in a panic: nobody knows what that left behind.
func (p *publishing) free() {
	clear(p.messages)
	p.messages, p.reply = p.messages[:0], p.reply[:0]
	publishings.Put(p)
}

// take does what the body of a publish says, and makes the reply.
func (p *publishing) take(id *auth.Identity, body []byte) *wire.Error {
	s := p.server
	err := codec.ParseBatch(body, s.cfg.Limits.Limits, func(e codec.Envelope) *wire.Error {
		m, err := s.message(id, e)
		p.messages = append(p.messages, m)
		return err
	})
	if err != nil {
		return err
	}
	if err := p.allowed(id.Wiki); err != nil {
		return err
	}
	if err := p.send(); err != nil {
		return err
	}
	p.reply = append(p.reply, `{"published":[`...)
	for i := range p.messages {
		if i > 0 {
			p.reply = append(p.reply, ',')
		}
		p.reply = append(strconv.AppendUint(append(p.reply, `{"offset":`...), p.messages[i].Offset, 10), '}')
	}
	p.reply = append(p.reply, "]}\n"...)
	return nil
}

// allowed takes the messages from what the wiki may publish.
func (p *publishing) allowed(wiki string) *wire.Error {
	s := p.server
	if s.publishes.Allow(wiki, s.cfg.Limits.WikiPublishes, len(p.messages)) {
		return nil
	}
	s.warn.warn("publishes "+wiki, "a wiki publishes more than it may: see wikiPublishesPerSecond", "wiki", wiki)
	return wire.NewError(wire.RateLimited, "the wiki publishes more than the relay takes")
}

// message returns an envelope of a wiki as it is delivered, or why the wiki may not send it.
func (s *Server) message(id *auth.Identity, e codec.Envelope) (m engine.Message, err *wire.Error) {
	to, err := s.auth.Publish(id.Wiki, e.Type)
	if err != nil {
		return m, err
	}
	if e.Forget {
		return m, s.forgetting(id, e, to, &m)
	}
	// A page tells the wiki its client id, so that it is not told what it did itself. With another's id, that other would not be told.
	if e.HasActor && e.From != "" && !s.hub.MayBe(e.From, hub.Owner{Wiki: id.Wiki, User: e.Actor}) {
		e.From = ""
	}
	m.Key, m.Keep, m.Message = to.Key, to.Keep, codec.Message{Envelope: e, User: id.User, Wiki: true}
	if e.Key != "" {
		m.Dedup = "wiki\x00" + id.Wiki + "\x00" + e.Key
	}
	return m, nil
}

// forgetting makes m say what is to be forgotten. Messages of a type that several wikis use are not this one's alone.
func (s *Server) forgetting(id *auth.Identity, e codec.Envelope, to auth.Target, m *engine.Message) *wire.Error {
	switch {
	case to.Key.Wiki != id.Wiki:
		return wire.NewError(wire.Forbidden, "the wiki shares this type with others: nothing of it is forgotten")
	case e.Msg != nil || e.To != nil:
		return wire.NewError(wire.BadRequest, `"forget" takes neither "msg" nor "to"`)
	}
	m.Key, m.Message = to.Key, codec.Message{Envelope: e}
	return nil
}

// send publishes the messages. After an error some may have been: the wiki repeats them all, and those with a key do not come twice.
func (p *publishing) send() *wire.Error {
	defer p.delivery.Flush()
	for i := range p.messages {
		if err := p.one(&p.messages[i]); err != nil {
			return err
		}
		p.delivery.Pace()
	}
	return nil
}

func (p *publishing) one(m *engine.Message) *wire.Error {
	if m.Forget {
		return p.server.env.Forget(m.Key)
	}
	_, err := p.server.env.Publish(m, p.deliver)
	return err
}

// fromWiki returns which wiki asks and what it sends, or has answered why that is not taken.
func (s *Server) fromWiki(w http.ResponseWriter, r *http.Request, limit int) (id auth.Identity, body []byte, ok bool) {
	id, ok = s.wikiOf(w, r)
	if !ok {
		return id, nil, false
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		conn.WriteError(w, http.StatusUnsupportedMediaType, wire.NewError(wire.BadRequest, "Content-Type must be application/json"))
		return id, nil, false
	}
	body, err := readBody(w, r, limit)
	if err != nil {
		refuse(w, err)
		return id, nil, false
	}
	return id, body, true
}

// wikiOf returns which wiki asks, or has answered that the token does not do.
func (s *Server) wikiOf(w http.ResponseWriter, r *http.Request) (auth.Identity, bool) {
	token, err := bearer(r)
	var id auth.Identity
	if err == nil {
		id, err = s.auth.Verify(token, auth.AudiencePublish)
	}
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, err)
		return id, false
	}
	return id, true
}

func readBody(w http.ResponseWriter, r *http.Request, limit int) ([]byte, *wire.Error) {
	room := max(0, min(int(r.ContentLength), limit)) + bytes.MinRead // enough to find the end without more
	body := bytes.NewBuffer(make([]byte, 0, room))
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, int64(limit)))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, wire.NewError(wire.TooLarge, "the body has more than "+strconv.Itoa(limit)+" bytes")
	case err != nil:
		return nil, wire.NewError(wire.BadRequest, "the body did not arrive whole")
	}
	return body.Bytes(), nil
}

// writeJSON answers 200 with v.
func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types that are passed can all be marshalled
	}
	answerJSON(w, append(text, '\n'))
}
