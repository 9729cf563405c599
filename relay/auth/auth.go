// Package auth decides who somebody is and what they may do. What a visitor is and may do comes from a token that a wiki has signed, never
// from a message, an address or a cookie.
package auth

import (
	"slices"
	"strings"
	"time"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire"
)

// Auth decides for one relay.
type Auth struct {
	Wikis *Wikis
	Open  bool             // serve everybody: for trying things out, and for networks where everybody is trusted
	Now   func() time.Time // nil: time.Now
}

func (a *Auth) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// Identity is who a connection or a request is.
type Identity struct {
	Wiki    string    // the wiki it belongs to, "" when to none
	User    string    // "" for an anonymous visitor
	Session string    // the token's sid
	Token   bool      // a wiki vouches for the above
	Expires time.Time // of the token; zero without one

	subscribe, send []string // patterns of types
}

var everything = []string{"*"}

// Origin returns an error unless pages of r's origins may open a socket here. More than one origin is a trick; none is not a browser.
func (a *Auth) Origin(origins []string) *wire.Error {
	switch {
	case len(origins) > 1:
		return wire.NewError(wire.Forbidden, "more than one Origin header")
	case a.Open || len(origins) == 0 || len(a.Wikis.ByOrigin(origins[0])) > 0:
		return nil
	}
	return wire.NewError(wire.Forbidden, "this page's origin is not one of a wiki of this relay")
}

// Anonymous returns the identity of a connection without a token. The origin, "" when there is none, has passed [Auth.Origin].
func (a *Auth) Anonymous(origin string) (Identity, *wire.Error) {
	id := Identity{subscribe: everything, send: everything}
	var public []*Wiki
	for _, wiki := range a.Wikis.ByOrigin(origin) {
		if !wiki.Private {
			public = append(public, wiki)
		}
	}
	if len(public) == 1 {
		id.Wiki = public[0].ID
	}
	if a.Open || len(public) > 0 || origin == "" && a.Wikis.HasPublic() {
		return id, nil
	}
	return id, wire.NewError(wire.Unauthorized, "no public wiki here: a token is needed")
}

// FromOrigin reports whether a page with that origin, "" when it is not a browser, may use a token of id's wiki.
func (a *Auth) FromOrigin(id *Identity, origin string) bool {
	wiki := a.Wikis.Get(id.Wiki)
	return a.Open || origin == "" || wiki != nil && slices.Contains(wiki.Origins, origin)
}

// Subscribe returns the key under which id gets messages of type t, or why it may not.
func (a *Auth) Subscribe(id *Identity, t string) (engine.Key, *wire.Error) {
	if !match(id.subscribe, t) {
		return engine.Key{}, wire.NewError(wire.Forbidden, "the token does not allow to subscribe to this type")
	}
	return a.key(id, t)
}

// Send returns the key under which id, a visitor, sends messages of type t, or why it may not.
func (a *Auth) Send(id *Identity, t string) (engine.Key, *wire.Error) {
	if wire.IsSystem(t) {
		return engine.Key{}, wire.NewError(wire.Forbidden, "only the wiki sends system types")
	}
	if !match(id.send, t) {
		return engine.Key{}, wire.NewError(wire.Forbidden, "the token does not allow to send this type")
	}
	return a.key(id, t)
}

// Publish returns the key under which a wiki publishes messages of type t, or why it may not.
func (a *Auth) Publish(wiki, t string) (engine.Key, *wire.Error) {
	owner := a.Wikis.Owner(t)
	switch {
	case owner != nil && owner.ID == wiki:
		return engine.Key{Wiki: wiki, Type: t}, nil
	case owner != nil:
		return engine.Key{}, wire.NewError(wire.Forbidden, "the type belongs to another wiki")
	case wire.IsSystem(t):
		return engine.Key{}, wire.NewError(wire.Forbidden, "a wiki publishes no system types but its own")
	}
	return a.shared(wiki, t), nil
}

// shared returns the key of a type without an owner: it stays within a private wiki.
func (a *Auth) shared(wiki, t string) engine.Key {
	if w := a.Wikis.Get(wiki); w != nil && w.Private {
		return engine.Key{Wiki: wiki, Type: t}
	}
	return engine.Key{Type: t}
}

func (a *Auth) key(id *Identity, t string) (engine.Key, *wire.Error) {
	owner := a.Wikis.Owner(t)
	switch {
	case owner == nil && id.Token:
		return a.shared(id.Wiki, t), nil
	case owner == nil:
		return engine.Key{Type: t}, nil
	case id.Token && owner.ID == id.Wiki || !owner.Private && (a.Open || !id.Token):
		return engine.Key{Wiki: owner.ID, Type: t}, nil
	case owner.Private:
		return engine.Key{}, wire.NewError(wire.Forbidden, "the type belongs to a private wiki")
	}
	return engine.Key{}, wire.NewError(wire.Forbidden, "the type belongs to another wiki")
}

// Sees reports whether messages with key k are for a classic connection of id, which cannot say what it wants.
func (a *Auth) Sees(id *Identity, k engine.Key) bool {
	own, reach := a.Subscribe(id, k.Type)
	return reach == nil && own == k
}

// match reports whether t is one of the patterns: a type, or a prefix that ends in "*".
func match(patterns []string, t string) bool {
	for _, p := range patterns {
		if prefix, ok := strings.CutSuffix(p, "*"); p == t || ok && strings.HasPrefix(t, prefix) {
			return true
		}
	}
	return false
}
