package server_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
)

// A refused handshake ends the HTTP connection: a proxy that took it for a socket must not pass on as requests what follows.
func TestRefusedHandshakeSmugglesARequest(t *testing.T) {
	r := relaytest.Start(t, farm)
	c, err := net.Dial("tcp", r.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(relaytest.Patience))
	const request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1\r\n\r\n"
	fmt.Fprint(c, request, "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, _ := io.ReadAll(c) // up to the end, which a reset may be
	if text := string(answer); !strings.HasPrefix(text, "HTTP/1.1 400 ") || !strings.Contains(text, "Connection: close\r\n") || strings.Count(text, "HTTP/1.1") != 1 {
		t.Errorf("%s", text)
	}
}
