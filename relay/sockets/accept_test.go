package sockets_test

import (
	"net/http"
	"strings"
	"testing"

	"mediawiki-websocket/relay/sockets"
)

func TestHandshakes(t *testing.T) {
	h := open(t, sockets.Options{Origins: []string{"https://friend.example"}}, echo())
	if p := h.dial("b.example", "a.example"); p.Subprotocol() != "b.example" {
		t.Errorf("subprotocol %q", p.Subprotocol())
	}
	if p := h.dial(); p.Subprotocol() != "" {
		t.Errorf("subprotocol %q", p.Subprotocol())
	}
	host := strings.TrimPrefix(h.url, "http://")
	socket := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
	for name, row := range map[string]struct {
		headers []string
		status  int
	}{
		"no origin":          {socket, 101},
		"same host":          {append([]string{"Origin", "http://" + host}, socket...), 101},
		"behind TLS":         {append([]string{"Origin", "https://" + host}, socket...), 101},
		"a friend":           {append([]string{"Origin", "https://friend.example"}, socket...), 101},
		"a friend's port":    {append([]string{"Origin", "https://friend.example:444"}, socket...), 403},
		"another scheme":     {append([]string{"Origin", "http://friend.example"}, socket...), 403},
		"another host":       {append([]string{"Origin", "https://evil.example"}, socket...), 403},
		"another port":       {append([]string{"Origin", "http://127.0.0.1:1"}, socket...), 403},
		"longer":             {append([]string{"Origin", "http://" + host + ".evil.example"}, socket...), 403},
		"user":               {append([]string{"Origin", "http://" + host + "@evil.example"}, socket...), 403},
		"null":               {append([]string{"Origin", "null"}, socket...), 403},
		"empty":              {append([]string{"Origin", ""}, socket...), 403},
		"two origins":        {append([]string{"Origin", "http://" + host, "Origin", "http://" + host}, socket...), 403},
		"no handshake":       {nil, 426},
		"half a handshake":   {socket[:4], 400},
		"two versions":       {append([]string{"Sec-WebSocket-Version", "8"}, socket...), 400},
		"compression wanted": {append([]string{"Sec-WebSocket-Extensions", "permessage-deflate"}, socket...), 101},
	} {
		q, _ := http.NewRequestWithContext(h.ctx, "GET", h.url, nil)
		for i := 0; i+1 < len(row.headers); i += 2 {
			q.Header.Add(row.headers[i], row.headers[i+1])
		}
		a, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		if a.StatusCode != row.status || a.Header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("%s: %s", name, a.Status)
		}
		a.Body.Close()
	}
}

// TestPageUnderAnyName: a page whose host anybody could have made lead here may connect only when the program knows that name.
func TestPageUnderAnyName(t *testing.T) {
	known := sockets.Options{Origins: []string{"https://chat.example"}, Hosts: func(name string) bool { return name == "wiki.example" }}
	for _, row := range []struct {
		options sockets.Options
		host    string
		status  int
	}{
		{sockets.Options{}, "evil.example", 403}, {sockets.Options{}, "evil.example:1729", 403}, {sockets.Options{}, "192.0.2.1.evil.example", 403},
		{sockets.Options{}, "192.0.2.1", 101}, {sockets.Options{}, "[2001:db8::1]:1729", 101}, {sockets.Options{}, "[2001:db8::1]", 101},
		{sockets.Options{}, "localhost:1729", 101}, {sockets.Options{}, "localhost", 101}, {sockets.Options{}, "localhost.evil.example", 403},
		{known, "chat.example", 101}, {known, "chat.example:444", 403}, {known, "wiki.example:1729", 101}, {known, "evil.example", 403},
		{sockets.Options{Origins: []string{"*"}}, "any.example", 101},
	} {
		h := open(t, row.options, echo())
		q, _ := http.NewRequestWithContext(h.ctx, "GET", h.url, nil)
		q.Host, q.Header = row.host, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}, "Origin": {"https://" + row.host}}
		a, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		if a.StatusCode != row.status {
			t.Errorf("%s: %s, want %d", row.host, a.Status, row.status)
		}
		a.Body.Close()
	}
}
