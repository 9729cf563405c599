package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/wire"
)

const (
	// serviceControl is where the relay listens that contrib/websocket-relay.service starts.
	serviceControl = "/run/websocket-relay/control.sock"
	// tokenVariable names the environment variable with a token.
	tokenVariable = "WEBSOCKET_TOKEN"
	// insideURL stands for the relay at the other end of the control socket.
	insideURL  = "ws://relay/"
	answerMost = 16 << 20
)

// target is the relay that a command talks to, and for which wiki.
type target struct {
	control, config, url, tokenFile, wiki string
	http                                  *http.Client // nil: the usual one, for url
}

// reach adds the flags of commands that may also go to a URL.
func (c *command) reach() {
	c.flags.StringVar(&c.url, "url", "", "")
	c.flags.StringVar(&c.tokenFile, "token-file", "", "")
}

// locate finds the relay.
func (c *command) locate() error {
	switch {
	case c.url != "" && (c.control != "" || c.config != ""):
		return usage("--url is for a relay elsewhere, --control and --config for one on this machine: give one of them")
	case c.url != "":
		if _, err := url.Parse(c.url); err != nil { // which would show what may be a password
			return usage("--url is no address like ws://HOST:1729/ or wss://HOST/websocket:1729")
		}
		return nil
	case c.tokenFile != "":
		return usage("--token-file goes with --url: over the control socket no token is needed")
	}
	if c.control == "" && c.config != "" {
		file, err := config.ReadFile(c.config)
		if err != nil {
			return err
		}
		c.control = file.Control
	}
	if c.control == "" {
		c.control = config.DefaultControl(c.Getenv)
	}
	if c.control == "" {
		if _, err := os.Stat(serviceControl); err == nil || errors.Is(err, fs.ErrPermission) {
			c.control = serviceControl
		}
	}
	c.http = client.Unix(c.control)
	return nil
}

// shown returns the URL without the password that may be in it.
func (c *command) shown() string {
	u, err := url.Parse(c.url)
	if err != nil {
		return "the URL"
	}
	return u.Redacted()
}

// local returns an error unless there is a control socket to go to.
func (c *command) local() error {
	if c.control != "" || c.url != "" {
		return nil
	}
	hint := "give --control PATH, which the relay was started with, or --config FILE, its configuration"
	if c.flags.Lookup("url") != nil {
		hint += "; or --url ws://HOST:1729/ for a relay elsewhere"
	}
	return usage("where is the relay? %s", hint)
}

// explainSocket says what a failure to talk over the control socket means.
func explainSocket(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("this user may not open the control socket %s: run the command as the relay's user (sudo -u www-data …), or use --url with a token", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("there is no control socket %s: is the relay running, and is that its --control?", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nobody listens on the control socket %s: start the relay", path)
	}
	return strings.TrimPrefix(err.Error(), "client: ")
}

// advice is what to do about a refusal.
func (c *command) advice(e *client.Error) string {
	switch {
	case c.url != "" && (e.Code == wire.Unauthorized || e.Code == wire.Expired):
		return fmt.Sprintf(" (a token comes from --token-file or $%s; websocket-relay token makes one)", tokenVariable)
	case e.Code == wire.RateLimited:
		return " (wait, or send less at a time)"
	}
	return ""
}

// credential returns the token for a URL: what the file has now, or the environment; "" for none.
func (c *command) credential() (string, error) {
	if c.tokenFile == "" {
		return strings.TrimSpace(c.Getenv(tokenVariable)), nil
	}
	text, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return "", usage("--token-file: %v", err)
	}
	if len(text) > auth.TokenBytes+2 || strings.TrimSpace(string(text)) == "" {
		return "", usage("--token-file %s: that is no token", c.tokenFile)
	}
	return strings.TrimSpace(string(text)), nil
}

// call asks the relay over the control socket, and reads its answer into out.
func (c *command) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://relay"+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return fetch(c.http, r, out)
}

func fetch(h *http.Client, r *http.Request, out any) error {
	if h == nil {
		h = http.DefaultClient
	}
	answer, err := h.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerMost))
	if err != nil {
		return err
	}
	var said struct{ Error *client.Error }
	switch json.Unmarshal(text, &said); {
	case answer.StatusCode == http.StatusOK && json.Unmarshal(text, out) == nil:
		return nil
	case said.Error != nil && said.Error.Code != "":
		return said.Error
	}
	return fmt.Errorf("%s %s: what answers is no relay, or an older one: %s", r.Method, r.URL, answer.Status)
}

