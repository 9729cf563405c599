package server

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

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
	if !ok {
		return
	}
	messages, err := s.batch(&id, body)
	if err != nil {
		refuse(w, err)
		return
	}
	if !s.publishes.Allow(id.Wiki, s.cfg.Limits.WikiPublishes, len(messages)) {
		s.warn.warn("publishes "+id.Wiki, "a wiki publishes more than it may: see wikiPublishesPerSecond", "wiki", id.Wiki)
		w.Header().Set("Retry-After", "1")
		refuse(w, wire.NewError(wire.RateLimited, "the wiki publishes more than the relay takes"))
		return
	}
	if err := s.deliver(messages); err != nil {
		s.log.Error("publish", "error", err)
		refuse(w, wire.NewError(wire.Unavailable, "the relay cannot take messages now"))
		return
	}
	reply := []byte(`{"published":[`)
	for i, m := range messages {
		if i > 0 {
			reply = append(reply, ',')
		}
		reply = append(strconv.AppendUint(append(reply, `{"offset":`...), m.Offset, 10), '}')
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(reply, "]}\n"...))
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
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, wire.NewError(wire.TooLarge, "the body has more than "+strconv.Itoa(limit)+" bytes")
	case err != nil:
		return nil, wire.NewError(wire.BadRequest, "the body did not arrive whole")
	}
	return body, nil
}

// batch reads the messages of a publish and checks each against what the wiki may send.
func (s *Server) batch(id *auth.Identity, body []byte) ([]engine.Message, *wire.Error) {
	envelopes, err := codec.ParseBatch(body, s.cfg.Limits.Limits)
	if err != nil {
		return nil, err
	}
	messages := make([]engine.Message, len(envelopes))
	for i, e := range envelopes {
		k, err := s.auth.Publish(id.Wiki, e.Type)
		if err != nil {
			return nil, wire.NewError(err.Code, "message "+strconv.Itoa(i)+": "+err.Message)
		}
		// A page tells the wiki its client id, so that it is not told what it did itself. With another's id, that other would not be told.
		if e.Actor != nil && e.From != "" && !s.hub.MayBe(e.From, hub.Owner{Wiki: id.Wiki, User: *e.Actor}) {
			e.From = ""
		}
		messages[i] = engine.Message{Key: k, Message: codec.Message{Envelope: e, User: id.User, Wiki: true}}
	}
	return messages, nil
}

func (s *Server) deliver(messages []engine.Message) error {
	d := s.hub.NewDelivery(nil)
	defer d.Flush()
	for i := range messages {
		if err := s.engine.Publish(&messages[i], d.Deliver); err != nil {
			return err
		}
		s.env.Published.Add(1)
		d.Pace()
	}
	return nil
}

// writeJSON answers 200 with v.
func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types that are passed can all be marshalled
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(append(text, '\n'))
}
