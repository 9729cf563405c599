package conn_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// meanwhile does something just before a subscription takes effect.
type meanwhile struct {
	*engine.Memory
	do atomic.Pointer[func()]
}

func (m *meanwhile) At(k engine.Key, keep engine.History, since *codec.Since, f func(engine.Missed)) {
	if do := m.do.Swap(nil); do != nil {
		(*do)()
	}
	m.Memory.At(k, keep, since, f)
}

// A subscription whose token was revoked while it was made must not be one that nothing ends.
func TestSubscriptionSlipsThroughARevocation(t *testing.T) {
	wikis, _, err := auth.OpenWikis("", []*auth.Wiki{relaytest.Wiki("a:", "https://a.example", false,
		map[string]any{"types": []map[string]any{{"pattern": "a:@page/*", "token": true}}})})
	if err != nil {
		t.Fatal(err)
	}
	e := &meanwhile{Memory: engine.NewMemory()}
	env := &conn.Env{Limits: conn.DefaultLimits(), Auth: &auth.Auth{Wikis: wikis}, Hub: hub.New(), Engine: e, Log: slog.New(slog.DiscardHandler),
		Warn: func(string, string, ...any) {}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { conn.Accept(w, r, env, auth.Identity{}) }))
	ctx, cancel := context.WithTimeout(t.Context(), leak.Patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, s.URL, &websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(command string, wants ...string) { // in whatever order
		t.Helper()
		c.Write(ctx, websocket.MessageText, []byte(command))
		var replies []string
		for range wants {
			_, reply, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			replies = append(replies, string(reply))
		}
		for _, want := range wants {
			if !slices.ContainsFunc(replies, func(reply string) bool { return strings.Contains(reply, want) }) {
				t.Errorf("%q, want %s", replies, wants)
			}
		}
	}
	ask(`{"id":1,"op":"connect","token":"`+relaytest.Token("a:", "connect", "Ann", nil)+`"}`, `"ok"`)
	subscribe := `{"id":2,"op":"subscribe","type":"a:@page/1","token":"` + relaytest.Token("a:", "subscribe", "Ann", map[string]any{"type": "a:@page/1"}) + `"}`
	ask(subscribe, `"ok"`)
	revoked := make(chan struct{})
	revoke := func() {
		go func() { // it waits until the subscription has been decided about
			env.All()[0].RevokeGrants("a:@page/1", time.Now())
			close(revoked)
		}()
		for env.All()[0].Subscriptions() > 0 {
			runtime.Gosched()
		}
	}
	e.do.Store(&revoke)
	ask(subscribe, `"code":"unavailable"`, `"op":"revoked"`)
	<-revoked
	if n := env.All()[0].Subscriptions(); n != 0 {
		t.Errorf("%d subscriptions that no revocation ends", n)
	}
	c.CloseNow()
	env.Wait()
	s.Close()
}
