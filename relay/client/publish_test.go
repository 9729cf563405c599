package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

func TestPublisher(t *testing.T) {
	r, address := relay(t)
	c := open(t, client.Options{URL: "ws://" + address + "/", Token: everything("Ann"), ID: "ann"})
	subscribe(t, c, "a:Chat", nil)
	overTCP := &client.Publisher{URL: "ws://" + address + "/websocket", Wiki: "a:", Key: relaytest.Key("a:")}
	overSocket := &client.Publisher{URL: "http://relay", HTTP: client.Unix(r.Control), Wiki: "a:", Key: relaytest.Key("a:")}
	for _, p := range []*client.Publisher{overTCP, overSocket} {
		offsets, err := p.Publish(wide(t), client.Publication{Type: "a:Chat", Msg: map[string]int{"n": 1}}, client.Publication{Type: "a:Chat", Msg: "not for Ann", From: "ann"},
			client.Publication{Type: "a:Chat", Msg: 2, To: []string{"ann"}})
		if err != nil || len(offsets) != 3 || offsets[0] >= offsets[1] || offsets[1] >= offsets[2] {
			t.Fatal(offsets, err)
		}
		if m := receive(t, c, `{"n":1}`); !m.Wiki || m.Offset != offsets[0] {
			t.Errorf("%+v", m)
		}
		receive(t, c, "2")
	}
	once, _ := overTCP.Publish(wide(t), client.Publication{Type: "a:Chat", Msg: 3, Key: "k"})
	twice, err := overSocket.Publish(wide(t), client.Publication{Type: "a:Chat", Msg: 3, Key: "k"})
	if err != nil || once[0] != twice[0] {
		t.Error("the same message twice", once, twice, err)
	}
	receive(t, c, "3")
	var refused *wire.Error
	if _, err := overTCP.Publish(wide(t), client.Publication{Msg: 1}); !errors.As(err, &refused) || refused.Code != wire.BadRequest {
		t.Errorf("no type: %v", err)
	}
	wrong := &client.Publisher{URL: overTCP.URL, Wiki: "a:", Key: relaytest.Key("b:")}
	if _, err := wrong.Publish(wide(t), client.Publication{Type: "a:Chat"}); !errors.As(err, &refused) || refused.Code != wire.Unauthorized {
		t.Errorf("wrong key: %v", err)
	}
	short := &client.Publisher{URL: overTCP.URL, Wiki: "a:", Key: []byte("secret")}
	if _, err := short.Publish(wide(t), client.Publication{Type: "a:Chat"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("short key: %v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := overTCP.Publish(ended, client.Publication{Type: "a:Chat"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPublishedToWhatIsNoRelay(t *testing.T) {
	for _, status := range []int{200, 404, 502} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); w.Write([]byte("<html>")) }))
		h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		p := &client.Publisher{URL: other.URL, Wiki: "a:", Key: relaytest.Key("a:"), HTTP: h}
		if offsets, err := p.Publish(wide(t), client.Publication{Type: "a:Chat"}); err == nil || errors.As(err, new(*wire.Error)) {
			t.Errorf("%d: %v %v", status, offsets, err)
		}
		other.Close()
	}
}

// An address that a web server forwards leads to the wiki's web server, which must not see the token.
func TestPublishedToAnAddressForSockets(t *testing.T) {
	asked := false
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer web.Close()
	for _, path := range []string{"/websocket:1729", "/websocket:1"} {
		p := &client.Publisher{URL: strings.Replace(web.URL, "http", "WS", 1) + path, Wiki: "a:", Key: relaytest.Key("a:")}
		_, err := p.Publish(wide(t), client.Publication{Type: "a:Chat"})
		if refused := new(wire.Error); !errors.As(err, &refused) || !strings.Contains(refused.Message, "the relay's own, http://HOST:1") || asked {
			t.Errorf("%s: %v, asked %v", path, err, asked)
		}
	}
	_, address := relay(t)
	_, port, _ := strings.Cut(address, ":")
	p := &client.Publisher{URL: "WS://" + address + "/websocket:" + port, Wiki: "a:", Key: relaytest.Key("a:")}
	if _, err := p.Publish(wide(t), client.Publication{Type: "a:Chat"}); err != nil {
		t.Errorf("the relay's own port: %v", err)
	}
}
