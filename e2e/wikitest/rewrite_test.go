package wikitest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/e2e/wikitest"
)

// TestRewrite sends a message through the web server to a stand-in for the
// relay, which sends back what it was asked for and the message.
func TestRewrite(t *testing.T) {
	for _, o := range []wikitest.Options{
		{Server: "nginx", Rewrite: "documented"},
		{Server: "nginx", Rewrite: "documented", TLS: true},
		{Server: "nginx", Rewrite: "better", TLS: true},
		{Server: "apache", Rewrite: "documented"},
		{Server: "apache", Rewrite: "documented", TLS: true},
		{Server: "apache", Rewrite: "better"},
		{Server: "apache", Rewrite: "better", TLS: true},
	} {
		t.Run(fmt.Sprintf("%s %s TLS %t", o.Server, o.Rewrite, o.TLS), func(t *testing.T) {
			o.Load = "none"
			w := wikitest.Start(t, o)
			standIn(t, w.RelayPort)
			standIn(t, w.RelayPort+1)
			host := fmt.Sprintf("127.0.0.1:%d", w.Port)
			seen := fmt.Sprintf("/websocket:%d Host %s", w.RelayPort, host)
			switch {
			case o.Rewrite == "documented" && o.Server == "nginx":
				seen = fmt.Sprintf("/websocket:%d Host 127.0.0.1:%d", w.RelayPort, w.RelayPort)
			case o.Rewrite == "documented": // the rule keeps nothing of the path
				seen = fmt.Sprintf("/ Host localhost:%d", w.RelayPort)
			}
			origin := strings.TrimSuffix(w.URL, "/")
			if got, want := ask(t, w, fmt.Sprintf("/websocket:%d", w.RelayPort)), seen+" Origin "+origin+" hello"; got != want {
				t.Errorf("the relay saw %q, want %q", got, want)
			}
			if o.Rewrite == "better" {
				if got, want := ask(t, w, "/websocket"), "/websocket Host "+host+" Origin "+origin+" hello"; got != want {
					t.Errorf("the relay saw %q, want %q", got, want)
				}
			} else if got := ask(t, w, fmt.Sprintf("/websocket:%d", w.RelayPort+1)); !strings.HasSuffix(got, " hello") {
				t.Errorf("the port after it: %q", got)
			}
			wikitest.Eventually(t, "the request is in the access log", func() bool {
				return slices.Contains(w.AccessLog(), fmt.Sprintf("GET /websocket:%d", w.RelayPort))
			})
		})
	}
}

func standIn(t *testing.T, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(rw, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			t.Errorf("accept %s: %v", r.URL, err)
			return
		}
		defer c.CloseNow()
		_, message, err := c.Read(r.Context())
		if err != nil {
			t.Errorf("read: %v", err)
			return
		}
		answer := fmt.Sprintf("%s Host %s Origin %s %s", r.URL.Path, r.Host, r.Header.Get("Origin"), message)
		if err := c.Write(r.Context(), websocket.MessageText, []byte(answer)); err != nil {
			t.Errorf("write: %v", err)
		}
		c.Close(websocket.StatusNormalClosure, "")
	})}
	go server.Serve(listener) // ends with Close below
	t.Cleanup(func() { server.Close() })
}

func ask(t *testing.T, w *wikitest.Wiki, path string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, w.URL+path, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: w.Client().Transport}, HTTPHeader: http.Header{"Origin": {w.URL}},
	})
	if err != nil {
		t.Fatalf("dial %s: %v %v", path, err, resp)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	_, answer, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
