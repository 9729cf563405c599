package client_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// Every call returns when its context ends, also without a connection; TestMain looks for what is left behind.
func TestContextsThatEnd(t *testing.T) {
	_, address := relay(t)
	for _, classic := range []bool{false, true} {
		l := lineTo(t, address)
		lost := make(chan error, 10)
		c := open(t, client.Options{URL: "ws://" + l.Addr().String() + "/", Token: everything("Ann"), Classic: classic, Disconnected: func(err error) { lost <- err }})
		l.cut()
		next(t, lost)
		for what, call := range map[string]func(context.Context) error{
			"Send":     func(ctx context.Context) error { return c.Send(ctx, "a:Chat", 1) },
			"Receive":  func(ctx context.Context) error { _, err := c.Receive(ctx); return err },
			"Presence": func(ctx context.Context) error { _, err := c.Presence(ctx, "a:Chat"); return err },
			"Subscribe": func(ctx context.Context) error {
				_, err := c.Subscribe(ctx, "a:Chat", client.Since{}, nil)
				return err
			},
		} {
			if classic && (what == "Subscribe" || what == "Presence") {
				continue // they do not wait
			}
			ended, cancel := context.WithCancel(context.Background())
			result := make(chan error)
			go func() { result <- call(ended) }()
			cancel()
			if err := next(t, result); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", what, err)
			}
		}
		c.Close()
	}
}

func TestOpenGivesUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says anything
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for address, says := range map[string]string{silent.Addr().String(): "context canceled", "127.0.0.1:1": "connection refused"} {
		for _, classic := range []bool{false, true} {
			ctx, cancel := context.WithCancel(context.Background())
			result := make(chan error, 1)
			failed := make(chan bool, 10)
			go func() {
				_, err := client.Open(ctx, client.Options{URL: "ws://" + address + "/", Classic: classic, Disconnected: func(error) { failed <- true }})
				result <- err
			}()
			if strings.Contains(says, "refused") {
				next(t, failed)
			}
			cancel()
			if err := next(t, result); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s, classic %v: %v", address, classic, err)
			}
		}
	}
}

func TestClosedClient(t *testing.T) {
	for _, classic := range []bool{false, true} {
		r, address := relay(t)
		c := open(t, client.Options{URL: "ws://" + address + "/", Token: everything("Ann"), Classic: classic})
		bob := open(t, client.Options{URL: "ws://" + address + "/", Token: everything("Bob")})
		r.Await(t, "both clients", func(s relaytest.Stats) bool { return s.Clients == 2 && s.Connections == 2 })
		stop := subscribe(t, c, "a:Other", nil)
		waits := make(chan error)
		go func() { _, err := c.Receive(context.Background()); waits <- err }()
		closed := make(chan bool)
		subscribe(t, c, "a:Chat", func(client.Message) {
			c.Close() // from its own function
			close(closed)
		})
		send(t, bob, "a:Chat", 1)
		next(t, closed)
		if err := next(t, waits); err != client.ErrClosed {
			t.Error(err)
		}
		stop()
		_, receive := c.Receive(wide(t))
		_, subscribe := c.Subscribe(wide(t), "a:Chat", client.Since{}, nil)
		for _, err := range []error{receive, subscribe, c.Send(wide(t), "a:Chat", 1), c.Err()} {
			if err != client.ErrClosed {
				t.Errorf("classic %v: %v", classic, err)
			}
		}
		next(t, c.Done())
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSlowProgramIsTold(t *testing.T) {
	_, address := relay(t)
	c := open(t, client.Options{URL: "ws://" + address + "/", Token: everything("Ann")})
	subscribe(t, c, "a:Chat", nil)
	for n := range client.InboxMessages + 2 {
		c.Deliver(client.Message{Type: "a:Chat", Offset: uint64(n + 1)})
	}
	for n := range client.InboxMessages {
		if m, err := c.Receive(wide(t)); err != nil || m.Offset != uint64(n+1) {
			t.Fatalf("%d: %d %v", n, m.Offset, err)
		}
	}
	c.Deliver(client.Message{Type: "a:Chat", Offset: 1 << 40})
	if _, err := c.Receive(wide(t)); !errors.As(err, new(*client.MissedError)) {
		t.Errorf("not told of two that were left out: %v", err)
	}
	if m, err := c.Receive(wide(t)); err != nil || m.Offset != 1<<40 {
		t.Errorf("%d %v", m.Offset, err)
	}
}

func TestClassicMode(t *testing.T) {
	r, address := relay(t)
	l := lineTo(t, address)
	missed := make(chan string, 10)
	called := make(chan client.Message, 10)
	up := make(chan bool, 10)
	ann := open(t, client.Options{URL: "ws://" + l.Addr().String() + "/", Classic: true, ID: "WSann", Token: everything("Ann"),
		Missed: func(typ string) { missed <- typ }, Connected: func(client.Welcome) { up <- true }})
	next(t, up)
	subscribe(t, ann, "a:Chat", func(m client.Message) { called <- m })
	bob := open(t, client.Options{URL: "ws://" + address + "/", Classic: true, Token: everything("Bob")})
	r.Await(t, "two clients", func(s relaytest.Stats) bool { return s.Clients == 2 }) // the mode has no answers
	send(t, bob, "a:Chat", "hello", "WSann")
	if m := next(t, called); m.Text() != "hello" || m.From != bob.ID() {
		t.Errorf("%+v", m)
	}
	l.cut()
	l.mend()
	next(t, up)
	if typ := next(t, missed); typ != "a:Chat" {
		t.Error(typ)
	}
	r.Await(t, "two clients", func(s relaytest.Stats) bool { return s.Connections == 2 && s.Clients == 2 })
	send(t, bob, "a:Chat", "again", "WSann")
	if m := next(t, called); m.Text() != "again" {
		t.Errorf("%+v", m)
	}
	var refused *wire.Error
	if _, err := ann.Presence(wide(t), "a:Chat"); !errors.As(err, &refused) {
		t.Error(err)
	}
	if _, err := ann.Subscribe(wide(t), "a:Chat", client.Since{Time: 1}, nil); !errors.As(err, &refused) {
		t.Error(err)
	}
	_, err := client.Open(wide(t), client.Options{URL: "ws://" + address + "/", Classic: true, Token: "bad"})
	if !errors.As(err, &refused) || refused.Code != wire.Unauthorized {
		t.Errorf("bad token: %v", err)
	}
}
