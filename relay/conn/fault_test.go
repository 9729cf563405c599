package conn_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/wire"
)

// faulty breaks down on messages of the type "boom".
type faulty struct{ *engine.Memory }

func (f faulty) Publish(m *engine.Message, deliver func(*engine.Message)) (bool, error) {
	if m.Key.Type == "boom" {
		panic("boom")
	}
	return f.Memory.Publish(m, deliver)
}

func TestOneFaultKillsAll(t *testing.T) {
	wikis, _, err := auth.OpenWikis("", nil)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	env := &conn.Env{Limits: conn.DefaultLimits(), Auth: &auth.Auth{Wikis: wikis, Open: true}, Hub: hub.New(), Engine: faulty{engine.NewMemory()},
		Log: slog.New(slog.NewTextHandler(&log, nil)), Warn: func(string, string, ...any) {}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn.Accept(w, r, env, auth.Identity{})
	}))
	ctx, cancel := context.WithTimeout(context.Background(), leak.Patience)
	defer cancel()
	dial := func() *websocket.Conn {
		c, _, err := websocket.Dial(ctx, s.URL, &websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ask := func(c *websocket.Conn, command string) string {
		c.Write(ctx, websocket.MessageText, []byte(command))
		_, reply, err := c.Read(ctx)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		return string(reply)
	}
	victim, other := dial(), dial()
	for _, c := range []*websocket.Conn{victim, other} {
		ask(c, `{"id":1,"op":"connect"}`)
		ask(c, `{"id":2,"op":"subscribe","type":"T"}`)
	}
	victim.Write(ctx, websocket.MessageText, []byte(`{"type":"boom"}`))
	if _, _, err := victim.Read(ctx); websocket.CloseStatus(err) != websocket.StatusCode(wire.CloseInternal.Code) {
		t.Errorf("the victim ended with %v", err)
	}
	if got := ask(other, `{"type":"T","msg":1}`); !strings.HasPrefix(got, `{"type":"T","msg":1`) {
		t.Errorf("the other got %s", got)
	}
	other.Close(websocket.StatusNormalClosure, "")
	env.Wait()
	s.Close()
	if env.Panics.Load() != 1 || !strings.Contains(log.String(), "fault=boom") {
		t.Errorf("%d faults counted\n%s", env.Panics.Load(), &log)
	}
}
