// Package client lets Go programs talk to a relay as pages do: [Open] a connection, send messages, get those of the types that the program wants.
//
// A connection is kept: when it is lost, the client comes back with jittered backoff, subscribes again and gets what it has missed, or says that it may
// have. That is the work of package session, which browsers run too. The classic mode, for relays that know nothing else, has none of that but the coming
// back; see [Options].
//
// Programs that act for a wiki and have its key need no connection to send: see [Publisher].
//
// Whoever wants the session itself gives [Config] to session.New: its tabs get a [*Message] to deliver, and send a [Body].
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// ErrClosed is the error of all methods of a client on which [Client.Close] was called.
var ErrClosed = errors.New("client: closed")

// Options say where a client connects, and as whom. Only URL must be there.
//
// Connected, Disconnected, Missed and Failed are called by one goroutine of the client, one after the other, as the functions of [Client.Subscribe] are. They
// may take their time and may call the client. For what is received with [Client.Receive] it is that which calls Missed.
type Options struct {
	URL string // of the relay: ws://host:1729/ or wss://wiki.example/websocket:1729; http and https count too

	// Token is a connect token, "" to be a visitor without an account. When it has run out or is revoked the client ends: give it a TokenFunc instead.
	Token string
	// TokenFunc returns a connect token, whenever one is needed; nil: there is Token only. After an error it is called again, with backoff, unless the error
	// is a [*wire.Error], which ends the client. It is called once more when its token is refused. It must return when ctx ends, and may call Close.
	TokenFunc func(ctx context.Context) (string, error)
	// GrantFunc returns the subscription tokens, by type, of those types for which the wiki gives one; nil: there are none. After an error it is called again.
	// It must return when ctx ends, and may call Close.
	GrantFunc func(ctx context.Context, types []string) (map[string]string, error)

	ID   string       // the client id, by which others send to this client; "": a random one
	HTTP *http.Client // makes the handshakes; nil: http.DefaultClient. See [Unix]

	// Classic makes it a connection of the classic mode: what is sent is not answered, and there is no history and no presence; after each
	// loss of the connection Missed is told of all types, and TokenFunc is called for each connection.
	Classic bool

	Connected    func(Welcome)                // there is a connection, again too, and all subscriptions are in place
	Disconnected func(err error)              // it is lost, or there was none at first. The client goes on trying, unless err is a [*wire.Error]
	Missed       func(typ string)             // messages of a type may be lost to this program: what it knows of it must be fetched again
	Failed       func(typ string, err *Error) // a subscription that was in place is there no more: its token was revoked, say. The program may try again
}

// Error is a refusal of the relay, with a code to compare and words for whoever reads them.
type Error = wire.Error

// Welcome is who the relay takes the client for.
type Welcome = session.Welcome

// Lost is the error with which a connection ended that the client tries to get back.
type Lost struct {
	Code    int // of the close frame, or 1006 without one (RFC 6455, section 7.4)
	Reason  string
	Refused *Error // what the relay had against this client, if it has said so; another token may help
}

func (l *Lost) Error() string {
	if l.Reason == "" {
		return "client: connection lost, close code " + strconv.Itoa(l.Code)
	}
	return "client: connection lost: " + l.Reason
}

// Client is a connection to a relay that comes back by itself. All its methods may be called from anywhere at once. Whoever has opened it must call
// [Client.Close], also when it has ended by itself.
type Client struct {
	o    Options
	id   string
	mode mode
	keys keys

	ctx    context.Context // until the client ends
	end    context.CancelCauseFunc
	all    sync.WaitGroup // the client's goroutines, but for the one that calls back
	calls  *inbox         // for functions
	pulled *inbox         // for Receive

	order sync.Mutex // held while subscriptions are changed, so that the mode hears of them in the same order

	mu        sync.Mutex
	topics    map[string]*topic
	first     chan struct{} // closed with the first connection
	failed    error         // how the last attempt ended
	questions map[int]*question
	asked     int
}

// mode is how a client speaks to the relay. Its methods return at once, but for send.
type mode interface {
	subscribe(typ string, since Since)
	unsubscribe(typ string)
	send(ctx context.Context, typ string, msg []byte, to []string) error
	ask(number int, typ string)
	close() // and waits until everything has ended
}

