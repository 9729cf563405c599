package auth

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/wire"
)

// The audiences of tokens.
const (
	AudienceConnect   = "connect"
	AudienceSubscribe = "subscribe"
	AudiencePublish   = "publish"
)

const (
	// Leeway is the difference between the wiki's clock and the relay's that is forgiven.
	Leeway = 60 * time.Second
	// PublishLife is how long a publish token may live.
	PublishLife = 60 * time.Second
	// TokenLife is how long any other token may live. What is revoked is remembered for as long.
	TokenLife = 48 * time.Hour
	// TokenBytes is the longest token that is looked at.
	TokenBytes = 8 << 10
)

// UnknownWiki is the error of [Auth.Verify] for a token of a wiki that is not registered.
var UnknownWiki = wire.NewError(wire.Unauthorized, "the token's wiki is not registered with this relay")

var errClaims = errors.New("claims")

// Rate is how often a user may send: so many messages in so many seconds. Zero: as often as a connection may.
type Rate struct {
	Count   int `json:"count"`
	Seconds int `json:"seconds"`
}

// Verify returns whose token it is: a JWT (RFC 7519) signed by a registered wiki with HS256, whatever else its header says, for the given
// audience, and not revoked. Errors say what is wrong in words for the token's owner, and show nothing of it.
func (a *Auth) Verify(token, audience string) (Identity, *wire.Error) {
	c, err := a.verified(token, audience)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Wiki: c.Issuer, User: c.Subject, Session: c.SID, Token: true, Expires: c.ExpiresAt.Time, Rate: c.Rate, key: c.key, rights: c.Rights,
		subscribe: everything, send: everything, presence: everything}
	if c.IssuedAt != nil {
		id.Issued = c.IssuedAt.Time
	}
	if c.Allow != nil {
		id.subscribe, id.send, id.presence = c.Allow.Subscribe, c.Allow.Send, c.Allow.Presence
	}
	if audience == AudienceConnect && a.Revoked(&id) {
		return Identity{}, revoked
	}
	return id, nil
}

// Grant is a subscription token that counts until it has expired, is revoked or has lost its key.
type Grant struct {
	Issued, Expires time.Time
	key             keyName
}

// Grant checks a subscription token of id for the type t.
func (a *Auth) Grant(id *Identity, t, token string) (Grant, *wire.Error) {
	c, err := a.verified(token, AudienceSubscribe)
	switch {
	case err != nil:
		return Grant{}, wire.NewError(wire.Unauthorized, "subscription token: "+err.Message)
	case c.Issuer != id.Wiki || c.Subject != id.User || !id.Token:
		return Grant{}, wire.NewError(wire.Unauthorized, "the subscription token is for another wiki or user than the connection")
	case c.Type != t:
		return Grant{}, wire.NewError(wire.Unauthorized, "the subscription token is for another type")
	case a.Revocations.Has(Revocation{Wiki: c.Issuer, Type: t}, c.IssuedAt.Time) || a.Revocations.Has(tokensOf(c.Issuer, c.Subject), c.IssuedAt.Time):
		return Grant{}, revoked
	}
	return Grant{c.IssuedAt.Time, c.ExpiresAt.Time, c.key}, nil
}

var revoked = wire.NewError(wire.Unauthorized, "the token was revoked: get a new one")

// Revoked reports whether the token by which id is known has been revoked, or the wiki's key behind it taken away.
func (a *Auth) Revoked(id *Identity) bool {
	return id.Token && (!a.keeps(id.Wiki, id.key) || a.Revocations.Has(tokensOf(id.Wiki, id.User), id.Issued) ||
		a.Revocations.Has(Revocation{Wiki: id.Wiki, Session: id.Session}, id.Issued))
}

// tokensOf names the tokens of a user, or with "" of everybody without an account.
func tokensOf(wiki, user string) Revocation {
	return Revocation{Wiki: wiki, User: user, Public: user == ""}
}

// keyName tells the keys of a wiki from each other without being one.
type keyName [8]byte

func nameOf(key []byte) (name keyName) {
	sum := sha256.Sum256(key)
	copy(name[:], sum[:])
	return name
}

// keeps reports whether the key still counts for the wiki.
func (a *Auth) keeps(wiki string, key keyName) bool {
	w := a.Wikis.Get(wiki)
	return w != nil && slices.Contains(w.keyNames, key)
}

