package server

import (
	"net/http"

	"mediawiki-websocket/relay/engine"
)

// Public returns the handler of the public ports.
func (s *Server) Public() http.Handler { return s.routes(false) }

// Guard returns h as the relay guards each of its handlers.
func (s *Server) Guard(h http.Handler) http.Handler { return s.guard(h) }

// ForgetWarnings makes the next warning about anything be logged again.
func (s *Server) ForgetWarnings() {
	s.warn.mu.Lock()
	defer s.warn.mu.Unlock()
	clear(s.warn.told)
}

// InRooms returns how many subscriptions the connections of apps have.
func (s *Server) InRooms() (n int) {
	for _, a := range s.apps {
		for _, g := range a.groups {
			for _, c := range g.Conns() {
				n += len(c.Subscriptions())
			}
		}
	}
	return n
}

// Engine returns the engine of the relay.
func (s *Server) Engine() engine.Engine { return s.engine }