// relayStats is what the relay tells its operator.
type relayStats struct {
	Version     string
	PID         int
	Uptime      int
	Connections int
	Clients     int
	Types       int
	Published   uint64
	Delivered   uint64
	Repeated    uint64
	Wikis       map[string]wikiStats
}

type wikiStats struct {
	Connections int
	Clients     int
	Private     bool
}

// wikiOf finds the wiki that types belong to, "" when the relay has none.
func (c *command) wikiOf(ctx context.Context, types ...string) (string, error) {
	var s relayStats
	if err := c.call(ctx, http.MethodGet, "/api/stats", nil, &s); err != nil {
		return "", err
	}
	return c.pick(s, types)
}

func (c *command) pick(s relayStats, types []string) (string, error) {
	var ids []string
	for id := range s.Wikis {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	all := strings.Join(ids, " ")
	if c.wiki != "" {
		if _, ok := s.Wikis[c.wiki]; !ok {
			return "", usage("--wiki %s is not registered with the relay, which has: %s", c.wiki, all)
		}
		return c.wiki, nil
	}
	found := ""
	for _, typ := range types {
		id := wire.WikiPrefix(typ)
		if _, ok := s.Wikis[id]; !ok {
			continue
		}
		if found != "" && found != id {
			return "", usage("these types belong to two wikis, %s and %s: run the command once for each", found, id)
		}
		found = id
	}
	switch {
	case found != "":
		return found, nil
	case len(ids) > 1:
		return "", usage("which wiki? Give --wiki ID, one of: %s", all)
	case len(ids) == 1:
		return ids[0], nil
	}
	return "", nil
}

// made asks the relay for a token.
func (c *command) made(ctx context.Context, wiki, audience string, more map[string]any) (string, error) {
	ask := map[string]any{"wiki": wiki, "for": audience}
	for name, value := range more {
		ask[name] = value
	}
	var answer struct{ Token string }
	err := c.call(ctx, http.MethodPost, "/api/token", ask, &answer)
	return answer.Token, err
}

// operatorLife is how long the operator's own connect tokens live; they are renewed.
const operatorLife = time.Hour

// options returns how to connect as a client: over the control socket as the wiki's operator, to whom everything is open.
func (c *command) options(wiki string) (client.Options, error) {
	if c.url != "" {
		token, err := c.credential()
		o := client.Options{URL: c.url, Token: token}
		if c.tokenFile != "" { // which may be renewed
			o.TokenFunc = func(context.Context) (string, error) { return c.credential() }
		}
		return o, err
	}
	o := client.Options{URL: insideURL, HTTP: c.http}
	if wiki == "" {
		return o, nil
	}
	all := map[string]any{"rights": []string{auth.AllRights}, "seconds": int(operatorLife.Seconds())}
	o.TokenFunc = func(ctx context.Context) (string, error) { return c.made(ctx, wiki, auth.AudienceConnect, all) }
	o.GrantFunc = func(ctx context.Context, types []string) (map[string]string, error) {
		tokens := make(map[string]string)
		for _, typ := range types {
			text, err := c.made(ctx, wiki, auth.AudienceSubscribe, map[string]any{"type": typ, "seconds": int(operatorLife.Seconds())})
			if err != nil {
				return tokens, err
			}
			tokens[typ] = text
		}
		return tokens, nil
	}
	return o, nil
}

// open connects, or says what is wrong with the first attempt: who types a command does not want to wait for another.
func (c *command) open(ctx context.Context, o client.Options) (*client.Client, error) {
	attempt, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	lost := o.Disconnected
	opened := make(chan struct{})
	o.Disconnected = func(err error) {
		select {
		case <-opened:
			if lost != nil {
				lost(err)
			}
		default:
			fail(err)
		}
	}
	conn, err := client.Open(attempt, o)
	if err == nil {
		close(opened)
		return conn, nil
	}
	if cause := context.Cause(attempt); cause != nil && ctx.Err() == nil {
		err = cause
	}
	if l := new(client.Lost); errors.As(err, &l) && l.Refused != nil {
		return nil, l.Refused
	}
	return nil, err
}
