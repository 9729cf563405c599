package server

import (
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/wire"
)

// routes is every URL of the relay. Those for the operator and for registering are on the control socket only; on the
// other ports who asks needs a token.
func (s *Server) routes(control bool) http.Handler {
	r := mux.NewRouter().SkipClean(true)
	for _, path := range []string{"/", "/websocket", "/websocket:{port:[0-9]+}"} {
		r.MatcherFunc(isFallback).Path(path).HandlerFunc(s.fallback)
		r.Handle(path, only(s.upgrade, "GET"))
	}
	r.Handle("/api/publish", only(s.publish, "POST"))
	r.Handle("/api/disconnect", only(s.disconnect, "POST"))
	r.Handle("/api/history", only(s.history, "GET"))
	r.Handle("/api/presence", only(s.present, "GET"))
	r.Handle("/api/stats", only(s.stats(control), "GET"))
	if control {
		r.Handle("/api/wikis/{id:.+}", only(s.wiki, "PUT", "HEAD"))
		r.Handle("/api/token", only(s.token, "POST"))
		r.Handle("/healthz", only(s.healthz, "GET", "HEAD"))
		r.Handle("/readyz", only(s.readyz, "GET", "HEAD"))
		r.Handle("/metrics", only(s.metrics.ServeHTTP, "GET"))
		if s.cfg.Pprof {
			profiles(r)
		}
	} else {
		s.mountApps(r)
	}
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn.WriteError(w, http.StatusNotFound, wire.NewError(wire.BadRequest, "nothing is here"))
	})
	return s.guard(r)
}

// only answers 405 to other methods.
func only(h http.HandlerFunc, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(methods, r.Method) {
			h(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		conn.WriteError(w, http.StatusMethodNotAllowed, wire.NewError(wire.BadRequest, "only "+strings.Join(methods, " and ")))
	})
}

// serverName tells one relay from other programs when a port is taken. It shows no version.
const serverName = "websocket-relay"

// guard names the server and keeps a fault in one request from ending the relay.
func (s *Server) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if fault := recover(); fault != nil {
				s.env.Panics.Add(1)
				s.log.Error("fault in a request", "path", conn.Cut(r.URL.Path), "fault", fault, "stack", string(debug.Stack()))
				conn.WriteError(w, http.StatusInternalServerError, wire.NewError(wire.Internal, "a fault of the relay, which has been logged"))
			}
		}()
		w.Header().Set("Server", serverName)
		h.ServeHTTP(w, r)
	})
}

// status returns the HTTP status that goes with an error code.
func status(code wire.Code) int {
	switch code {
	case wire.Unauthorized, wire.Expired:
		return http.StatusUnauthorized
	case wire.Forbidden:
		return http.StatusForbidden
	case wire.TooLarge, wire.Limit:
		return http.StatusRequestEntityTooLarge
	case wire.RateLimited:
		return http.StatusTooManyRequests
	case wire.Unavailable:
		return http.StatusServiceUnavailable
	case wire.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// refuse answers with the status that goes with e.
func refuse(w http.ResponseWriter, e *wire.Error) { conn.WriteError(w, status(e.Code), e) }
