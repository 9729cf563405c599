package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/wire"
)

// KeyBytes is the length of a wiki's key.
const KeyBytes = 32

// Wiki is a registered wiki. Nobody changes it once it is registered.
type Wiki struct {
	ID         string
	Keys       [][]byte // the first is the wiki's own; the others count too, while keys rotate
	Origins    []string // as browsers send them: scheme://host[:port]
	Private    bool     // without a token nothing of this wiki is to be had
	Open       bool     // types that no policy names may be used
	Mute       bool     // who has no account may not send
	Types      []Policy
	ETag       string    // lower-case hex SHA-256 of the JSON it was registered with; "" for one of the configuration file
	Registered time.Time // with this run of the relay; zero for one of the configuration file or the state file

	keyNames   []keyName // of Keys
	keySet     jwt.VerificationKeySet
	policies   *policies
	remembered *remembered
	spec       json.RawMessage
}

// ParseWiki reads a wiki as it stands in the body of PUT /api/wikis/{id} and in the configuration file:
//
//	{"key":base64,"keys":[base64…],"origins":["https://wiki.example"],"private":false,"open":true,"anonymousSend":true,"types":[policy…]}
//
// Only the key must be there; these are the defaults. "keys" are older ones that still count, "anonymousSend" is whether visitors without an
// account may send, [Policy] is a policy. Errors name the member and never show a key.
func ParseWiki(id string, body []byte) (*Wiki, error) {
	var spec struct {
		Key     string   `json:"key"`
		Keys    []string `json:"keys"`
		Origins []string `json:"origins"`
		Private bool     `json:"private"`
		Open    *bool    `json:"open"`
		Speak   *bool    `json:"anonymousSend"`
		Types   []Policy `json:"types"`
	}
	if err := wire.CheckWikiID(id); err != nil {
		return nil, fmt.Errorf("wiki %q: %s", id, err.Message)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&spec); err != nil {
		return nil, fmt.Errorf("wiki %q: %s", id, jsonFault(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("wiki %q: something follows the JSON object", id)
	}
	w := &Wiki{ID: id, Origins: spec.Origins, Private: spec.Private, Open: spec.Open == nil || *spec.Open, Mute: spec.Speak != nil && !*spec.Speak,
		Types: spec.Types, remembered: newRemembered(), spec: body}
	var err error
	if w.policies, err = newPolicies(spec.Types); err != nil {
		return nil, fmt.Errorf("wiki %q: %w", id, err)
	}
	for i, text := range append([]string{spec.Key}, spec.Keys...) {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != KeyBytes {
			return nil, fmt.Errorf("wiki %q: key %d is not %d bytes in base64", id, i+1, KeyBytes)
		}
		w.Keys, w.keyNames, w.keySet.Keys = append(w.Keys, key), append(w.keyNames, nameOf(key)), append(w.keySet.Keys, key)
	}
	for _, origin := range spec.Origins {
		if err := checkOrigin(origin); err != nil {
			return nil, fmt.Errorf("wiki %q: origin %.256q %w", id, origin, err)
		}
	}
	sum := sha256.Sum256(body)
	w.ETag = hex.EncodeToString(sum[:])
	return w, nil
}

// jsonFault says what is wrong without the values, which may be keys.
func jsonFault(err error) string {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) && typ.Field != "" {
		return fmt.Sprintf("%q is not a %s", typ.Field, typ.Type)
	}
	if text, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "unknown member " + text
	}
	return "not a JSON object"
}

// checkOrigin returns an error when o is not an origin as browsers write it, so that a slip in the configuration is seen and not just refuses everybody.
func checkOrigin(o string) error {
	u, err := url.Parse(o)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("is not http:// or https:// and a host")
	case strings.ContainsFunc(o, func(r rune) bool { return r > '~' || r == '%' }):
		return errors.New("has letters that browsers never send; write the host's name in its xn-- form")
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(o, "?") || strings.HasSuffix(o, "#"):
		return fmt.Errorf("has more than scheme, host and port; write %s://%s", u.Scheme, strings.ToLower(u.Host))
	case o != strings.ToLower(o):
		return fmt.Errorf("has capital letters, which browsers never send; write %s", strings.ToLower(o))
	case strings.ContainsAny(o, "*, "):
		return errors.New("is a pattern or a list; name each origin by itself")
	case u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443" || strings.HasSuffix(u.Host, ":"):
		return fmt.Errorf("names the scheme's own port, which browsers leave out; write %s://%s", u.Scheme, u.Hostname())
	}
	return nil
}
