package wikitest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// A Handshake says how a program that is no browser connects to the relay.
type Handshake struct {
	// Classic leaves out the subprotocol of v1.
	Classic bool
	// Origin is the header; default none.
	Origin string
	// Bearer is the token of the Authorization header; default none.
	Bearer string
	// URL is the address; default the relay's own port.
	URL string
}

// A Socket is a connection to the relay. It keeps all that it receives.
type Socket struct {
	t    testing.TB
	conn *websocket.Conn

	mu     sync.Mutex
	frames []string
	end    error // why it has ended; nil while it has not
	asked  int
}

// RelayURL is the address of the relay's own port.
func (w *Wiki) RelayURL() string { return fmt.Sprintf("ws://127.0.0.1:%d/", w.RelayPort) }

// TryDial opens a connection to the wiki's relay. When the relay refuses it,
// the answer says how.
func (w *Wiki) TryDial(t testing.TB, h Handshake) (*Socket, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	options := &websocket.DialOptions{HTTPHeader: make(http.Header)}
	if w.Options.TLS {
		options.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: w.TLSConfig()}}
	}
	if !h.Classic {
		options.Subprotocols = []string{"mediawiki.websocket.v1"}
	}
	if h.Origin != "" {
		options.HTTPHeader.Set("Origin", h.Origin)
	}
	if h.Bearer != "" {
		options.HTTPHeader.Set("Authorization", "Bearer "+h.Bearer)
	}
	if h.URL == "" {
		h.URL = w.RelayURL()
	}
	conn, answer, err := websocket.Dial(ctx, h.URL, options)
	if err != nil {
		return nil, answer, err
	}
	conn.SetReadLimit(-1)
	s := &Socket{t: t, conn: conn}
	done := make(chan struct{})
	go s.read(done)
	t.Cleanup(func() {
		conn.CloseNow()
		<-done
	})
	return s, answer, nil
}

// Dial is TryDial for a handshake that must succeed.
func (w *Wiki) Dial(t testing.TB, h Handshake) *Socket {
	t.Helper()
	s, answer, err := w.TryDial(t, h)
	if err != nil {
		t.Fatalf("dial %s: %v %v", w.RelayURL(), err, answer)
	}
	return s
}

func (s *Socket) read(done chan<- struct{}) {
	defer close(done)
	for {
		_, data, err := s.conn.Read(context.Background()) // ends with the connection
		s.mu.Lock()
		if err != nil {
			s.end = err
			s.mu.Unlock()
			return
		}
		s.frames = append(s.frames, string(data))
		s.mu.Unlock()
	}
}

// Send sends a text frame.
func (s *Socket) Send(frame string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
		s.t.Fatalf("send %.100s: %v", frame, err)
	}
}

// Ask sends a command of v1, written without its id and its outer braces, and
// returns the reply without both.
func (s *Socket) Ask(command string) string {
	s.t.Helper()
	s.asked++
	head := fmt.Sprintf(`{"id":%d,`, s.asked)
	s.Send(head + command + "}")
	reply := s.Wait("the reply to "+command, func(frame string) bool { return strings.HasPrefix(frame, head) })
	return strings.TrimSuffix(strings.TrimPrefix(reply, head), "}")
}

// Connect sends the first command of v1.
func (s *Socket) Connect(token string, clients ...string) string {
	s.t.Helper()
	list := ""
	if len(clients) > 0 {
		list = `"` + strings.Join(clients, `","`) + `"`
	}
	return s.Ask(fmt.Sprintf(`"op":"connect","token":%q,"clients":[%s]`, token, list))
}

// Subscribe subscribes; token is a subscription token, or "".
func (s *Socket) Subscribe(name, token string) string {
	s.t.Helper()
	command := fmt.Sprintf(`"op":"subscribe","type":%q`, name)
	if token != "" {
		command += fmt.Sprintf(`,"token":%q`, token)
	}
	return s.Ask(command)
}

// Wait waits for a frame and returns it. It fails the test when the
// connection ends before that.
func (s *Socket) Wait(what string, wanted func(frame string) bool) string {
	s.t.Helper()
	var found string
	Eventually(s.t, what, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if i := slices.IndexFunc(s.frames, wanted); i >= 0 {
			found = s.frames[i]
			return true
		}
		if s.end != nil {
			s.t.Fatalf("%s: the connection has ended: %v; it got %q", what, s.end, s.frames)
		}
		return false
	})
	return found
}

// Settle returns when all that the relay had sent has arrived.
func (s *Socket) Settle() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if s.conn.Ping(ctx) != nil {
		Eventually(s.t, "the end of a connection that takes no ping", s.Ended)
	}
}

// Received returns all that has arrived.
func (s *Socket) Received() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.frames, "\n")
}

// Ended reports whether the connection has ended.
func (s *Socket) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end != nil
}

// CloseCode returns the code of the close frame that ended the connection; -1
// when there was none.
func (s *Socket) CloseCode() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var closed websocket.CloseError
	if errors.As(s.end, &closed) {
		return int(closed.Code)
	}
	return -1
}

// Token asks the wiki for a token with which the session's user connects.
func (s *Session) Token(t testing.TB) string {
	t.Helper()
	answer := s.API(t, Params{"action": "websocket-token"})
	return answer["websocket-token"].(map[string]any)["token"].(string)
}

// Token returns the token with which the tab connects, asked for with the
// tab's own session.
func (tab *Tab) Token() string {
	tab.t.Helper()
	return Eval[string](tab, `mw.loader.using( 'mediawiki.api' ).then( () => new mw.Api().get( { action: 'websocket-token' } ) )
		.then( ( answer ) => answer[ 'websocket-token' ].token )`)
}

// Flood sends a frame up to n times, as fast as the relay lets it, and returns
// how often it could.
func (s *Socket) Flood(frame string, n int) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i := range n {
		if s.conn.Write(ctx, websocket.MessageText, []byte(frame)) != nil {
			return i
		}
	}
	return n
}
