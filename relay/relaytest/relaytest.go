// Package relaytest starts relays in tests and talks to them.
package relaytest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/server"
)

// Patience is how long a test waits for what must come.
const Patience = leak.Patience

// Wiki returns a wiki whose key is made from its id, with one origin, and with what more there is to its registration.
func Wiki(id, origin string, private bool, more ...map[string]any) *auth.Wiki {
	w, err := auth.ParseWiki(id, Registration(id, origin, private, more...))
	if err != nil {
		panic(err) // the test's own mistake
	}
	return w
}

// Registration returns the body of PUT /api/wikis/{id} for [Wiki].
func Registration(id, origin string, private bool, more ...map[string]any) []byte {
	members := map[string]any{"key": base64.StdEncoding.EncodeToString(Key(id)), "origins": []string{origin}, "private": private}
	for _, m := range more {
		maps.Copy(members, m)
	}
	body, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return body
}

// Key returns the key of [Wiki].
func Key(id string) []byte {
	return []byte(fmt.Sprintf("%-32.32s", "key of "+id))
}

// Token returns a token of a wiki that is valid for a minute, with the claims changed as given; a nil value takes a claim out.
func Token(wiki, audience, user string, claims map[string]any) string {
	now := time.Now()
	c := jwt.MapClaims{"iss": wiki, "aud": audience, "sub": user, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	for name, value := range claims {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
	t.Header["kid"] = wiki
	text, err := t.SignedString(Key(wiki))
	if err != nil {
		panic(err)
	}
	return text
}

// Relay is a relay in this process.
type Relay struct {
	*server.Server
	Control string // path of its control socket
	Log     *Log
	Mute    bool                      // connections that are dialled from now on do not answer pings
	Deflate websocket.CompressionMode // what they offer

	pipe     *pipeListener
	client   *http.Client
	patience time.Duration
}

// Start starts a relay with a control socket on a free port of the loopback interface, which the test's end closes.
func Start(t testing.TB, change func(*config.Config)) *Relay {
	t.Helper()
	cfg := config.Default()
	cfg.Listen = "127.0.0.1:0"
	cfg.Control = filepath.Join(t.TempDir(), "control.sock")
	cfg.Drain = 10 * time.Millisecond
	return start(t, cfg, change)
}

// StartPiped starts a relay without sockets, which can be reached from inside a synctest bubble.
func StartPiped(t testing.TB, change func(*config.Config)) *Relay {
	t.Helper()
	cfg := config.Default()
	cfg.Listen = ""
	r := start(t, cfg, change)
	r.patience = time.Hour // of the bubble's clock
	r.Serve(r.pipe)
	return r
}

func start(t testing.TB, cfg *config.Config, change func(*config.Config)) *Relay {
	t.Helper()
	if change != nil {
		change(cfg)
	}
	if cfg.State == "" && cfg.Control != "" {
		cfg.State = filepath.Join(filepath.Dir(cfg.Control), "wikis.json")
	}
	if cfg.History == "" && cfg.State != "" {
		cfg.History = filepath.Join(filepath.Dir(cfg.State), config.HistoryName)
	}
	r := &Relay{Control: cfg.Control, Log: new(Log), pipe: newPipeListener(), patience: Patience}
	s, err := server.New(cfg, slog.New(slog.NewTextHandler(r.Log, nil)))
	if err == nil {
		err = s.Open()
	}
	if err != nil {
		t.Fatalf("start the relay: %v", err)
	}
	r.Server = s
	r.client = &http.Client{Transport: &http.Transport{DialContext: r.dial, DisableKeepAlives: true}}
	t.Cleanup(s.Close)
	return r
}

// dial reaches the relay under the host names "control", "tls" (without speaking TLS) and, for anything else, its plain port.
func (r *Relay) dial(ctx context.Context, _, address string) (net.Conn, error) {
	var d net.Dialer
	switch host, _, _ := net.SplitHostPort(address); {
	case host == "control":
		return d.DialContext(ctx, "unix", r.Control)
	case host == "tls":
		return d.DialContext(ctx, "tcp", r.Addresses()[1].String())
	case len(r.Addresses()) == 0:
		return r.pipe.dial(ctx)
	}
	return d.DialContext(ctx, "tcp", r.Addresses()[0].String())
}

// HTTP makes a request and returns the status, the header and the body. headers are "Name: value".
func (r *Relay) HTTP(t testing.TB, method, url, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Add(name, value)
	}
	a, err := r.client.Do(q)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return a.StatusCode, a.Header, string(text)
}

// Publish publishes messages, a JSON array, for a wiki, and fails the test unless the relay takes them.
func (r *Relay) Publish(t testing.TB, wiki, messages string) {
	t.Helper()
	code, _, text := r.HTTP(t, "POST", "http://relay/api/publish", `{"messages":`+messages+"}",
		"Content-Type: application/json", "Authorization: Bearer "+Token(wiki, "publish", "", nil))
	if code != 200 {
		t.Fatalf("publish: %d %s", code, text)
	}
}

// Stats is what GET /api/stats says.
type Stats struct {
	Connections, Clients, Types int
	Published, Delivered        uint64
	Repeated                    uint64
}

// Stats asks the relay for its numbers.
func (r *Relay) Stats(t testing.TB) (s Stats) {
	t.Helper()
	code, _, text := r.HTTP(t, "GET", "http://control/api/stats", "")
	if err := json.Unmarshal([]byte(text), &s); err != nil || code != 200 {
		t.Fatalf("stats: %d %s %v", code, text, err)
	}
	return s
}

// Await asks until the numbers are as wanted, which must come to be without anything else being done.
func (r *Relay) Await(t testing.TB, what string, wanted func(Stats) bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !wanted(r.Stats(t)); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s: %+v", what, r.Stats(t))
		}
	}
}

// Pipe opens a bare connection to a relay of [StartPiped].
func (r *Relay) Pipe(ctx context.Context) (net.Conn, error) { return r.pipe.dial(ctx) }

// Fails tries to start a relay as [Start] does, and returns the error that it must end with.
func Fails(t testing.TB, change func(*config.Config)) *config.Exit {
	t.Helper()
	cfg := config.Default()
	cfg.Listen = "127.0.0.1:0"
	change(cfg)
	s, err := server.New(cfg, slog.New(slog.DiscardHandler))
	if err == nil {
		if err = s.Open(); err == nil {
			s.Close()
		}
	}
	var exit *config.Exit
	if !errors.As(err, &exit) {
		t.Fatalf("the relay started, or ended with %v", err)
	}
	return exit
}
