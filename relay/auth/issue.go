package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims is what a new token says.
type Claims struct {
	Wiki     string // the id of the wiki that signs it
	Audience string // [AudienceConnect], [AudienceSubscribe] or [AudiencePublish]
	User     string // "": a visitor without an account
	Session  string
	Type     string        // of a subscription token
	Rights   []string      // of a connect token: those that policies ask for
	Life     time.Duration // from now; 0: 60 seconds
}

// Sign returns the token, a JWT (RFC 7519) that [Auth.Verify] or [Auth.Grant] takes, signed with a key of [KeyBytes] bytes. A connect token allows everything
// that the wiki's policies do.
func (c *Claims) Sign(key []byte, now time.Time) (token string, expires time.Time, err error) {
	most := TokenLife
	switch c.Audience {
	case AudiencePublish:
		most = PublishLife
	case AudienceSubscribe:
		if c.Type == "" {
			return "", expires, errors.New("a subscription token is for a type, and none is named")
		}
	case AudienceConnect:
	default:
		return "", expires, fmt.Errorf("a token is for %s, %s or %s, not for %.64q", AudienceConnect, AudienceSubscribe, AudiencePublish, c.Audience)
	}
	life := c.Life
	if life == 0 {
		life = PublishLife
	}
	switch {
	case life < time.Second || life > most:
		return "", expires, fmt.Errorf("a %s token lives 1 to %d seconds", c.Audience, int(most.Seconds()))
	case len(key) != KeyBytes:
		return "", expires, fmt.Errorf("the key has %d bytes, and must have %d", len(key), KeyBytes)
	}
	expires = now.Truncate(time.Second).Add(life.Truncate(time.Second))
	claims := jwt.MapClaims{"iss": c.Wiki, "aud": c.Audience, "sub": c.User, "iat": now.Unix(), "exp": expires.Unix()}
	for name, value := range map[string]string{"sid": c.Session, "type": c.Type} {
		if value != "" {
			claims[name] = value
		}
	}
	if len(c.Rights) > 0 {
		claims["rights"] = c.Rights
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	t.Header["kid"] = c.Wiki
	token, err = t.SignedString(key)
	if err == nil && len(token) > TokenBytes {
		err = fmt.Errorf("the token has %d bytes, at most %d are allowed", len(token), TokenBytes)
	}
	return token, expires, err
}
