package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

const upgradeHeaders = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
const upgradeKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// refusedUpgrades are handshakes that the relay turns down: what follows the request line, and the status.
var refusedUpgrades = map[string]struct {
	headers string
	status  int
}{
	"foreign origin": {upgradeHeaders + upgradeKey + "Origin: http://evil.example\r\n\r\n", 403},
	"bad token":      {upgradeHeaders + upgradeKey + "Authorization: Bearer nonsense\r\n\r\n", 401},
	"body":           {upgradeHeaders + upgradeKey + "Content-Length: 5\r\n\r\nhello", 400},
	"no key":         {upgradeHeaders + "\r\n", 400},
}

const picture = "/resources/assets/licenses/cc-0.png"

// TestRefusedUpgradeHidesRequests: when the relay has refused to upgrade, neither it nor a web server before it takes the client's next request for
// what passes through a socket, where nobody would log or check it.
func TestRefusedUpgradeHidesRequests(t *testing.T) {
	for _, server := range []string{"nginx", "apache"} {
		for _, rewrite := range []string{"documented", "better"} {
			t.Run(server+" "+rewrite, func(t *testing.T) {
				w := wikitest.Start(t, wikitest.Options{Server: server, Rewrite: rewrite, Settings: "$wgWebSocketRewrite = true;"})
				w.StartRelay(t)
				path := fmt.Sprintf("/websocket:%d", w.RelayPort)
				for name, u := range refusedUpgrades {
					t.Run(name, func(t *testing.T) {
						toRelay(t, w.RelayPort, path, u.headers, u.status)
						for _, pipelined := range []bool{true, false} {
							toWebServer(t, w.Port, path, u.headers, pipelined)
						}
					})
				}
				// The same way takes a good handshake.
				s := w.Dial(t, wikitest.Handshake{URL: fmt.Sprintf("ws://127.0.0.1:%d%s", w.Port, path), Origin: w.URL})
				if reply := s.Connect(w.Anonymous().Token(t)); !strings.HasPrefix(reply, `"ok"`) {
					t.Errorf("through the web server: %s", reply)
				}
			})
		}
	}
}

// toRelay sends a handshake and, in the same packet, a request to the relay itself.
func toRelay(t *testing.T, port int, path, headers string, status int) {
	t.Helper()
	c, r := dialWeb(t, port)
	write(t, c, request(port, path, headers)+request(port, "/", "\r\n"))
	resp := answer(t, r)
	if resp == nil {
		t.Fatal("the relay hung up")
	}
	if resp.StatusCode != status || !resp.Close {
		t.Errorf("the relay answered %s, Connection: %v; want %d and close", resp.Status, resp.Header["Connection"], status)
	}
	if more := answer(t, r); more != nil {
		t.Errorf("the relay answered the next request as well: %s", more.Status)
	}
}

// toWebServer sends a handshake and a request to the web server before the relay: in the same packet, or when the answer to the first is there.
func toWebServer(t *testing.T, port int, path, headers string, pipelined bool) {
	t.Helper()
	c, r := dialWeb(t, port)
	first, next := request(port, path, headers), request(port, picture, "\r\n")
	if pipelined {
		first += next
	}
	write(t, c, first)
	resp := answer(t, r)
	if resp == nil || resp.StatusCode < 400 {
		t.Fatalf("pipelined %t: the handshake was answered with %+v", pipelined, resp)
	}
	if !pipelined {
		if _, err := io.WriteString(c, next); err != nil {
			return // it has closed the connection
		}
	}
	// Closing is as good as answering.
	if more := answer(t, r); more != nil && (more.StatusCode != http.StatusOK || more.Header.Get("Content-Type") != "image/png") {
		t.Errorf("pipelined %t: the next request was answered with %s %v", pipelined, more.Status, more.Header)
	}
}

func request(port int, path, headers string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s", path, port, headers)
}

func dialWeb(t *testing.T, port int) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) // a web server that waits for more of a socket would never answer
	return c, bufio.NewReader(c)
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// answer reads an answer with its body; nil: the connection has been closed.
func answer(t *testing.T, r *bufio.Reader) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		t.Fatal("the request was swallowed: no answer, and no end of the connection")
	}
	if err != nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("body of %s: %v", resp.Status, err)
	}
	return resp
}
