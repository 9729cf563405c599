package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/wire"
)

// Publisher publishes messages for a wiki, by POST /api/publish: for programs of whoever operates the wiki and has its key. URL must be set, and Key with Wiki,
// or TokenFunc. Nobody may change it any more when it is in use; then all its methods may be called from anywhere at once.
type Publisher struct {
	URL       string // of the relay's own port, http://HOST:1729, or of a web server that forwards /api/publish to it, too
	Wiki      string // the wiki id
	Key       []byte // the wiki's key, 32 bytes, with which the publisher makes its tokens
	TokenFunc func(ctx context.Context) (string, error)
	HTTP      *http.Client // nil: http.DefaultClient. See [Unix]

	once  sync.Once
	turn  chan struct{} // full while somebody has what follows
	token string
	until time.Time // for so long it is used
}

// Publication is a message of a wiki. Type must be set.
type Publication struct {
	Type  string   `json:"type"`
	Msg   any      `json:"msg"`             // anything that is or becomes JSON
	From  string   `json:"from,omitempty"`  // a client that shall not get it
	To    []string `json:"to,omitempty"`    // client ids; nobody: everybody
	Actor *string  `json:"actor,omitempty"` // the user whose doing it is: From counts only when it is the user's client then
	Key   string   `json:"key,omitempty"`   // that no other message of the wiki has; "": a random one
}

// tokenShare is for how much of its life a publish token is used.
const tokenShare = auth.PublishLife / 2

// mostAnswer bounds what is read of an answer: an offset for each of at most 1024 messages.
const mostAnswer = 1 << 20

// Publish publishes the messages and returns their offsets. What the relay refuses is a [*wire.Error]; it has taken none of them then. Only after one with the
// code [wire.Unavailable], or another error, is it unknown what was taken: the messages can be published again, and those with a Key are not delivered twice.
func (p *Publisher) Publish(ctx context.Context, messages ...Publication) (offsets []uint64, err error) {
	messages = slices.Clone(messages)
	k := newKeys()
	for i := range messages {
		messages[i].Key = cmp.Or(messages[i].Key, k.next())
	}
	body, err := marshal(map[string]any{"messages": messages})
	if err != nil {
		return nil, wire.NewError(wire.BadRequest, "a message is no JSON: "+err.Error())
	}
	text, err := p.send(ctx, body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Published []struct{ Offset uint64 }
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Published) != len(messages) {
		return nil, fmt.Errorf("publish: no relay has answered: %.100q", text)
	}
	for _, m := range answer.Published {
		offsets = append(offsets, m.Offset)
	}
	return offsets, nil
}

// errToken is what a relay answers that does not take the token.
var errToken = errors.New("publish: " + strconv.Itoa(http.StatusUnauthorized) + " " + http.StatusText(http.StatusUnauthorized))

// send posts, and once more with another token when one from before is not taken.
func (p *Publisher) send(ctx context.Context, body []byte) ([]byte, error) {
	for {
		token, kept, err := p.bearer(ctx)
		if err != nil {
			return nil, err
		}
		text, err := p.post(ctx, token, body)
		if !errors.Is(err, errToken) {
			return text, err
		}
		if err := p.take(ctx); err != nil {
			return nil, err
		}
		if p.token == token {
			p.until = time.Time{}
		}
		<-p.turn
		if !kept {
			return nil, refusal(text, errToken)
		}
	}
}

// take waits for the turn, which is given back by receiving from it.
func (p *Publisher) take(ctx context.Context) error {
	p.once.Do(func() { p.turn = make(chan struct{}, 1) })
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bearer returns a publish token, and whether it is one from before.
func (p *Publisher) bearer(ctx context.Context) (token string, kept bool, err error) {
	if err := p.take(ctx); err != nil {
		return "", false, err
	}
	defer func() { <-p.turn }()
	if time.Now().Before(p.until) {
		return p.token, true, nil
	}
	if p.TokenFunc != nil {
		token, err = p.TokenFunc(ctx)
	} else {
		token, _, err = (&auth.Claims{Wiki: p.Wiki, Audience: auth.AudiencePublish}).Sign(p.Key, time.Now())
	}
	if err == nil {
		use := tokenShare
		if left := life(token); left != 0 {
			use = min(use, time.Duration(left)*time.Second)
		}
		p.token, p.until = token, time.Now().Add(use)
	}
	return token, false, err
}

func (p *Publisher) post(ctx context.Context, token string, body []byte) ([]byte, error) {
	url, err := apiURL(p.URL, "publish")
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	h := p.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	answer, err := h.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err != nil {
		return nil, err
	}
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return text, errToken
	default:
		return nil, refusal(text, errors.New("publish: "+answer.Status))
	}
	return text, nil
}

// apiURL returns the address of a part of the relay's HTTP interface, which is at the root of the relay's own port. A web server that forwards
// /websocket:PORT forwards no more than that, and what it is not to see must not be sent to it.
func apiURL(text, name string) (string, error) {
	url, err := socketURL(text)
	if err != nil {
		return "", err
	}
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	if port, forwarded := strings.CutPrefix(path, "websocket:"); forwarded && !strings.HasSuffix(host, ":"+port) {
		return "", wire.NewError(wire.BadRequest, "Publisher.URL is an address that a web server forwards, for sockets only: give the relay's own, http://HOST:"+port)
	}
	return map[string]string{"ws": "http", "wss": "https"}[scheme] + "://" + host + "/api/" + name, nil
}
