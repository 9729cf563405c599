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
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// publish takes messages from a wiki: all of them or, when there is anything wrong with one, none.
func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	token, err := bearer(r)
	var id auth.Identity
	if err == nil {
		id, err = s.auth.Verify(token, auth.AudiencePublish)
	}
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, err)
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		conn.WriteError(w, http.StatusUnsupportedMediaType, wire.NewError(wire.BadRequest, "Content-Type must be application/json"))
		return
	}
	body, err := readBody(w, r, s.cfg.Limits.PublishBytes)
	if err != nil {
		refuse(w, err)
		return
	}
	messages, err := s.batch(&id, body)
	if err != nil {
		refuse(w, err)
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