// Open connects. It returns when the relay has let the client in; meanwhile it tries again and again, until ctx is done, which has no meaning afterwards.
// The error is a [*wire.Error] when the relay does not want this client, else it is the context's and says how the last attempt ended.
func Open(ctx context.Context, o Options) (*Client, error) {
	url, err := socketURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.ID == "" {
		o.ID = "go" + rand.Text()
	}
	if err := wire.CheckClient(o.ID, wire.DefaultLimits().ClientBytes); err != nil {
		return nil, err
	}
	o.URL = url
	c := &Client{o: o, id: o.ID, keys: newKeys(), calls: newInbox(), pulled: newInbox(), topics: make(map[string]*topic), first: make(chan struct{}),
		questions: make(map[int]*question)}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	if o.Classic {
		c.mode = openClassic(c)
	} else {
		c.mode = openSession(c)
	}
	go c.callBack()
	select {
	case <-c.first:
		return c, nil
	case <-c.ctx.Done():
		err = context.Cause(c.ctx)
	case <-ctx.Done():
		c.mu.Lock()
		err = &notOpen{ctx.Err(), c.failed}
		c.mu.Unlock()
	}
	c.Close()
	return nil, err
}

// notOpen is the error of an [Open] for which there was no time.
type notOpen struct{ cause, last error }

func (e *notOpen) Error() string {
	if e.last == nil {
		return "client: not connected: " + e.cause.Error()
	}
	return "client: not connected: " + e.cause.Error() + "; the last attempt: " + strings.TrimPrefix(e.last.Error(), "client: ")
}

func (e *notOpen) Unwrap() []error {
	if e.last == nil {
		return []error{e.cause}
	}
	return []error{e.cause, e.last}
}

// ID returns the client id, by which others send to this client.
func (c *Client) ID() string { return c.id }

// Done is closed when the client has ended: it was closed, or the relay does not want it any more.
func (c *Client) Done() <-chan struct{} { return c.ctx.Done() }

// Err returns why the client has ended: [ErrClosed] or a [*wire.Error]; nil before.
func (c *Client) Err() error { return context.Cause(c.ctx) }

// Close sends what waits to be sent, if there is a connection, closes that and returns when all goroutines of the client have ended, but for one that may
// be in a function of the program: so such a function may call it. No other is called any more. A second call does nothing.
func (c *Client) Close() error {
	c.end(ErrClosed)
	c.mode.close()
	c.all.Wait()
	c.calls.close()
	c.pulled.close()
	return nil
}

// up: there is a connection.
func (c *Client) up(w Welcome) {
	c.mu.Lock()
	select {
	case <-c.first:
	default:
		close(c.first)
	}
	for n, q := range c.questions { // which had no answer
		c.all.Go(func() { c.mode.ask(n, q.typ) })
	}
	c.mu.Unlock()
	if f := c.o.Connected; f != nil {
		c.calls.say(func() { f(w) })
	}
}

// down: there is none. After a [*wire.Error] there will be none.
func (c *Client) down(err error) {
	if c.Err() != nil { // that has been said
		return
	}
	c.mu.Lock()
	c.failed = err
	c.mu.Unlock()
	if refused := new(Error); errors.As(err, &refused) {
		c.end(refused)
	}
	if f := c.o.Disconnected; f != nil {
		c.calls.say(func() { f(err) })
	}
}

// callBack calls the program's functions, one after the other, until the client is closed.
func (c *Client) callBack() {
	for {
		e, err := c.calls.next(context.Background())
		switch {
		case err != nil:
			return
		case e.call != nil:
			e.call()
		case e.message == nil:
			if f := c.o.Missed; f != nil {
				f(e.typ)
			}
		case !e.handler.gone.Load():
			e.handler.f(*e.message)
		}
	}
}

// socketURL returns the address for a handshake. Its error does not show what may be a password in it.
func socketURL(text string) (string, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	switch scheme = strings.ToLower(scheme); scheme {
	case "ws", "wss":
	case "http":
		scheme = "ws"
	case "https":
		scheme = "wss"
	default:
		ok = false
	}
	if !ok || rest == "" {
		return "", wire.NewError(wire.BadRequest, "the relay's address is ws://HOST:PORT/ or wss://HOST/PATH, not "+withoutPassword(text))
	}
	return scheme + "://" + rest, nil
}

// withoutPassword leaves out what stands in front of the host.
func withoutPassword(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "", url
	} else {
		scheme += "://"
	}
	return scheme + rest[strings.LastIndex(rest, "@")+1:]
}