// Holds reports whether a subscription token that was good still is, but for its revocation.
func (a *Auth) Holds(wiki string, g *Grant) bool { return a.keeps(wiki, g.key) }

// verified returns a token that is good for the audience, and by whose key; whether it is revoked is for the caller to see.
func (a *Auth) verified(token, audience string) (*verified, *wire.Error) {
	if len(token) > TokenBytes {
		return nil, wire.NewError(wire.Unauthorized, "the token is too long")
	}
	if wiki := a.signatory(token); wiki != nil {
		if v := wiki.remembered.find(token, audience, a.now()); v != nil {
			return v, nil
		}
	}
	return a.verify(token, audience)
}

// verify looks at a token closely, and remembers one that is good.
func (a *Auth) verify(token, audience string) (*verified, *wire.Error) {
	var c claims
	var wiki *Wiki
	t, err := a.parser(audience).ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		if wiki = a.Wikis.Get(id); wiki == nil {
			return nil, UnknownWiki
		}
		if c.Issuer != id || len(c.Audience) != 1 {
			return nil, errClaims
		}
		return wiki.keySet, nil
	})
	switch {
	case err != nil:
		return nil, fault(err, audience)
	case audience == AudiencePublish && !a.short(&c):
		return nil, wire.NewError(wire.Unauthorized, "a publish token may live 60 seconds at most")
	case audience != AudiencePublish && c.IssuedAt == nil:
		return nil, wire.NewError(wire.Unauthorized, `the token has no "iat"`)
	case audience != AudiencePublish && c.ExpiresAt.Sub(c.IssuedAt.Time) > TokenLife:
		return nil, wire.NewError(wire.Unauthorized, "a token may live 48 hours at most")
	}
	v := &verified{claims: &c, key: wiki.signer(t), token: token, audience: audience}
	wiki.remembered.put(v, a.now())
	return v, nil
}

// signer returns which of the wiki's keys has signed a token that one of them has signed.
func (w *Wiki) signer(t *jwt.Token) keyName {
	last := len(w.Keys) - 1
	text := t.Raw[:strings.LastIndexByte(t.Raw, '.')]
	for i, key := range w.Keys[:last] {
		if jwt.SigningMethodHS256.Verify(text, t.Signature, key) == nil {
			return w.keyNames[i]
		}
	}
	return w.keyNames[last]
}

// parser returns the parser of tokens for the audience. Any number may use it at once.
func (a *Auth) parser(audience string) *jwt.Parser {
	a.once.Do(func() {
		a.parsers = make(map[string]*jwt.Parser)
		for _, audience := range []string{AudienceConnect, AudienceSubscribe, AudiencePublish} {
			a.parsers[audience] = jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
				jwt.WithIssuedAt(), jwt.WithLeeway(Leeway), jwt.WithTimeFunc(a.now), jwt.WithStrictDecoding())
		}
	})
	return a.parsers[audience]
}

// short reports whether the token lives no longer than a publish token may, counted from its own clock and from the relay's.
func (a *Auth) short(c *claims) bool {
	exp := c.ExpiresAt.Time
	return !exp.After(a.now().Add(PublishLife+Leeway)) && (c.IssuedAt == nil || exp.Sub(c.IssuedAt.Time) <= PublishLife)
}

func fault(err error, audience string) *wire.Error {
	switch {
	case errors.Is(err, UnknownWiki):
		return UnknownWiki
	case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenInvalidAudience):
		return wire.NewError(wire.Expired, "the token has expired")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return wire.NewError(wire.Unauthorized, `the token's "aud" is not `+audience)
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued) || errors.Is(err, jwt.ErrTokenNotValidYet):
		return wire.NewError(wire.Unauthorized, "the token is from the future: compare the clocks of wiki and relay")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return wire.NewError(wire.Unauthorized, `the token has no "exp"`)
	case errors.Is(err, errClaims):
		return wire.NewError(wire.Unauthorized, `the token's "kid" and "iss" are not the same wiki, or it is not for exactly one audience`)
	case errors.Is(err, jwt.ErrTokenMalformed):
		return wire.NewError(wire.Unauthorized, "the token is malformed")
	}
	return wire.NewError(wire.Unauthorized, "the token is not signed with HS256 and a key of its wiki")
}
