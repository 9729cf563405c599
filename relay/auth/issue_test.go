package auth_test

import (
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/relaytest"
)

func issuing(t *testing.T) *auth.Auth {
	t.Helper()
	wikis, _, err := auth.OpenWikis("", []*auth.Wiki{relaytest.Wiki("a:", "https://a.example", true, map[string]any{"types": []map[string]any{
		{"pattern": "a:Staff", "read": "right:staff"}, {"pattern": "a:Users", "read": "user", "send": "user"},
		{"pattern": "a:Token", "token": true}}})})
	if err != nil {
		t.Fatal(err)
	}
	revocations, _, err := auth.OpenRevocations("", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &auth.Auth{Wikis: wikis, Revocations: revocations}
}

func TestSignedTokensAreTaken(t *testing.T) {
	a, key := issuing(t), relaytest.Key("a:")
	sign := func(c auth.Claims) string {
		t.Helper()
		c.Wiki = "a:"
		text, expires, err := c.Sign(key, time.Now())
		if err != nil || time.Until(expires) > c.Life+time.Minute {
			t.Fatal(expires, err)
		}
		return text
	}
	id, err := a.Verify(sign(auth.Claims{Audience: auth.AudienceConnect, User: "Ann", Session: "s", Rights: []string{"staff"}, Life: auth.TokenLife}), auth.AudienceConnect)
	if err != nil || id.Wiki != "a:" || id.User != "Ann" || id.Session != "s" {
		t.Errorf("%+v %v", id, err)
	}
	if _, err := a.Subscribe(&id, "a:Staff"); err != nil {
		t.Error(err)
	}
	if _, err := a.Verify(sign(auth.Claims{Audience: auth.AudiencePublish}), auth.AudiencePublish); err != nil {
		t.Error(err)
	}
	if _, err := a.Grant(&id, "a:Token", sign(auth.Claims{Audience: auth.AudienceSubscribe, User: "Ann", Type: "a:Token", Life: time.Hour})); err != nil {
		t.Error(err)
	}
}

// Who has all rights may read what some may, and still not send or read what only the wiki does.
func TestAllRights(t *testing.T) {
	a := issuing(t)
	claims := auth.Claims{Wiki: "a:", Audience: auth.AudienceConnect, Rights: []string{auth.AllRights}}
	text, _, _ := claims.Sign(relaytest.Key("a:"), time.Now())
	id, err := a.Verify(text, auth.AudienceConnect)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"a:Staff", "a:Users", "a:Token", "a:@changes"} {
		if _, err := a.Subscribe(&id, typ); err != nil {
			t.Errorf("subscribe to %s: %v", typ, err)
		}
	}
	for typ, may := range map[string]bool{"a:Users": true, "a:Staff": false, "a:@changes": false} {
		if _, err := a.Send(&id, typ); (err == nil) != may {
			t.Errorf("send %s: %v", typ, err)
		}
	}
}

func TestWhatIsNotSigned(t *testing.T) {
	key := relaytest.Key("a:")
	for what, row := range map[string]struct {
		claims auth.Claims
		key    []byte
		good   bool
	}{
		"connect, 48 hours":       {auth.Claims{Audience: "connect", Life: auth.TokenLife}, key, true},
		"connect, longer":         {auth.Claims{Audience: "connect", Life: auth.TokenLife + time.Second}, key, false},
		"publish, 60 seconds":     {auth.Claims{Audience: "publish", Life: auth.PublishLife}, key, true},
		"publish, longer":         {auth.Claims{Audience: "publish", Life: auth.PublishLife + time.Second}, key, false},
		"a second":                {auth.Claims{Audience: "connect", Life: time.Second}, key, true},
		"less":                    {auth.Claims{Audience: "connect", Life: time.Second - 1}, key, false},
		"a negative life":         {auth.Claims{Audience: "connect", Life: -time.Second}, key, false},
		"another audience":        {auth.Claims{Audience: "root"}, key, false},
		"none":                    {auth.Claims{}, key, false},
		"subscribe without type":  {auth.Claims{Audience: "subscribe"}, key, false},
		"short key":               {auth.Claims{Audience: "connect"}, key[:31], false},
		"no key":                  {auth.Claims{Audience: "connect"}, nil, false},
		"longer than is read":     {auth.Claims{Audience: "connect", User: strings.Repeat("x", auth.TokenBytes)}, key, false},
		"user with an odd letter": {auth.Claims{Audience: "connect", User: "\x00\"ä"}, key, true},
	} {
		row.claims.Wiki = "a:"
		if text, _, err := row.claims.Sign(row.key, time.Now()); (err == nil) != row.good || err != nil && strings.Contains(err.Error(), string(key[:31])) {
			t.Errorf("%s: %s %v", what, text, err)
		}
	}
}
