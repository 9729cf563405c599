package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// wide is the context of what must come to be.
func wide(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), relaytest.Patience)
	t.Cleanup(cancel)
	return ctx
}

func everything(user string) string {
	return relaytest.Token("a:", "connect", user, map[string]any{"allow": map[string][]string{"subscribe": {"*"}, "send": {"*"}, "presence": {"*"}}})
}

func open(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.Open(wide(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func subscribe(t *testing.T, c *client.Client, typ string, f func(client.Message)) (unsubscribe func()) {
	t.Helper()
	unsubscribe, err := c.Subscribe(wide(t), typ, client.Since{}, f)
	if err != nil {
		t.Fatal(err)
	}
	return unsubscribe
}

func send(t *testing.T, c *client.Client, typ string, msg any, to ...string) {
	t.Helper()
	if err := c.Send(wide(t), typ, msg, to...); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c *client.Client, want string) client.Message {
	t.Helper()
	m, err := c.Receive(wide(t))
	if err != nil || string(m.Msg) != want {
		t.Fatalf("%s %v, want %s", m.Msg, err, want)
	}
	return m
}

func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(relaytest.Patience):
		t.Fatal("nothing comes")
		panic("unreachable")
	}
}

func TestMessagesBetweenPrograms(t *testing.T) {
	_, address := relay(t)
	ann := open(t, client.Options{URL: "ws://" + address + "/", Token: everything("Ann")})
	bob := open(t, client.Options{URL: "http://" + address, Token: everything("Bob"), ID: "bob"})
	called := make(chan client.Message, 10)
	stop := subscribe(t, bob, "a:Chat", func(m client.Message) { called <- m })
	subscribe(t, bob, "a:Chat", nil)
	subscribe(t, ann, "a:Chat", nil)
	send(t, ann, "a:Chat", map[string]any{"n": 1})
	m := receive(t, bob, `{"n":1}`)
	if m.From != ann.ID() || m.User != "Ann" || m.Wiki || m.Offset == 0 || m.Epoch == "" || m.To != nil || m.Type != "a:Chat" {
		t.Errorf("%+v", m)
	}
	if other := next(t, called); string(other.Msg) != `{"n":1}` {
		t.Errorf("%s", other.Msg)
	}
	stop()
	stop()
	send(t, ann, "a:Chat", "for Bob", "bob", "carol")
	if m := receive(t, bob, `"for Bob"`); m.Text() != "for Bob" || !slices.Equal(m.To, []string{"bob", "carol"}) {
		t.Errorf("%+v", m)
	}
	send(t, bob, "a:Chat", json.RawMessage(`[1]`)) // Ann has not got her own
	receive(t, ann, `[1]`)
	if len(called) != 0 {
		t.Error("called after the end of the subscription")
	}
	if p, err := ann.Presence(wide(t), "a:Chat"); err != nil || p.Count != 2 || !slices.Equal(p.Users, []string{"Ann", "Bob"}) {
		t.Errorf("%+v %v", p, err)
	}
	var refused *wire.Error
	if _, err := ann.Presence(wide(t), "a:Other"); !errors.As(err, &refused) || refused.Code != wire.Forbidden {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	_, address := relay(t)
	url := "ws://" + address + "/"
	ann := open(t, client.Options{URL: url, Token: everything("Ann")})
	refuses := func(what string, err error, code wire.Code) {
		t.Helper()
		var refused *wire.Error
		if !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	}
	refuses("system type", ann.Send(wide(t), "a:@changes", 1), wire.Forbidden)
	refuses("too large", ann.Send(wide(t), "a:Chat", make([]byte, 60<<10)), wire.TooLarge)
	refuses("no JSON", ann.Send(wide(t), "a:Chat", func() {}), wire.BadRequest)
	refuses("empty type", ann.Send(wide(t), "", 1), wire.BadRequest)
	_, err := ann.Subscribe(wide(t), "a:Token", client.Since{}, nil)
	refuses("no subscription token", err, wire.Unauthorized)
	_, err = ann.Subscribe(wide(t), "", client.Since{}, nil)
	refuses("no type", err, wire.BadRequest)
	for _, token := range []string{"x", relaytest.Token("a:", "publish", "", nil), relaytest.Token("a:", "connect", "", map[string]any{"exp": 1})} {
		_, err = client.Open(wide(t), client.Options{URL: url, Token: token})
		var refused *wire.Error
		if !errors.As(err, &refused) || refused.Code != wire.Unauthorized && refused.Code != wire.Expired {
			t.Errorf("token %s: %v", token, err)
		}
	}
	for _, o := range []client.Options{{URL: "host:1729"}, {URL: "ftp://host/"}, {URL: "ws://"}, {}, {URL: url, ID: "a b"}} {
		_, err = client.Open(wide(t), o)
		refuses("options", err, wire.BadRequest)
	}
	if err := ann.Err(); err != nil {
		t.Errorf("refusals have ended the client: %v", err)
	}
}

func TestTokensAndGrantsAreFetched(t *testing.T) {
	r, address := relay(t)
	tokens := make(chan error, 10)
	gave := make(chan string, 10)
	lost := make(chan error, 10)
	tokens <- errors.New("the wiki is away")
	tokens <- nil
	c := open(t, client.Options{URL: "ws://" + address + "/",
		TokenFunc: func(ctx context.Context) (string, error) {
			var err error
			select {
			case err = <-tokens:
			case <-ctx.Done():
				return "", ctx.Err()
			}
			gave <- "token"
			// Issued later than what is revoked.
			return relaytest.Token("a:", "connect", "Ann", map[string]any{"iat": time.Now().Add(2 * time.Second).Unix(), "exp": time.Now().Add(time.Hour).Unix()}), err
		},
		GrantFunc: func(_ context.Context, types []string) (map[string]string, error) {
			gave <- types[0]
			return map[string]string{types[0]: relaytest.Token("a:", "subscribe", "Ann", map[string]any{"type": types[0]})}, nil
		},
		Disconnected: func(err error) { lost <- err }})
	if err := next(t, lost); err.Error() != "client: connection lost: get a token: the wiki is away" {
		t.Error(err)
	}
	subscribe(t, c, "a:Token", nil)
	r.Publish(t, "a:", `[{"type":"a:Token","msg":1}]`)
	receive(t, c, "1")
	for _, want := range []string{"token", "token", "a:Token"} {
		if got := next(t, gave); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	tokens <- wire.NewError(wire.Forbidden, "Ann is blocked")
	r.HTTP(t, "POST", "http://relay/api/disconnect", `{"user":"Ann","before":`+jsonOf(time.Now().Add(3*time.Second).Unix())+`}`, "Content-Type: application/json",
		"Authorization: Bearer "+relaytest.Token("a:", "publish", "", nil))
	_, err := c.Receive(wide(t))
	var refused *wire.Error
	if !errors.As(err, &refused) || refused.Message != "Ann is blocked" || c.Err() != err {
		t.Errorf("%v, and the client ended with %v", err, c.Err())
	}
	next(t, c.Done())
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// line is a way to a relay that can be cut.
type line struct {
	net.Listener
	to    string
	mu    sync.Mutex
	conns []net.Conn
	down  bool
}

func lineTo(t *testing.T, address string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{Listener: listener, to: address}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.carry(&all, c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		l.cut()
		all.Wait()
	})
	return l
}

func (l *line) carry(all *sync.WaitGroup, c net.Conn) {
	defer c.Close()
	l.mu.Lock()
	down := l.down
	l.mu.Unlock()
	if down {
		return
	}
	other, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer other.Close()
	l.mu.Lock()
	if l.down { // by now
		l.mu.Unlock()
		return
	}
	l.conns = append(l.conns, c, other)
	l.mu.Unlock()
	all.Go(func() { io.Copy(other, c); other.Close() })
	io.Copy(c, other)
}

// cut ends what is there and lets nobody through until mend.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

func TestConnectionComesBack(t *testing.T) {
	r, address := relay(t)
	l := lineTo(t, address)
	events := make(chan string, 100)
	c := open(t, client.Options{URL: "ws://" + l.Addr().String() + "/", Token: everything("Ann"),
		Connected: func(w client.Welcome) { events <- "connected " + w.User }, Disconnected: func(err error) {
			if lost := new(client.Lost); !errors.As(err, &lost) {
				t.Errorf("%v is final", err)
			}
			events <- "disconnected"
		}})
	expect := func(want string) {
		t.Helper()
		if got := next(t, events); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	subscribe(t, c, "a:Chat", nil)
	subscribe(t, c, "a:Plain", nil)
	expect("connected Ann")
	l.cut()
	expect("disconnected")
	r.Publish(t, "a:", `[{"type":"a:Chat","msg":1},{"type":"a:Plain","msg":2},{"type":"a:Chat","msg":3}]`)
	sent := make(chan error)
	go func() { sent <- c.Send(wide(t), "a:Chat", "meanwhile") }()
	l.mend()
	expect("connected Ann")
	var got []string
	for range 3 {
		m, err := c.Receive(wide(t))
		missed := new(client.MissedError)
		if errors.As(err, &missed) {
			got = append(got, "missed "+missed.Type)
		} else {
			got = append(got, string(m.Msg))
		}
	}
	slices.Sort(got) // between types there is no order
	if !slices.Equal(got, []string{"1", "3", "missed a:Plain"}) {
		t.Errorf("%q", got)
	}
	if err := next(t, sent); err != nil {
		t.Error(err)
	}
	m, err := c.Receive(contextOf(t, func() { r.Publish(t, "a:", `[{"type":"a:Plain","msg":4}]`) }))
	if err != nil || string(m.Msg) != "4" {
		t.Errorf("%s %v", m.Msg, err)
	}
}

// contextOf does something and returns [wide].
func contextOf(t *testing.T, f func()) context.Context {
	f()
	return wide(t)
}

func TestSinceAPosition(t *testing.T) {
	r, address := relay(t)
	first := open(t, client.Options{URL: "ws://" + address + "/", Token: everything("Ann")})
	subscribe(t, first, "a:Chat", nil)
	r.Publish(t, "a:", `[{"type":"a:Chat","msg":1},{"type":"a:Chat","msg":2},{"type":"a:Chat","msg":3}]`)
	m := receive(t, first, "1")
	second := open(t, client.Options{URL: "ws://" + address + "/", Token: everything("Ann")})
	if _, err := second.Subscribe(wide(t), "a:Chat", client.Since{Epoch: m.Epoch, Offset: m.Offset}, nil); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, second, "2"); m.Epoch == "" {
		t.Error("no epoch")
	}
	receive(t, second, "3")
	if _, err := second.Subscribe(wide(t), "a:Chat", client.Since{Time: 1}, nil); err == nil {
		t.Error("a second since is taken")
	}
	third := open(t, client.Options{URL: "ws://" + address + "/", Token: everything("Ann")})
	if _, err := third.Subscribe(wide(t), "a:Chat", client.Since{Epoch: "other", Offset: 1}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Receive(wide(t)); !errors.As(err, new(*client.MissedError)) {
		t.Error(err)
	}
}

func TestParseSince(t *testing.T) {
	for text, want := range map[string]client.Since{"": {}, "5": {Time: 5}, "E:7": {Epoch: "E", Offset: 7}} {
		if got, err := client.ParseSince(text); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"x", ":1", "E:", "-1", "E:-1", "9007199254740992000"} {
		if _, err := client.ParseSince(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
