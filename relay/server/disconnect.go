package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/wire"
)

// disconnectBytes is the longest body of POST /api/disconnect.
const disconnectBytes = 4 << 10

// disconnectRequest names whose connections end. Exactly one of the names is set. Before is the wiki's Unix time when that was decided: tokens
// issued then or earlier do not count any more; 0: now, by the relay's clock.
type disconnectRequest struct {
	User    string `json:"user"`
	Session string `json:"session"`
	Client  string `json:"client"`
	Type    string `json:"type"`
	Before  int64  `json:"before"`
}

func (d *disconnectRequest) check(now time.Time) *wire.Error {
	names := 0
	for _, name := range []string{d.User, d.Session, d.Client, d.Type} {
		if name != "" {
			names++
		}
		if len(name) > 1024 {
			return wire.NewError(wire.BadRequest, "a name has at most 1024 bytes")
		}
	}
	switch {
	case names != 1:
		return wire.NewError(wire.BadRequest, `exactly one of "user", "session", "client" and "type" is needed`)
	case d.Before < 0 || d.Before > now.Add(auth.Leeway).Unix():
		return wire.NewError(wire.BadRequest, `"before" is in the future: compare the clocks of wiki and relay`)
	}
	return nil
}

// disconnect revokes what a wiki has granted: connections end at once, and the tokens behind them do not count any more.
func (s *Server) disconnect(w http.ResponseWriter, r *http.Request) {
	id, body, ok := s.fromWiki(w, r, disconnectBytes)
	if !ok || !s.enter(w) {
		return
	}
	defer s.leave()
	var d disconnectRequest
	parser := json.NewDecoder(bytes.NewReader(body))
	parser.DisallowUnknownFields()
	if err := parser.Decode(&d); err != nil {
		refuse(w, wire.NewError(wire.BadRequest, `not {"user":U}, {"session":S}, {"client":C} or {"type":T}, with or without "before"`))
		return
	}
	if _, err := parser.Token(); !errors.Is(err, io.EOF) {
		refuse(w, wire.NewError(wire.BadRequest, "something follows the JSON object"))
		return
	}
	if err := d.check(time.Now()); err != nil {
		refuse(w, err)
		return
	}
	if d.Before == 0 {
		d.Before = time.Now().Unix()
	}
	closed, fault := s.revoke(id.Wiki, &d)
	if fault != nil {
		refuse(w, fault) // also when it could not be kept: the wiki will repeat it
		return
	}
	s.log.Info("revoked", "wiki", id.Wiki, "user", conn.Cut(d.User), "session", conn.Cut(d.Session), "client", conn.Cut(d.Client), "type", conn.Cut(d.Type), "closed", closed)
	writeJSON(w, map[string]int{"closed": closed})
}

// revoke makes it known that the tokens do not count, and only then looks for connections: see package conn, rights.go. A connection may live on a newer
// token and have subscriptions that took an older one.
func (s *Server) revoke(wiki string, d *disconnectRequest) (closed int, fault *wire.Error) {
	before := time.Unix(d.Before, 0)
	if d.Type != "" {
		if to, err := s.auth.Publish(wiki, d.Type); err != nil {
			return 0, err
		} else if to.Key.Wiki != wiki {
			return 0, wire.NewError(wire.BadRequest, "the type is shared with other wikis and needs no subscription token")
		}
	}
	if d.Client == "" {
		what := auth.Revocation{Wiki: wiki, User: d.User, Session: d.Session, Type: d.Type}
		if err := s.auth.Revocations.Add(what, before); err != nil {
			s.log.Error("keep what was revoked; it holds until the relay ends", "error", err)
			fault = wire.NewError(wire.Unavailable, "the relay could not keep the revocation: see its log")
		}
	}
	for _, c := range s.env.All() {
		id := c.Identity()
		if id.Wiki != wiki {
			continue
		}
		named := d.User != "" && id.User == d.User || d.Session != "" && id.Session == d.Session
		switch {
		case d.Client != "" && c.Carries(d.Client), named && id.Issued.Unix() <= d.Before:
			c.Close(wire.CloseUnauthorized)
			closed++
		case d.Type != "":
			closed += c.RevokeGrants(d.Type, before)
		case d.User != "" && named:
			closed += c.RevokeGrants("", before)
		}
	}
	return closed, fault
}
