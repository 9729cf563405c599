package server

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"mediawiki-websocket/relay/apps/chat"
	"mediawiki-websocket/relay/apps/logview"
	tsugi "mediawiki-websocket/relay/apps/notify"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/sockets"
)

// app is a program that is served at URLs of its own. Its connections are in groups of its own: it reaches no others.
type app struct {
	name    string
	urls    []string
	handler http.Handler // a Stop is called when the relay begins to end, a Close when it has ended all connections
	groups  []*sockets.Group
}

// openApps makes the apps that the relay was told to serve. The error is for the operator.
func (s *Server) openApps() error {
	for name, urls := range s.cfg.Apps {
		a := &app{name: name, urls: urls}
		var err error
		switch name {
		case config.AppNotify: // other origins are the point: the token decides
			a.handler, err = tsugi.New(tsugi.Config{Secrets: s.cfg.NotifySecrets, Group: func() *sockets.Group { return s.group(a, "*") }, Log: s.log})
		case config.AppChat:
			a.handler = chat.New(chat.Config{URLs: urls, Group: s.group(a)})
		case config.AppLogView:
			a.handler, err = logview.New(logview.Config{URLs: urls, Files: s.cfg.LogFiles, Refresh: s.cfg.LogRefresh, Tokens: s.cfg.LogTokens,
				Local: s.onThisMachine(), Group: s.group(a)})
		default:
			err = errors.New("this relay has no such app")
		}
		if err != nil {
			s.closeApps()
			return config.Fail(config.ExitUsage, "the app %s: %v", name, err)
		}
		s.apps = append(s.apps, a)
	}
	return nil
}

// group makes one for the connections of a, from pages of the same host, when it is an address or known, and of other origins.
func (s *Server) group(a *app, origins ...string) *sockets.Group {
	g := sockets.In(s.env, sockets.Options{Name: a.name, Origins: append(origins, s.cfg.AppOrigins...), Hosts: s.ofWiki, Log: s.log})
	a.groups = append(a.groups, g)
	return g
}

// connections returns how many the app has.
func (a *app) connections() (n int) {
	for _, g := range a.groups {
		n += g.Len()
	}
	return n
}

// mountApps adds the apps' URLs, and all below them, to the public routes.
func (s *Server) mountApps(r *mux.Router) {
	for _, a := range s.apps {
		h := s.atTheDoor(a.handler)
		for _, url := range a.urls {
			r.Path(url).Handler(h)
			r.PathPrefix(url + "/").Handler(h)
		}
	}
}

// atTheDoor makes handshakes wait for their turn, as those of all others do.
func (s *Server) atTheDoor(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			defer s.door.enter()()
		}
		h.ServeHTTP(w, r)
	})
}

// stopApps makes the apps do nothing more that a connection could wait for.
func (s *Server) stopApps() {
	for _, a := range s.apps {
		if h, ok := a.handler.(interface{ Stop() }); ok {
			h.Stop()
		}
	}
}

// closeApps ends what the apps have begun. Their connections have ended.
func (s *Server) closeApps() {
	for _, a := range s.apps {
		if c, ok := a.handler.(interface{ Close() }); ok {
			c.Close()
		}
	}
}

// onThisMachine reports whether nobody reaches the relay's ports but programs of this machine, as far as the address says; one of them may be a proxy.
func (s *Server) onThisMachine() bool {
	host, _, err := net.SplitHostPort(s.cfg.Listen)
	address, fault := netip.ParseAddr(host)
	return s.cfg.Listen == "" || err == nil && (host == "localhost" || fault == nil && address.IsLoopback())
}

// appStats returns how many connections each app has.
func (s *Server) appStats() map[string]int {
	counts := make(map[string]int)
	for _, a := range s.apps {
		counts[a.name] = a.connections()
	}
	return counts
}

func (s *Server) countApps(r *prometheus.Registry) {
	for _, a := range s.apps {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "websocket_relay", Name: "app_connections",
			Help: "Those of the connections that belong to an app.", ConstLabels: prometheus.Labels{"app": a.name}},
			func() float64 { return float64(a.connections()) }))
	}
}
