package sockets

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/wire"
)

// retryAfter is when somebody for whom there was no room should come back, in seconds.
const retryAfter = "5"

// Accept answers a handshake and serves the connection from then on: the HTTP handler may return. Of the subprotocols that the peer offers the first is agreed
// on. After an error the request has been answered, as JSON {"error":{"code":…,"message":…}}: 426 to one that is no handshake, 403 to pages that may not
// connect, see [Options], 503 when there is no room or the group has been closed. The functions of h are not called then.
//
// What no page of a browser has sent has no origin, and is let in: whoever needs to know who somebody is asks for a token.
func (g *Group) Accept(w http.ResponseWriter, r *http.Request, h Handler) error {
	defer g.env.Poll()
	if status, fault := conn.Handshake(w, r); fault != nil {
		conn.WriteError(w, status, fault)
		return fault
	}
	if fault := g.origin(r); fault != nil {
		conn.WriteError(w, http.StatusForbidden, fault)
		return fault
	}
	if g.env.Full() || !g.enter() {
		return busy(w)
	}
	c := &Conn{group: g, handler: h}
	ok, fault := conn.AcceptRaw(w, r, g.env, served{c}, h.Until)
	switch {
	case ok:
		return nil
	case fault != nil:
		g.leave()
		return busy(w)
	}
	g.leave()
	return wire.NewError(wire.BadRequest, "the handshake was refused")
}

func busy(w http.ResponseWriter) error {
	w.Header().Set("Retry-After", retryAfter)
	fault := wire.NewError(wire.Unavailable, "there is no room for more connections now: try again later")
	conn.WriteError(w, http.StatusServiceUnavailable, fault)
	return fault
}

// origin returns an error unless r comes from a page that may connect, or from no page.
func (g *Group) origin(r *http.Request) *wire.Error {
	origins := r.Header.Values("Origin")
	switch {
	case len(origins) > 1:
		return wire.NewError(wire.Forbidden, "more than one Origin header")
	case len(origins) == 0, slices.Contains(g.origins, origins[0]), slices.Contains(g.origins, "*"):
		return nil
	case sameHost(origins[0], r.Host):
		if name := hostname(r.Host); conn.OwnName(name) || g.hosts != nil && g.hosts(name) {
			return nil
		}
		g.env.Warn("host "+r.Host, "a page under a name that this program does not know may not connect: if the name is its own, give it the origin (relay: --app-origin)",
			"program", g.name, "origin", conn.Cut(origins[0]))
		return wire.NewError(wire.Forbidden, "pages under this name may not connect, as anybody could have made it lead here: whoever operates this has to name the "+
			"origin "+conn.Cut(origins[0])+", in a relay with --app-origin or appOrigins, else in sockets.Options.Origins")
	}
	g.env.Warn("origin "+origins[0], "a page of another host may not connect", "program", g.name, "origin", conn.Cut(origins[0]))
	return wire.NewError(wire.Forbidden, "pages of this origin may not connect here")
}

// hostname returns a Host header without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// sameHost reports whether a page of that origin has come from the host that the request is for. The scheme may differ: a proxy may have done the TLS.
func sameHost(origin, host string) bool {
	scheme, of, ok := strings.Cut(origin, "://")
	return ok && (scheme == "http" || scheme == "https") && of != "" && strings.EqualFold(of, host)
}
