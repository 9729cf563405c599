package server

import (
	"net/http"
	"strconv"
	"strings"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/wire"
)

// upgrade answers the WebSocket handshake on all its URLs.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	status, fault := conn.Handshake(w, r)
	if status == http.StatusUpgradeRequired {
		conn.WriteError(w, status, fault)
		return
	}
	defer s.env.Poll()
	defer s.door.enter()()
	if fault != nil {
		conn.WriteError(w, status, fault)
		return
	}
	if s.namesItself(r) {
		r.Header.Del("Origin")
	}
	if !s.fromHere(w, r) {
		return
	}
	if s.env.Full() {
		s.busy(w)
		return
	}
	var id auth.Identity
	if conn.Classic(r) {
		var err *wire.Error
		if id, err = s.classicIdentity(r); err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, err)
			return
		}
	}
	if conn.Accept(w, r, s.env, id) != nil {
		s.busy(w)
	}
}

// fromHere reports whether r comes from a page that may connect, or from no page. Otherwise it has answered.
func (s *Server) fromHere(w http.ResponseWriter, r *http.Request) bool {
	err := s.auth.Origin(r.Header.Values("Origin"))
	if err != nil {
		origin := conn.Cut(strings.Join(r.Header.Values("Origin"), " and "))
		s.warn.warn("origin "+origin, "forbidden origin: add it to $wgWebSocketOrigins of the wiki whose pages have it", "origin", origin)
		refuse(w, err)
	}
	return err == nil
}

func (s *Server) busy(w http.ResponseWriter) {
	s.warn.warn("full", "no room for more connections: raise the limit of open files (LimitNOFILE, ulimit -n)", "connections", s.env.Len())
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	refuse(w, wire.NewError(wire.Unavailable, "the relay has no room for more connections now"))
}

// classicIdentity returns who a classic connection is; its token, if it has one, comes with the handshake.
func (s *Server) classicIdentity(r *http.Request) (auth.Identity, *wire.Error) {
	origin := r.Header.Get("Origin")
	if r.Header.Get("Authorization") == "" {
		return s.auth.Anonymous(origin)
	}
	token, err := bearer(r)
	if err != nil {
		return auth.Identity{}, err
	}
	id, err := s.auth.Verify(token, auth.AudienceConnect)
	if err == nil && !s.auth.FromOrigin(&id, origin) {
		err = wire.NewError(wire.Forbidden, "this page's origin is not one of the token's wiki")
	}
	return id, err
}

// bearer returns the token of the Authorization header (RFC 6750).
func bearer(r *http.Request) (string, *wire.Error) {
	lines := r.Header.Values("Authorization")
	if len(lines) == 1 {
		if scheme, token, ok := strings.Cut(lines[0], " "); ok && strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(token), nil
		}
	}
	return "", wire.NewError(wire.Unauthorized, `"Authorization: Bearer TOKEN" is needed`)
}
