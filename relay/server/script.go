package server

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
)

// namesItself reports whether r comes from a script that says, as Perl's Protocol::WebSocket always does, that it is a page of the very address which it
// connects to. The relay serves no pages that speak classic mode, so that is no page, and the origin says nothing.
//
// A browser says the same for a page that somebody else serves under a name which then becomes the relay's address (DNS rebinding), or that a web server
// has beside the URL that it forwards. So the name must be an address, localhost or that of a wiki, none of which a stranger can choose, and the port the
// relay's own.
func (s *Server) namesItself(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) != 1 || !conn.Classic(r) {
		return false
	}
	scheme, address, ok := strings.Cut(origins[0], "://")
	if !ok || scheme != "http" && scheme != "https" || address != r.Host {
		return false
	}
	name, port, err := net.SplitHostPort(address)
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if err != nil || !ok {
		return false
	}
	_, own, err := net.SplitHostPort(local.String())
	return err == nil && port == own && (conn.OwnName(name) || s.ofWiki(name))
}

// ofWiki reports whether name is the host of a wiki.
func (s *Server) ofWiki(name string) bool {
	return slices.ContainsFunc(s.auth.Wikis.All(), func(wiki *auth.Wiki) bool {
		return slices.ContainsFunc(wiki.Origins, func(origin string) bool {
			u, err := url.Parse(origin)
			return err == nil && strings.EqualFold(u.Hostname(), name)
		})
	})
}
