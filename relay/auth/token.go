package auth

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/wire"
)

// The audiences of tokens.
const (
	AudienceConnect = "connect"
	AudiencePublish = "publish"
)

const (
	// Leeway is the difference between the wiki's clock and the relay's that is forgiven.
	Leeway = 60 * time.Second
	// PublishLife is how long a publish token may live.
	PublishLife = 60 * time.Second
	// TokenBytes is the longest token that is looked at.
	TokenBytes = 8 << 10
)

// UnknownWiki is the error of [Auth.Verify] for a token of a wiki that is not registered.
var UnknownWiki = wire.NewError(wire.Unauthorized, "the token's wiki is not registered with this relay")

type claims struct {
	jwt.RegisteredClaims
	SID   string `json:"sid"`
	Allow *allow `json:"allow"`
}

type allow struct {
	Subscribe []string `json:"subscribe"`
	Send      []string `json:"send"`
}

var errClaims = errors.New("claims")

// Verify returns whose token it is: a JWT (RFC 7519) signed by a registered wiki with HS256, whatever else its header says, for the given
// audience. Errors say what is wrong in words for the token's owner, and show nothing of it.
func (a *Auth) Verify(token, audience string) (Identity, *wire.Error) {
	if len(token) > TokenBytes {
		return Identity{}, wire.NewError(wire.Unauthorized, "the token is too long")
	}
	var c claims
	_, err := a.parser(audience).ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		wiki := a.Wikis.Get(id)
		if wiki == nil {
			return nil, UnknownWiki
		}
		if c.Issuer != id || len(c.Audience) != 1 {
			return nil, errClaims
		}
		set := jwt.VerificationKeySet{}
		for _, key := range wiki.Keys {
			set.Keys = append(set.Keys, key)
		}
		return set, nil
	})
	if err != nil {
		return Identity{}, fault(err, audience)
	}
	if audience == AudiencePublish && !a.short(&c) {
		return Identity{}, wire.NewError(wire.Unauthorized, "a publish token may live 60 seconds at most")
	}
	id := Identity{Wiki: c.Issuer, User: c.Subject, Session: c.SID, Token: true, Expires: c.ExpiresAt.Time, subscribe: everything, send: everything}
	if c.Allow != nil {
		id.subscribe, id.send = c.Allow.Subscribe, c.Allow.Send
	}
	return id, nil
}

func (a *Auth) parser(audience string) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(Leeway), jwt.WithTimeFunc(a.now), jwt.WithStrictDecoding())
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
