package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/wire"
)

// tokenBytes is the longest request for a token.
const tokenBytes = 16 << 10

// token makes a token of a registered wiki for the operator, who can open the control socket: and so could register any wiki with a key of his own. The key
// itself stays here. Asked for is {"wiki":W,"for":A,"user":U,"type":T,"rights":[…],"seconds":N}, where A is connect, subscribe or publish, T is the type of a
// subscription token, and 60 seconds are the default; the answer is {"token":…,"expires":unix}.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	body, fault := readBody(w, r, tokenBytes)
	if fault != nil {
		refuse(w, fault)
		return
	}
	var asked struct {
		Wiki    string   `json:"wiki"`
		For     string   `json:"for"`
		User    string   `json:"user"`
		Type    string   `json:"type"`
		Rights  []string `json:"rights"`
		Seconds int      `json:"seconds"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&asked); err != nil {
		refuse(w, wire.NewError(wire.BadRequest, "not a request for a token: "+err.Error()))
		return
	}
	wiki := s.auth.Wikis.Get(asked.Wiki)
	if wiki == nil {
		refuse(w, wire.NewError(wire.BadRequest, "no such wiki is registered with this relay"))
		return
	}
	claims := auth.Claims{Wiki: wiki.ID, Audience: asked.For, User: asked.User, Type: asked.Type, Rights: asked.Rights,
		Life: time.Duration(min(asked.Seconds, int(2*auth.TokenLife.Seconds()))) * time.Second}
	text, expires, err := claims.Sign(wiki.Keys[0], time.Now())
	if err != nil {
		refuse(w, wire.NewError(wire.BadRequest, err.Error()))
		return
	}
	s.log.Info("token made for the operator", "wiki", wiki.ID, "for", asked.For, "user", conn.Cut(asked.User), "type", conn.Cut(asked.Type))
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, map[string]any{"token": text, "expires": expires.Unix()})
}
