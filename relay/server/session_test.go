package server_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

func TestConnectComesFirstAndOnce(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.Dial(t, "/", wire.Subprotocol)
	for _, op := range []string{`"op":"ping"`, `"op":"subscribe","type":"T"`, `"op":"send","type":"T"`, `"op":"register","client":"x"`, `"op":"refresh","token":"x"`, `"type":"T"`} {
		if got := code(c.Ask(`{"id":1,` + op + `}`)); got != "not-connected" {
			t.Errorf("%s: %s", op, got)
		}
	}
	if got := c.Ask(`{"op":"dance"}`); !strings.HasPrefix(got, `{"error":{"code":"unknown-op"`) {
		t.Error(got)
	}
	if got := code(c.Ask(`{"id":2,"op":"connect"}`)); got != "ok" {
		t.Error(got)
	}
	if got := code(c.Ask(`{"id":3,"op":"connect"}`)); got != "bad-request" {
		t.Error(got)
	}
	c.ExpectNothing()
}

func TestConnectWithATokenThatDoesNotDo(t *testing.T) {
	r := relaytest.Start(t, farm)
	past := time.Now().Add(-time.Hour).Unix()
	for token, want := range map[string]struct {
		code  string
		close wire.Close
	}{
		"rubbish": {"unauthorized", wire.CloseUnauthorized},
		relaytest.Token("a:", "publish", "", nil):                                           {"unauthorized", wire.CloseUnauthorized},
		relaytest.Token("a:", "connect", "", map[string]any{"exp": past, "iat": past - 60}): {"expired", wire.CloseUnauthorized},
		relaytest.Token("a:", "connect", "", map[string]any{"exp": nil}):                    {"unauthorized", wire.CloseUnauthorized},
		relaytest.Token("a:", "connect", "", map[string]any{"iss": "b:"}):                   {"unauthorized", wire.CloseUnauthorized},
		connectToken("nosuch:", ""):                                                         {"unauthorized", wire.CloseUnknownWiki},
	} {
		c := r.Dial(t, "/", wire.Subprotocol)
		reply := c.Ask(`{"id":1,"op":"connect","token":"` + token + `"}`)
		if code(reply) != want.code || strings.Contains(reply, token) {
			t.Errorf("%s: %s, want %s", token, reply, want.code)
		}
		c.ExpectClose(want.close)
		if _, answer, err := r.TryDial("/", "", "Authorization: Bearer "+token); err == nil || answer.StatusCode != 401 {
			t.Errorf("classic with %s: %v", token, answer)
		}
	}
	if log := r.Log.String(); strings.Contains(log, "eyJ") {
		t.Errorf("a token in the log: %s", log)
	}
}

func TestConnectReply(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.Dial(t, "/", wire.Subprotocol)
	exp := time.Now().Add(time.Hour).Unix()
	got := c.Ask(`{"id":1,"op":"connect","token":"` + relaytest.Token("a:", "connect", `Zoë "Q"`, map[string]any{"exp": exp}) + `","clients":["WS1","WS2"]}`)
	_, rest, _ := strings.Cut(got, `","wiki"`)
	if want := `:"a:","user":"Zoë \"Q\"","ping":25,"expires":`; !strings.HasPrefix(rest, want) || !strings.HasSuffix(rest, "}}") {
		t.Errorf("%s, want %s…", got, want)
	}
	if n := r.Stats(t).Clients; n != 2 {
		t.Errorf("%d clients, want 2", n)
	}
}

func TestClientsComeAndGo(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.V1(t, "", "WS1")
	c.Subscribe("T")
	c.Ask(`{"id":2,"op":"register","client":"WS2"}`)
	if got := code(c.Ask(`{"id":3,"op":"send","type":"T"}`)); got != "bad-request" {
		t.Errorf("send without from by a connection of two clients: %s", got)
	}
	c.Ask(`{"id":4,"op":"release","client":"WS1"}`)
	if got := code(c.Ask(`{"id":5,"op":"send","type":"T","from":"WS1"}`)); got != "forbidden" {
		t.Errorf("send from a released client: %s", got)
	}
	r.Publish(t, "a:", `[{"type":"T","msg":1,"to":["WS1"]},{"type":"T","msg":2,"to":["WS2"]},{"type":"T","msg":3,"from":"WS2"}]`)
	expect(t, c, `{"type":"T","msg":2,"to":["WS2"],"wiki":true}`)
	c.ExpectNothing()
	c.Ask(`{"id":6,"op":"unsubscribe","type":"T"}`)
	r.Publish(t, "a:", `[{"type":"T","msg":4}]`)
	c.ExpectNothing()
	c.CloseNow()
	r.Await(t, "end", func(s relaytest.Stats) bool { return s.Connections+s.Clients+s.Types == 0 })
}

func TestSubscribeSaysWhetherAnythingWasMissed(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.V1(t, "", "WS1")
	ask := func(since string) (epoch, offset string, recovered bool) {
		reply := c.Ask(`{"id":2,"op":"subscribe","type":"T"` + since + `}`)
		c.Ask(`{"id":3,"op":"unsubscribe","type":"T"}`)
		_, rest, _ := strings.Cut(reply, `"epoch":"`)
		epoch, rest, _ = strings.Cut(rest, `"`)
		_, rest, _ = strings.Cut(rest, `"offset":`)
		offset, rest, ok := strings.Cut(rest, ",")
		if !ok {
			t.Fatal(reply)
		}
		return epoch, offset, strings.Contains(rest, "true")
	}
	epoch, offset, recovered := ask("")
	if !recovered {
		t.Error("a new subscription has missed something")
	}
	since := `,"since":{"epoch":"` + epoch + `","offset":` + offset + `}`
	r.Publish(t, "a:", `[{"type":"Other"}]`)
	if _, _, recovered = ask(since); !recovered {
		t.Error("a message of another type counts")
	}
	r.Publish(t, "a:", `[{"type":"T"}]`)
	if _, _, recovered = ask(since); recovered {
		t.Error("a missed message does not count")
	}
	if _, _, recovered = ask(`,"since":{"epoch":"other","offset":99}`); recovered {
		t.Error("a position of another epoch counts")
	}
}

