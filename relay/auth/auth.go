// Package auth decides who somebody is and what they may do. What a visitor is and may do comes from a token that a wiki has signed, never
// from a message, an address or a cookie.
package auth

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire"
)

// Auth decides for one relay.
type Auth struct {
	Wikis       *Wikis
	Revocations *Revocations
	Open        bool             // serve everybody: for trying things out, and for networks where everybody is trusted
	Now         func() time.Time // nil: time.Now

	once    sync.Once
	parsers map[string]*jwt.Parser // by audience
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
	Issued  time.Time // when the wiki signed the token; zero without one
	Expires time.Time // of the token; zero without one
	Rate    Rate      // how often the user may send

	key             keyName  // by which the wiki has signed; zero without a token
	subscribe, send []string // patterns of types
	presence        []string // of those about which the user may ask who is there
	rights          []string // those of the rights that policies ask for which the user has
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
	id := Identity{subscribe: everything, send: everything} // but not who is there
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

// Access is what somebody gets who may subscribe.
type Access struct {
	Key      engine.Key     // under which the messages come
	Keep     engine.History // how much of it is kept
	Token    bool           // but only with a subscription token, see [Auth.Grant]
	Presence bool           // who is there may be asked
}

// Target is where a message goes.
type Target struct {
	Key  engine.Key
	Keep engine.History // how much of it is kept
}

// Welcome reports whether a connection of id from pages of an origin, "" when it is not a browser's, may still be open.
func (a *Auth) Welcome(id *Identity, origin string) bool {
	if id.Token {
		return !a.Revoked(id) && a.FromOrigin(id, origin)
	}
	_, err := a.Anonymous(origin)
	return err == nil && !a.Stranger(id)
}

// Subscribe returns how id gets messages of type t, or why it may not.
func (a *Auth) Subscribe(id *Identity, t string) (Access, *wire.Error) {
	if a.Stranger(id) {
		return Access{}, needsToken
	}
	if !match(id.subscribe, t) {
		return Access{}, wire.NewError(wire.Forbidden, "the token does not allow to subscribe to this type")
	}
	r, err := a.rule(id, t)
	switch {
	case err != nil:
		return Access{}, err
	case r.policy == nil && !r.open && !wire.IsSystem(t):
		return Access{}, undeclared
	case r.policy == nil:
		return Access{Key: r.key}, nil
	case !r.policy.Read.includes(id):
		return Access{}, wire.NewError(wire.Forbidden, "the wiki lets only some of its users subscribe to this type, and this is none of them")
	}
	return Access{r.key, engine.History(r.policy.History), r.policy.Token, r.policy.Presence}, nil
}

// Presence returns under which key it is to be found who subscribes to type t, or why id may not know. That takes the right to subscribe too; where that
// takes a subscription token, the caller has to see to it.
func (a *Auth) Presence(id *Identity, t string) (Access, *wire.Error) {
	access, err := a.Subscribe(id, t)
	switch {
	case err != nil:
		return Access{}, err
	case !access.Presence:
		return Access{}, noPresence
	case !id.Token && !a.Open:
		return Access{}, wire.NewError(wire.Unauthorized, "who is there is told only to who has a token")
	case id.Token && !match(id.presence, t):
		return Access{}, wire.NewError(wire.Forbidden, "the wiki does not let this user see who is there: the right websocket-presence is missing")
	}
	return access, nil
}

var noPresence = wire.NewError(wire.Forbidden, "the wiki has not declared presence for this type")

// Present is [Auth.Presence] for the wiki itself.
func (a *Auth) Present(wiki, t string) (engine.Key, *wire.Error) {
	target, err := a.Publish(wiki, t)
	if err != nil {
		return engine.Key{}, err
	}
	if w := a.Wikis.Get(target.Key.Wiki); w != nil {
		if p := w.policies.find(t); p != nil && p.Presence {
			return target.Key, nil
		}
	}
	return engine.Key{}, noPresence
}

// Send returns where messages of type t go that id, a visitor, sends, or why it may not.
func (a *Auth) Send(id *Identity, t string) (Target, *wire.Error) {
	if a.Stranger(id) {
		return Target{}, needsToken
	}
	if wire.IsSystem(t) {
		return Target{}, wire.NewError(wire.Forbidden, "only the wiki sends system types")
	}
	if !match(id.send, t) {
		return Target{}, wire.NewError(wire.Forbidden, "the wiki does not let this user send messages of this type: the right websocket-send is missing, or the user is blocked")
	}
	r, err := a.rule(id, t)
	switch {
	case err != nil:
		return Target{}, err
	case id.User == "" && r.mute:
		return Target{}, wire.NewError(wire.Forbidden, "the wiki lets only visitors with an account send")
	case r.policy == nil && !r.open:
		return Target{}, undeclared
	case r.policy != nil && !r.policy.Send.includes(id):
		return Target{}, wire.NewError(wire.Forbidden, "only "+who(r.policy.Send)+" may send messages of this type")
	}
	return r.target(), nil
}

var needsToken = wire.NewError(wire.Unauthorized, "the wiki is private: a token is needed")

// Stranger reports whether id has no token, and the wiki whose pages it comes from has become private.
func (a *Auth) Stranger(id *Identity) bool {
	home := a.Wikis.Get(id.Wiki)
	return !id.Token && home != nil && home.Private && !a.Open
}

var undeclared = wire.NewError(wire.Forbidden, "the wiki allows declared types only ($wgWebSocketOpenTypes is false), and this type is not declared")

func who(w Who) string {
	switch w {
	case OnlyWiki:
		return "the wiki"
	case Users:
		return "visitors with an account"
	}
	return "users with the right " + string(w[len(rightPrefix):])
}

// Publish returns where messages of type t go that a wiki publishes, or why it may not.
func (a *Auth) Publish(wiki, t string) (Target, *wire.Error) {
	owner := a.Wikis.Owner(t)
	switch {
	case owner != nil && owner.ID == wiki:
		return Target{engine.Key{Wiki: wiki, Type: t}, owner.policies.keep(t)}, nil
	case owner != nil:
		return Target{}, wire.NewError(wire.Forbidden, "the type belongs to another wiki")
	case wire.IsSystem(t):
		return Target{}, wire.NewError(wire.Forbidden, "a wiki publishes no system types but its own")
	}
	if w := a.Wikis.Get(wiki); w != nil {
		r := a.plain(w, t)
		return r.target(), nil
	}
	return Target{Key: engine.Key{Type: t}}, nil
}

// rule is what counts for a type and a connection.
type rule struct {
	key    engine.Key
	policy *Policy // nil: none
	open   bool    // types without one may be used
	mute   bool    // visitors without an account may not send
}

func (r *rule) target() Target {
	if r.policy == nil {
		return Target{Key: r.key}
	}
	return Target{r.key, engine.History(r.policy.History)}
}

// rule finds the wiki that has the say. A type with the id of a registered wiki is that wiki's; any other is all public wikis' together, unless
// the connection's own wiki is private or has declared it: it is that wiki's then, so that no other wiki can send into it.
func (a *Auth) rule(id *Identity, t string) (rule, *wire.Error) {
	owner := a.Wikis.Owner(t)
	switch {
	case owner == nil:
		return a.shared(id, t), nil
	case id.Token && owner.ID == id.Wiki || !owner.Private && (a.Open || !id.Token):
		return a.of(owner, t), nil
	case owner.Private:
		return rule{}, wire.NewError(wire.Forbidden, "the type belongs to a private wiki")
	}
	return rule{}, wire.NewError(wire.Forbidden, "the type belongs to another wiki")
}

func (a *Auth) of(wiki *Wiki, t string) rule {
	return rule{engine.Key{Wiki: wiki.ID, Type: t}, wiki.policies.find(t), wiki.Open || a.Open, wiki.Mute}
}

func (a *Auth) shared(id *Identity, t string) rule {
	home := a.Wikis.Get(id.Wiki)
	if home == nil {
		open, speak := a.Wikis.Shared()
		return rule{key: engine.Key{Type: t}, open: open || a.Open, mute: !speak && !a.Open}
	}
	return a.plain(home, t)
}

// plain is what counts in a wiki for a type without an id: the wiki shares it with others unless it is private or has declared the type.
func (a *Auth) plain(home *Wiki, t string) rule {
	r := a.of(home, t)
	if !home.Private && r.policy == nil {
		r.key.Wiki = ""
	}
	return r
}

// Sees reports whether messages with key k are for a classic connection of id, which cannot say what it wants.
func (a *Auth) Sees(id *Identity, k engine.Key) bool {
	own, reach := a.Subscribe(id, k.Type)
	return reach == nil && own.Key == k && !own.Token
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
