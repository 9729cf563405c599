package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/wire"
)

// serverName is how a relay names itself in its answers.
const serverName = "websocket-relay"

// Unix returns an HTTP client, for [Options] and [Publisher], that reaches a relay by its control socket, whatever the URL says. Whoever may open that
// is the relay's operator.
func Unix(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

// handshake opens a WebSocket. The error is a [*wire.Error] when a relay has answered that this client is not wanted.
func handshake(ctx context.Context, client *http.Client, url string, header http.Header, subprotocols ...string) (*websocket.Conn, error) {
	c, answer, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: subprotocols, HTTPClient: client, HTTPHeader: header})
	if err == nil {
		c.SetReadLimit(frameBytes)
		return c, nil
	}
	if answer == nil {
		return nil, err
	}
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		if text, _ := io.ReadAll(answer.Body); answer.Header.Get("Server") == serverName {
			return nil, refusal(text, err)
		}
	}
	return nil, err
}

// refusal returns the relay's error out of the body of an answer, or else other.
func refusal(body []byte, other error) error {
	var said struct{ Error *wire.Error }
	if json.Unmarshal(bytes.TrimSpace(body), &said) == nil && said.Error != nil && said.Error.Code != "" {
		return said.Error
	}
	return other
}
