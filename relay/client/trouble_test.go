package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// TestCloseInTokenFunc: a program that finds its session over there may end the client there.
func TestCloseInTokenFunc(t *testing.T) {
	_, address := relay(t)
	for _, classic := range []bool{false, true} {
		l := lineTo(t, address)
		opened, closed := make(chan *client.Client, 1), make(chan bool)
		first := true
		c := open(t, client.Options{URL: "ws://" + l.Addr().String() + "/", Classic: classic, TokenFunc: func(context.Context) (string, error) {
			if first { // and good for a moment, so that another is asked for
				first = false
				return relaytest.Token("a:", "connect", "Ann", map[string]any{"exp": time.Now().Add(2 * time.Second).Unix()}), nil
			}
			(<-opened).Close()
			close(closed)
			return "", errors.New("the session is over")
		}})
		opened <- c
		l.cut()
		l.mend()
		next(t, closed)
		next(t, c.Done())
	}
}

// TestTokenRunsOutBetweenConnections: there is another.
func TestTokenRunsOutBetweenConnections(t *testing.T) {
	_, address := relay(t)
	old := relaytest.Token("a:", "connect", "Ann", map[string]any{"iat": 1, "exp": time.Now().Add(-time.Minute).Unix()})
	for _, classic := range []bool{false, true} {
		asked := 0
		c := open(t, client.Options{URL: "ws://" + address + "/", Classic: classic, TokenFunc: func(context.Context) (string, error) {
			if asked++; asked == 1 {
				return old, nil
			}
			return everything("Ann"), nil
		}})
		if err := c.Err(); err != nil {
			t.Errorf("classic %v: %v", classic, err)
		}
	}
	asked := 0
	_, err := client.Open(wide(t), client.Options{URL: "ws://" + address + "/", Classic: true, TokenFunc: func(context.Context) (string, error) {
		asked++
		return old, nil
	}})
	if refused := new(wire.Error); !errors.As(err, &refused) || refused.Code != wire.Expired || asked != 2 {
		t.Errorf("%v after %d tokens", err, asked)
	}
}

// TestAnswerToWhatWasGivenUp: it does not count as the answer to a question that came later.
func TestAnswerToWhatWasGivenUp(t *testing.T) {
	asked, answer := make(chan int, 10), make(chan int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // a relay that answers when it is told to
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		go func() { // ends with the test
			for id := range answer {
				c.Write(context.Background(), websocket.MessageText, []byte(`{"id":`+jsonOf(id)+`,"ok":{"epoch":"E"}}`))
			}
		}()
		for {
			_, text, err := c.Read(context.Background())
			if err != nil {
				return
			}
			var f struct {
				ID int
				Op string
			}
			json.Unmarshal(text, &f)
			switch f.Op {
			case wire.OpConnect:
				answer <- f.ID
			case wire.OpSubscribe:
				asked <- f.ID
			case wire.OpPresence:
				c.Write(context.Background(), websocket.MessageText, []byte(`{"id":`+jsonOf(f.ID)+`,"ok":{}}`))
			}
		}
	}))
	defer s.Close()
	defer close(answer)
	c, err := client.Open(wide(t), client.Options{URL: s.URL + "/"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() { _, err := c.Subscribe(ctx, "a:Chat", client.Since{}, nil); first <- err }()
	id := next(t, asked)
	cancel()
	if err := next(t, first); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() { _, err := c.Subscribe(wide(t), "a:Chat", client.Since{}, nil); second <- err }()
	again := next(t, asked)
	answer <- id
	if _, err := c.Presence(wide(t), "a:Chat"); err != nil { // the answer before has been heard
		t.Fatal(err)
	}
	if len(second) != 0 {
		t.Errorf("it is taken for the answer: %v", <-second)
		return
	}
	answer <- again
	if err := next(t, second); err != nil {
		t.Error(err)
	}
}

// TestPublisherWaitsForNobodysToken: a call ends with its own context, whatever another one waits for.
func TestPublisherWaitsForNobodysToken(t *testing.T) {
	_, address := relay(t)
	fetching, give := make(chan bool), make(chan bool)
	p := &client.Publisher{URL: "ws://" + address, TokenFunc: func(context.Context) (string, error) {
		close(fetching)
		<-give
		return relaytest.Token("a:", "publish", "", nil), nil
	}}
	first := make(chan error)
	go func() {
		_, err := p.Publish(context.Background(), client.Publication{Type: "a:Chat", Msg: 1})
		first <- err
	}()
	next(t, fetching)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	second := make(chan error, 1)
	go func() {
		_, err := p.Publish(ended, client.Publication{Type: "a:Chat", Msg: 2})
		second <- err
	}()
	if err := next(t, second); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(give)
	if err := next(t, first); err != nil {
		t.Error(err)
	}
}

// TestPublishersTokenIsRefused: another is fetched for one from before, and not more than once.
func TestPublishersTokenIsRefused(t *testing.T) {
	_, address := relay(t)
	var asked atomic.Int32
	good := relaytest.Token("a:", "publish", "", nil)
	tokens := map[int32]string{1: good, 2: relaytest.Token("a:", "publish", "", map[string]any{"iat": 1, "exp": 2}), 3: good}
	p := &client.Publisher{URL: "ws://" + address, TokenFunc: func(context.Context) (string, error) { return tokens[asked.Add(1)], nil }}
	publish := func() error { _, err := p.Publish(wide(t), client.Publication{Type: "a:Chat", Msg: 1}); return err }
	for range 2 {
		if err := publish(); err != nil || asked.Load() != 1 {
			t.Fatalf("%v after %d tokens", err, asked.Load())
		}
	}
	p.Forget()
	if refused := new(wire.Error); !errors.As(publish(), &refused) || refused.Code != wire.Expired || asked.Load() != 2 {
		t.Errorf("%v after %d tokens", refused, asked.Load())
	}
	p.Pretend("no token")
	if err := publish(); err != nil || asked.Load() != 3 {
		t.Errorf("%v after %d tokens", err, asked.Load())
	}
}
