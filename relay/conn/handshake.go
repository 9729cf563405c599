package conn

import (
	"net/http"
	"net/netip"
	"strings"

	"mediawiki-websocket/relay/wire"
)

// Handshake returns what is wrong with a handshake, of what the library does not look at, and the HTTP status that goes with it. w gets the headers that
// the answer must have.
func Handshake(w http.ResponseWriter, r *http.Request) (status int, fault *wire.Error) {
	switch {
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return http.StatusUpgradeRequired, wire.NewError(wire.BadRequest, "this address speaks WebSocket, and this request asks for none "+
			"(behind a proxy: pass the Upgrade and Connection headers on)")
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return http.StatusBadRequest, wire.NewError(wire.BadRequest, "a handshake has no body")
	case len(r.Header.Values("Sec-WebSocket-Version")) > 1: // the library looks at the first only
		w.Header().Set("Sec-WebSocket-Version", "13")
		return http.StatusBadRequest, wire.NewError(wire.BadRequest, "more than one Sec-WebSocket-Version header")
	}
	return 0, nil
}

// OwnName reports whether no stranger can have pages under that name, a host without port, wherever it leads: it is an address, or localhost. Any other
// name a stranger may have made lead here, to reach what a visitor's browser can reach (DNS rebinding).
func OwnName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || strings.EqualFold(host, "localhost")
}