func TestRefresh(t *testing.T) {
	r := relaytest.Start(t, farm)
	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"same":         {connectToken("a:", "Ann"), true},
		"other user":   {connectToken("a:", "Bob"), false},
		"anonymous":    {connectToken("a:", ""), false},
		"other wiki":   {connectToken("b:", "Ann"), false},
		"not a token":  {"x", false},
		"less allowed": {relaytest.Token("a:", "connect", "Ann", map[string]any{"allow": map[string]any{}}), false},
	} {
		page := r.V1(t, connectToken("a:", "Ann"), "WS1")
		page.Subscribe("T")
		reply := page.Ask(`{"id":2,"op":"refresh","token":"` + c.token + `"}`)
		if c.ok != strings.HasPrefix(reply, `{"id":2,"ok":{"expires":`) && name != "less allowed" {
			t.Errorf("%s: %s", name, reply)
		}
		if c.ok {
			page.ExpectNothing()
		} else {
			page.ExpectClose(wire.CloseUnauthorized)
		}
	}
}

func TestBadFrames(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.V1(t, "", "WS1")
	for range 9 {
		if got := c.Ask(`{"op":`); !strings.HasPrefix(got, `{"error":{"code":"bad-request"`) {
			t.Fatal(got)
		}
	}
	c.ExpectNothing() // nine are borne
	c.Ask(`nonsense`)
	c.ExpectClose(wire.CloseBadProtocol)
}

// One page's mistakes must not end the connection that it shares with others.
func TestRefusedCommandsEndNothing(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.V1(t, "", "WS1")
	for range 20 {
		if got := c.Ask(`{"id":7,"op":"send","type":"T","to":["John Doe"]}`); !strings.HasPrefix(got, `{"id":7,"error":{"code":"bad-request"`) {
			t.Fatal(got)
		}
	}
	c.Subscribe("T")
}

func TestFramesThatEndAConnection(t *testing.T) {
	r := relaytest.Start(t, farm)
	long := func(n int) []byte { return []byte(`{"type":"T","msg":"` + strings.Repeat("x", n-21) + `"}`) }
	limit := wire.DefaultLimits().FrameBytes
	for _, mode := range []string{"", wire.Subprotocol} {
		for _, f := range []struct {
			typ  websocket.MessageType
			data []byte
			want wire.Close
		}{
			{websocket.MessageBinary, []byte(`{"type":"T"}`), wire.CloseBadProtocol},
			{websocket.MessageText, []byte("\"\xff\""), wire.CloseNotUTF8},
			{websocket.MessageText, long(limit + 1), wire.CloseTooLarge},
			{websocket.MessageText, long(4 * limit), wire.CloseTooLarge},
		} {
			c := r.Dial(t, "/", mode)
			if err := c.Write(context.Background(), f.typ, f.data); err != nil {
				t.Error(err)
			}
			c.ExpectClose(f.want)
		}
	}
	page, sender := r.V1(t, "", "WS1"), r.V1(t, "", "WS2")
	page.Subscribe("T")
	frame := string(long(limit))
	sender.Send(frame)
	expect(t, page, strings.TrimSuffix(frame, "}")+`,"from":"WS2"}`)
}

func TestLimitsAtTheLastAndOnePast(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) {
		farm(c)
		c.Limits.Types, c.Limits.Clients, c.Limits.Recipients = 3, 2, 2
	})
	c := r.V1(t, "", "WS1")
	c.Subscribe("1", "2", "3", "3")
	if got := code(c.Ask(`{"id":2,"op":"subscribe","type":"4"}`)); got != "limit" {
		t.Errorf("fourth type: %s", got)
	}
	c.Ask(`{"id":3,"op":"unsubscribe","type":"1"}`)
	c.Subscribe("4")
	for client, want := range map[string]string{"WS2": "ok", "WS1": "ok"} {
		if got := code(c.Ask(`{"id":4,"op":"register","client":"` + client + `"}`)); got != want {
			t.Errorf("client %s: %s", client, got)
		}
	}
	if got := code(c.Ask(`{"id":5,"op":"register","client":"WS3"}`)); got != "limit" {
		t.Errorf("third client: %s", got)
	}
	for to, want := range map[string]string{`["a","b"]`: "ok", `["a","b","c"]`: "limit"} {
		if got := code(c.Ask(`{"id":6,"op":"send","type":"2","from":"WS1","to":` + to + `}`)); got != want {
			t.Errorf("to %s: %s", to, got)
		}
	}
	for _, n := range []int{255, 256} {
		want := map[int]string{255: "ok", 256: "bad-request"}[n]
		if got := code(c.Ask(`{"id":7,"op":"send","from":"WS1","type":"` + strings.Repeat("é", n/2) + strings.Repeat("x", n%2) + `"}`)); got != want {
			t.Errorf("type of %d bytes: %s", n, got)
		}
	}
	for _, n := range []int{64, 65} {
		want := map[int]string{64: "limit", 65: "bad-request"}[n] // 64 is only one client too many
		if got := code(c.Ask(`{"id":8,"op":"register","client":"` + strings.Repeat("x", n) + `"}`)); got != want {
			t.Errorf("client id of %d bytes: %s", n, got)
		}
	}
}
