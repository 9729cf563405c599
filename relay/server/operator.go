package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/wire"
)

// wikiBytes is the longest registration of a wiki.
const wikiBytes = 256 << 10

// wiki registers a wiki (PUT) or says whether it is registered just so (HEAD with If-None-Match: 304).
func (s *Server) wiki(w http.ResponseWriter, r *http.Request) {
	id := mux.Vars(r)["id"]
	if r.Method == http.MethodHead {
		wiki := s.auth.Wikis.Get(id)
		if wiki == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if wiki.ETag != "" {
			w.Header().Set("ETag", `"`+wiki.ETag+`"`)
			if strings.Trim(r.Header.Get("If-None-Match"), `"`) == wiki.ETag {
				w.WriteHeader(http.StatusNotModified)
			}
		}
		return
	}
	body, fault := readBody(w, r, wikiBytes)
	if fault != nil {
		refuse(w, fault)
		return
	}
	wiki, err := auth.ParseWiki(id, body)
	if err != nil {
		refuse(w, wire.NewError(wire.BadRequest, err.Error()))
		return
	}
	if !s.enter(w) {
		return
	}
	defer s.leave()
	s.registering.Lock()
	before := s.auth.Wikis.Get(id)
	changed, err := s.auth.Wikis.Put(wiki)
	if err == nil {
		s.engine.Declare(id, wiki.Histories()) // behind Put: what is published meanwhile may not be kept
	}
	s.registering.Unlock()
	if err != nil {
		s.log.Error("register a wiki", "wiki", id, "error", err)
		refuse(w, wire.NewError(wire.Unavailable, "the relay could not save the registration: see its log"))
		return
	}
	s.log.Info("wiki registered", "wiki", id, "origins", wiki.Origins, "private", wiki.Private)
	if before != nil && !before.Private && wiki.Private {
		// Those in pages that everybody could read.
		if err := s.auth.Revocations.Add(auth.Revocation{Wiki: id, Public: true}, time.Now()); err != nil {
			s.log.Error("keep that the tokens of a wiki are revoked; it holds until the relay ends", "wiki", id, "error", err)
		}
	}
	if changed {
		for _, c := range s.env.All() {
			c.Recheck()
		}
	}
	w.Header().Set("ETag", `"`+wiki.ETag+`"`)
	writeJSON(w, map[string]string{"etag": wiki.ETag})
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]string{"status": "ok", "version": config.Version})
}

// readyz says whether the relay takes connections, 503 while it starts and ends; "degraded" when it does but a queue of --ingress brings nothing; whether
// kept messages outlive it, how many there are, and how many bytes of memory they take.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		refuse(w, wire.NewError(wire.Unavailable, "the relay is starting or ending"))
		return
	}
	kept := s.engine.Stats()
	answer := map[string]any{"status": "ready", "history": s.cfg.History != "", "messages": kept.Messages, "bytes": kept.Bytes}
	if states, well := s.queueStates(); len(states) > 0 {
		answer["ingress"] = states
		if !well {
			answer["status"] = "degraded"
		}
	}
	writeJSON(w, answer)
}
