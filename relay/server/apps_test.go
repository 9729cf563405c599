package server_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/server"
	"mediawiki-websocket/relay/wire"
)

const tsugiSecret = "a secret of a Tsugi server"

// withNotify is the farm with the app notify.
func withNotify(cfg *config.Config) {
	farm(cfg)
	cfg.Apps, cfg.NotifySecrets = map[string][]string{"notify": {"/notify", "/tsugi/notify"}}, []string{tsugiSecret}
}

// tsugiToken returns a token for a link.
func tsugiToken(t *testing.T, link string) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"aud": "notify", "wwwroot": "https://tsugi.example", "link_id": link,
		"exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(tsugiSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// come connects to the app, and waits until so many are in their rooms.
func come(t *testing.T, r *relaytest.Relay, url, room string, count int) *relaytest.Client {
	t.Helper()
	c := r.Dial(t, url+"?token="+tsugiToken(t, "7")+"&room="+room, "", "Origin: https://tsugi.example")
	r.Await(t, "the room", func(relaytest.Stats) bool { return r.InRooms() == count })
	return c
}

// What is said in an app is heard by nobody else, and nothing else is heard there: a wiki's pages and scripts may name their types like rooms.
func TestAppsAndWikisHearNothingOfEachOther(t *testing.T) {
	r := relaytest.Start(t, withNotify)
	a := come(t, r, "/notify", "T", 1)
	b := come(t, r, "/tsugi/notify", "T", 2)
	page := r.V1(t, connectToken("a:", "U"), "page")
	page.Subscribe("T", "a:T")
	script := r.Classic(t, "script")
	a.Send(`{"type":"T","msg":1,"from":"script"}`)
	b.Expect(`{"type":"T","msg":1,"from":"script"}`)
	r.Publish(t, "a:", `[{"type":"T","msg":2},{"type":"a:T","msg":3}]`)
	if got := page.Next(); !strings.HasPrefix(got, `{"type":"T","msg":2,`) {
		t.Errorf("the page got %s", got)
	}
	if got := page.Next(); !strings.HasPrefix(got, `{"type":"a:T","msg":3,`) {
		t.Errorf("the page got %s", got)
	}
	if got := script.Next(); !strings.HasPrefix(got, `{"type":"T","msg":2`) {
		t.Errorf("the script got %s", got)
	}
	b.Send("last")
	a.Expect("last")
	page.ExpectNothing()
}

// A wiki that registers anew, or revokes, ends its own connections and no app's; all end with the relay.
func TestAppsGoOnWhenAWikiChanges(t *testing.T) {
	r := relaytest.Start(t, withNotify)
	a, b := come(t, r, "/notify", "", 1), come(t, r, "/notify", "", 2)
	code, _, body := r.HTTP(t, "PUT", "http://control/api/wikis/a:", string(relaytest.Registration("a:", publicOrigin, true)))
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	code, _, body = r.HTTP(t, "POST", "http://relay/api/disconnect", `{"client":"WS1"}`, "Content-Type: application/json",
		"Authorization: Bearer "+relaytest.Token("a:", "publish", "", nil))
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	a.Send("still here")
	b.Expect("still here")
	_, _, metrics := r.HTTP(t, "GET", "http://control/metrics", "")
	_, _, stats := r.HTTP(t, "GET", "http://control/api/stats", "")
	if !strings.Contains(metrics, `websocket_relay_app_connections{app="notify"} 2`) || !strings.Contains(stats, `"apps":{"notify":2}`) {
		t.Errorf("%s\n%s", stats, metrics)
	}
	ended := make(chan struct{})
	go func() { r.Close(); close(ended) }()
	a.ExpectClose(wire.CloseGoingAway)
	b.ExpectClose(wire.CloseGoingAway)
	<-ended
}

func TestURLsOfApps(t *testing.T) {
	r := relaytest.Start(t, withNotify)
	for url, want := range map[string]int{
		"http://relay/notify": 403, "http://relay/notify?token=x": 403, "http://relay/tsugi/notify": 403, "http://relay/notify/more": 403,
		"http://relay/notify?token=" + tsugiToken(t, "7"): 426, "http://relay/tsugi": 404, "http://relay/notifymore": 404, "http://control/notify": 404,
		"http://relay//notify": 404, "http://relay/websocket/../notify": 404,
	} {
		if code, head, body := r.HTTP(t, "GET", url, ""); code != want || !strings.HasPrefix(body, `{"error":{"code":"`) || head.Get("Server") != "websocket-relay" {
			t.Errorf("%s: %d %s", url, code, body)
		}
	}
	_, answer, err := r.TryDial("/notify?token=x", wire.Subprotocol, "Origin: "+publicOrigin)
	if err == nil || answer.StatusCode != 403 {
		t.Errorf("%v %v", answer, err)
	}
}

