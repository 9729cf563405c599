package server

import (
	"net/http"
	"slices"

	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// history tells a wiki what was published of one of its types since a position, EPOCH:OFFSET, or a time, in Unix seconds; without "since" only where it is
// now. The answer is as a subscriber's, with the messages, which are all those that were kept, whoever they are for.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	id, ok := s.wikiOf(w, r)
	if !ok {
		return
	}
	t, err := typeOf(r, s.cfg.Limits.TypeBytes)
	var since *codec.Since
	if err == nil {
		since, err = codec.ParseSince(r.URL.Query().Get("since"))
	}
	if err != nil {
		refuse(w, err)
		return
	}
	target, err := s.auth.Publish(id.Wiki, t)
	if err != nil {
		refuse(w, err)
		return
	}
	var missed engine.Missed
	s.engine.At(target.Key, target.Keep, since, func(m engine.Missed) {
		missed = m
		missed.Messages = slices.Clone(m.Messages)
	})
	answer := append(conn.AppendPosition([]byte{'{'}, missed.Now, missed.All), `,"messages":[`...)
	for i, m := range missed.Messages {
		if i > 0 {
			answer = append(answer, ',')
		}
		answer = codec.AppendMessage(answer, &m.Message)
	}
	answerJSON(w, append(answer, "]}\n"...))
}

// present tells a wiki who subscribes to one of its types.
func (s *Server) present(w http.ResponseWriter, r *http.Request) {
	id, ok := s.wikiOf(w, r)
	if !ok {
		return
	}
	t, err := typeOf(r, s.cfg.Limits.TypeBytes)
	var k engine.Key
	if err == nil {
		k, err = s.auth.Present(id.Wiki, t)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answerJSON(w, append(conn.AppendPresent([]byte{'{'}, s.engine.Present(k)), "}\n"...))
}

func answerJSON(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(text)
}

// typeOf returns the type that a request asks about.
func typeOf(r *http.Request, limit int) (string, *wire.Error) {
	t := r.URL.Query().Get("type")
	return t, wire.CheckType(t, limit)
}
