package server

import (
	"net/http"
	"os"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/wire"
)

// wikiStats is what the relay shows of a wiki to whoever operates the relay.
type wikiStats struct {
	Connections int      `json:"connections"`
	Clients     int      `json:"clients"`
	Origins     []string `json:"origins"`
	Private     bool     `json:"private"`
}

// ownStats is what it shows to the wiki itself. There are no keys in it.
type ownStats struct {
	Wiki          string               `json:"wiki"`
	Version       string               `json:"version"`
	Uptime        int                  `json:"uptime"`               // seconds
	Registered    int64                `json:"registered,omitempty"` // Unix time; left out for a wiki of the configuration file
	Origins       []string             `json:"origins"`
	Private       bool                 `json:"private"`
	Open          bool                 `json:"open"`
	AnonymousSend bool                 `json:"anonymousSend"`
	Keys          int                  `json:"keys"` // how many
	Types         []auth.Policy        `json:"types"`
	Connections   int                  `json:"connections"`
	Clients       int                  `json:"clients"`
	Users         int                  `json:"users"` // with an account
	Subscriptions int                  `json:"subscriptions"`
	Revocations   int                  `json:"revocations"`
	Refused       map[wire.Code]uint64 `json:"refused"` // since the relay started, by error code
}

// stats shows the relay's state: to a wiki its own part; on the control socket, without a token, everything.
func (s *Server) stats(control bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if control && r.Header.Get("Authorization") == "" {
			writeJSON(w, s.allStats())
			return
		}
		if id, ok := s.wikiOf(w, r); ok {
			writeJSON(w, s.statsOf(s.auth.Wikis.Get(id.Wiki)))
		}
	}
}

func (s *Server) statsOf(wiki *auth.Wiki) *ownStats {
	st := &ownStats{Wiki: wiki.ID, Version: config.Version, Uptime: s.uptime(), Origins: append([]string{}, wiki.Origins...), Private: wiki.Private, Open: wiki.Open,
		AnonymousSend: !wiki.Mute, Keys: len(wiki.Keys), Types: append([]auth.Policy{}, wiki.Types...), Revocations: s.auth.Revocations.Count(wiki.ID),
		Refused: s.env.Refusals.Of(wiki.ID)}
	if !wiki.Registered.IsZero() {
		st.Registered = wiki.Registered.Unix()
	}
	users := make(map[string]bool)
	for _, c := range s.env.All() {
		id := c.Identity()
		if id.Wiki != wiki.ID {
			continue
		}
		st.Connections++
		st.Clients += c.Clients()
		st.Subscriptions += c.Subscriptions()
		if id.User != "" {
			users[id.User] = true
		}
	}
	st.Users = len(users)
	return st
}

func (s *Server) allStats() any {
	wikis := make(map[string]*wikiStats)
	for _, wiki := range s.auth.Wikis.All() {
		wikis[wiki.ID] = &wikiStats{Origins: append([]string{}, wiki.Origins...), Private: wiki.Private}
	}
	conns := s.env.All()
	for _, c := range conns {
		if wiki := wikis[c.Wiki()]; wiki != nil {
			wiki.Connections++
			wiki.Clients += c.Clients()
		}
	}
	h, kept := s.hub.Stats(), s.engine.Stats()
	return map[string]any{
		"version":     config.Version,
		"pid":         os.Getpid(),
		"uptime":      s.uptime(),
		"connections": len(conns),
		"clients":     h.Clients,
		"types":       h.Types,
		"published":   s.env.Published.Load(),
		"delivered":   h.Delivered,
		"repeated":    s.env.Repeated.Load(),
		"history": map[string]any{"file": s.cfg.History, "fileBytes": kept.Journal, "messages": kept.Messages, "types": kept.Keys, "bytes": kept.Bytes,
			"recovered": s.env.Recovered.Load(), "lost": s.env.Lost.Load(), "replayed": s.env.Replayed.Load()},
		"presence": map[string]int{"types": kept.Rooms, "connections": kept.Present},
		"apps":     s.appStats(),
		"wikis":    wikis,
	}
}

// uptime returns for how many seconds the relay has been running.
func (s *Server) uptime() int { return int(time.Since(s.started).Seconds()) }
