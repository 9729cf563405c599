package relaytest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/wire"
)

// Client is a connection to a relay, from outside.
type Client struct {
	*websocket.Conn
	t        testing.TB
	patience time.Duration
}

// Dial opens a connection and fails the test when it is refused. url is "/", "/websocket", … or a whole ws:// URL; headers are "Name: value".
func (r *Relay) Dial(t testing.TB, url, subprotocol string, headers ...string) *Client {
	t.Helper()
	c, answer, err := r.TryDial(url, subprotocol, headers...)
	if err != nil {
		t.Fatalf("dial %s: %v (%v)", url, err, answer)
	}
	t.Cleanup(func() { c.CloseNow() })
	return &Client{c, t, r.patience}
}

// TryDial opens a connection that may be refused; then the answer says how.
func (r *Relay) TryDial(url, subprotocol string, headers ...string) (*websocket.Conn, *http.Response, error) {
	if strings.HasPrefix(url, "/") {
		url = "ws://relay" + url
	}
	options := &websocket.DialOptions{HTTPClient: r.client, HTTPHeader: make(http.Header), CompressionMode: r.Deflate, CompressionThreshold: 1}
	if r.Mute {
		options.OnPingReceived = func(context.Context, []byte) bool { return false }
	}
	if subprotocol != "" {
		options.Subprotocols = []string{subprotocol}
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		options.HTTPHeader.Add(name, value)
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	c, answer, err := websocket.Dial(ctx, url, options)
	if err == nil {
		c.SetReadLimit(-1)
	}
	return c, answer, err
}

// Classic opens a classic connection and registers it under an id that no other connection has, unless that is "". No other connection may be ending
// meanwhile: it goes by the number of ids.
func (r *Relay) Classic(t testing.TB, id string, headers ...string) *Client {
	t.Helper()
	before := r.Stats(t).Clients
	c := r.Dial(t, "/", "", headers...)
	if id != "" {
		c.Send(`{"type":"Register","from":"` + id + `"}`)
		r.Await(t, "registration", func(s Stats) bool { return s.Clients > before })
	}
	return c
}

// V1 opens a connection in mode v1 and connects it with the token, "" for none, and the clients.
func (r *Relay) V1(t testing.TB, token string, clients ...string) *Client {
	t.Helper()
	c := r.Dial(t, "/", wire.Subprotocol)
	list := ""
	if len(clients) > 0 {
		list = `"` + strings.Join(clients, `","`) + `"`
	}
	c.Send(`{"id":1,"op":"connect","token":"` + token + `","clients":[` + list + `]}`)
	if got := c.Next(); !strings.HasPrefix(got, `{"id":1,"ok":{"session":`) {
		t.Fatalf("connect: %s", got)
	}
	return c
}

// Send sends a text frame.
func (c *Client) Send(text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("send %.100s: %v", text, err)
	}
}

// Next returns the next frame.
func (c *Client) Next() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	typ, data, err := c.Read(ctx)
	if err != nil || typ != websocket.MessageText {
		c.t.Fatalf("no frame: %v (type %v)", err, typ)
	}
	return string(data)
}

// Ask sends a command and returns the next frame.
func (c *Client) Ask(command string) string {
	c.t.Helper()
	c.Send(command)
	return c.Next()
}

// Expect fails the test unless exactly these frames come next.
func (c *Client) Expect(frames ...string) {
	c.t.Helper()
	for _, want := range frames {
		if got := c.Next(); got != want {
			c.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// Subscribe subscribes a v1 connection.
func (c *Client) Subscribe(types ...string) {
	c.t.Helper()
	for _, t := range types {
		if got := c.Ask(`{"id":9,"op":"subscribe","type":"` + t + `"}`); !strings.HasPrefix(got, `{"id":9,"ok":{"epoch":`) {
			c.t.Fatalf("subscribe: %s", got)
		}
	}
}

// ExpectNothing fails the test if anything waits for a v1 connection: what was queued for it comes before the answer to a command without effect.
// That is no ping, of which a relay takes few.
func (c *Client) ExpectNothing() {
	c.t.Helper()
	if got := c.Ask(`{"id":8,"op":"unsubscribe","type":"nothing"}`); got != `{"id":8,"ok":{}}` {
		c.t.Fatalf("got %s, want nothing", got)
	}
}

// ExpectClose reads on until the connection ends and fails the test unless it ends with that code and reason.
func (c *Client) ExpectClose(want wire.Close) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	for {
		_, _, err := c.Read(ctx)
		if err == nil {
			continue
		}
		var got websocket.CloseError
		if !errors.As(err, &got) || int(got.Code) != want.Code || got.Reason != want.Reason {
			c.t.Fatalf("ended with %v, want %d %q", err, want.Code, want.Reason)
		}
		return
	}
}