func TestAppsThatCannotBeServed(t *testing.T) {
	for app, want := range map[string]string{"talk": "no such app", "notify": "--notify-secrets"} {
		cfg := config.Default()
		cfg.Open, cfg.Apps = true, map[string][]string{app: {"/a"}}
		if _, err := server.New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", app, err)
		}
	}
}

// The limits are those of all connections: a frame that is too large, one that breaks the protocol.
func TestLimitsOfApps(t *testing.T) {
	r := relaytest.Start(t, func(cfg *config.Config) {
		withNotify(cfg)
		cfg.Limits.FrameBytes, cfg.Limits.CompressBytes = 100, 1
	})
	r.Deflate = websocket.CompressionNoContextTakeover // which no app agrees on
	a, b := come(t, r, "/notify", "", 1), come(t, r, "/notify", "", 2)
	a.Send(strings.Repeat("x", 100))
	b.Expect(strings.Repeat("x", 100))
	ctx, cancel := context.WithTimeout(context.Background(), relaytest.Patience)
	defer cancel()
	if err := b.Write(ctx, websocket.MessageText, []byte(strings.Repeat("x", 101))); err != nil {
		t.Fatal(err)
	}
	b.ExpectClose(wire.CloseTooLarge)
}

// TestRelayEndsWithALogViewOpen, also when the file has grown so much that nobody could read it all.
func TestRelayEndsWithALogViewOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := relaytest.Start(t, func(cfg *config.Config) {
		farm(cfg)
		cfg.Apps, cfg.LogFiles, cfg.LogTokens = map[string][]string{"logview": {"/log"}}, map[string]string{"a": path}, []string{"0123456789abcdef"}
		cfg.LogRefresh = time.Millisecond
	})
	c := r.Dial(t, "/log/connect", "")
	c.Send(`{"op":"open","token":"0123456789abcdef"}`)
	if got := c.Next(); !strings.Contains(got, `"op":"ready"`) {
		t.Fatal(got)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
	if got := c.Next(); !strings.Contains(got, "bytes are left out") {
		t.Fatalf("%.200s", got)
	}
	ended := make(chan struct{})
	go func() { r.Close(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(6 * relaytest.Patience):
		t.Fatal("the relay does not end")
	}
}

// TestNameLeadsToTheChat: a page of a stranger whose name has become the relay's address (DNS rebinding) cannot read or write a chat; one under an address, the
// host of a wiki or a name that the operator has given can.
func TestNameLeadsToTheChat(t *testing.T) {
	r := relaytest.Start(t, func(cfg *config.Config) {
		farm(cfg)
		cfg.Apps, cfg.AppOrigins = map[string][]string{"chat": {"/chat"}}, []string{"https://chat.example"}
	})
	for origin, want := range map[string]int{
		"http://127.0.0.1:1729": 101, "http://[::1]:1729": 101, "http://[::1]": 101, "http://localhost": 101, "http://LOCALHOST:1729": 101,
		"https://a.example": 101, "http://a.example:1729": 101, "https://chat.example": 101,
		"http://evil.example:1729": 403, "https://evil.example": 403, "http://chat.example": 403, "http://chat.example:1729": 403,
		"http://127.0.0.1.evil.example": 403, "http://localhost.evil.example:1729": 403, "http://localhost.": 403,
	} {
		_, host, _ := strings.Cut(origin, "://")
		answer, _, _ := exchange(t, r, altered("GET /chat/connect HTTP/1.1", "Host: "+host, "Origin: "+origin))
		body := make([]byte, max(0, answer.ContentLength))
		if answer.StatusCode == 403 {
			io.ReadFull(answer.Body, body)
		}
		if answer.StatusCode != want || want == 403 && !strings.Contains(string(body), "--app-origin") {
			t.Errorf("%s: %s %.300s", origin, answer.Status, body)
		}
	}
}
