package server_test

import (
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// TestPageUnderTheRelaysName: scripts whose library says that they are a page of the relay's own address, as Perl's does, are let in, as those without an
// origin are; a page that a stranger could have under such an origin is not.
func TestPageUnderTheRelaysName(t *testing.T) {
	r := relaytest.Start(t, farm)
	_, port, _ := strings.Cut(r.Addresses()[0].String(), ":")
	offset := 0
	const v1 = "Sec-WebSocket-Protocol: " + wire.Subprotocol
	for name, c := range map[string]struct {
		host, origin string
		more         string
		status       int
	}{
		"an address":                  {"127.0.0.1:" + port, "http://127.0.0.1:" + port, "", 101},
		"another of its addresses":    {"[::1]:" + port, "http://[::1]:" + port, "", 101},
		"TLS":                         {"127.0.0.1:" + port, "https://127.0.0.1:" + port, "", 101},
		"localhost":                   {"localhost:" + port, "http://localhost:" + port, "", 101},
		"the host of a wiki":          {"a.example:" + port, "http://a.example:" + port, "", 101},
		"a name that is rebound":      {"evil.example:" + port, "http://evil.example:" + port, "", 403},
		"below the host of a wiki":    {"evil.a.example:" + port, "http://evil.a.example:" + port, "", 403},
		"another port":                {"127.0.0.1:1", "http://127.0.0.1:1", "", 403},
		"beside a wiki":               {"127.0.0.1", "http://127.0.0.1", "", 403},
		"another host":                {"127.0.0.1:" + port, "http://localhost:" + port, "", 403},
		"another scheme":              {"127.0.0.1:" + port, "ftp://127.0.0.1:" + port, "", 403},
		"no scheme":                   {"127.0.0.1:" + port, "127.0.0.1:" + port, "", 403},
		"two origins":                 {"127.0.0.1:" + port, "http://127.0.0.1:" + port, "+Origin: https://evil.example", 403},
		"a page, which speaks v1":     {"127.0.0.1:" + port, "http://127.0.0.1:" + port, v1, 403},
		"a bad token":                 {"127.0.0.1:" + port, "http://127.0.0.1:" + port, "Authorization: Bearer x", 401},
		"a name that begins as it":    {"localhost.evil.example:" + port, "http://localhost.evil.example:" + port, "", 403},
		"numbers that are no address": {"127.0.0.1.evil:" + port, "http://127.0.0.1.evil:" + port, "", 403},
	} {
		t.Run(name, func(t *testing.T) {
			lines := []string{"Host: " + c.host, "Origin: " + c.origin}
			if c.more != "" {
				lines = append(lines, c.more)
			}
			answer, conn, in := exchange(t, r, altered(lines...))
			if answer.StatusCode != c.status {
				t.Fatalf("%d, want %d", answer.StatusCode, c.status)
			}
			if c.status != 101 {
				return
			}
			p := &peer{conn, t, in}
			r.Await(t, "end of those before", func(s relaytest.Stats) bool { return s.Connections == 1 }) // or else Classic counts them
			p.send(mask(textFrame, `{"type":"Register","from":"script"}`), mask(pingFrame, "registered"))
			p.expect(pongFrame, "registered")
			r.Classic(t, "other").Send(`{"type":"Foo","msg":"hello","to":["script"]}`)
			offset++
			p.expect(textFrame, fmt.Sprintf(`{"type":"Foo","msg":"hello","to":["script"],"offset":%d}`, offset))
		})
	}
}
