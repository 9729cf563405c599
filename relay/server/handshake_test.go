package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// The opening handshake of RFC 6455, section 4.2, with raw bytes over TCP.

// goodHandshake is the lines of a handshake; the key and what must be answered to it are the RFC's own.
var goodHandshake = []string{"GET / HTTP/1.1", "Host: relay.example", "Connection: Upgrade", "Upgrade: websocket",
	"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}

const goodAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// altered returns the good handshake with lines in place of those of the same names, or behind them when they begin with "+"; "-Name" takes one out.
func altered(lines ...string) string {
	all := append([]string(nil), goodHandshake...)
	for _, line := range lines {
		name, _, _ := strings.Cut(strings.TrimLeft(line, "+-"), " ")
		place := len(all)
		for i, old := range all {
			if old != "" && strings.HasPrefix(old, name) && line[0] != '+' || i == 0 && strings.Contains(line, " HTTP/") {
				place = i
			}
		}
		switch {
		case line[0] == '-':
			all = append(all[:place], all[place+1:]...)
		case place == len(all):
			all = append(all, strings.TrimPrefix(line, "+"))
		default:
			all[place] = line
		}
	}
	return strings.Join(all, "\r\n") + "\r\n\r\n"
}

// exchange sends a request and returns the answer, with its body read unless it is 101, and the connection behind it.
func exchange(t testing.TB, r *relaytest.Relay, request string) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", r.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(relaytest.Patience))
	io.WriteString(c, request)
	in := bufio.NewReader(c)
	method, _, _ := strings.Cut(request, " ")
	answer, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer to %.100q: %v", request, err)
	}
	return answer, c, in
}

func TestHandshakesThatAreGood(t *testing.T) {
	r := relaytest.Start(t, farm)
	for name, c := range map[string]struct {
		lines       []string
		subprotocol string
	}{
		"plain":                        {nil, ""},
		"names and values in any case": {[]string{"-Upgrade:", "-Connection:", "uPGRADE: WebSocket", "coNNection: upGRADE"}, ""},
		"keep-alive too":               {[]string{"Connection: keep-alive, Upgrade"}, ""},
		"two Connection lines":         {[]string{"Connection: keep-alive", "+Connection: Upgrade"}, ""},
		"an origin of a wiki":          {[]string{"Origin: " + publicOrigin}, ""},
		"v1":                           {[]string{"Sec-WebSocket-Protocol: " + wire.Subprotocol}, wire.Subprotocol},
		"v1 among others":              {[]string{"Sec-WebSocket-Protocol: chat, " + wire.Subprotocol, "+Sec-WebSocket-Protocol: x"}, wire.Subprotocol},
		"other protocols":              {[]string{"Sec-WebSocket-Protocol: chat, soap"}, ""},
		"spaces around the key":        {[]string{"Sec-WebSocket-Key:   dGhlIHNhbXBsZSBub25jZQ==  "}, ""},
		"an empty body":                {[]string{"Content-Length: 0"}, ""},
		"an absolute URL":              {[]string{"GET http://relay.example/ HTTP/1.1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer, conn, in := exchange(t, r, altered(c.lines...))
			h := answer.Header
			if answer.StatusCode != 101 || h.Get("Sec-WebSocket-Accept") != goodAccept || !strings.EqualFold(h.Get("Upgrade"), "websocket") ||
				!strings.EqualFold(h.Get("Connection"), "Upgrade") || h.Get("Sec-WebSocket-Protocol") != c.subprotocol {
				t.Fatalf("%d %v", answer.StatusCode, h)
			}
			p := &peer{conn, t, in}
			p.send(mask(pingFrame, "alive"), closing(1000, ""))
			p.expect(pongFrame, "alive")
			p.expectAnswer(1000, "")
		})
	}
}

// A relay that is not set up for it agrees on no extension; what is not agreed on must not be answered, nor used (RFC 6455, section 9.1, and RFC 7692).
func TestNoExtensionIsAgreedOn(t *testing.T) {
	r := relaytest.Start(t, farm)
	for _, offer := range []string{"permessage-deflate", "permessage-deflate; client_max_window_bits",
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=10", "x-webkit-deflate-frame",
		"permessage-bzip2, permessage-deflate", "permessage-deflate; nonsense=1", ", ,"} {
		answer, conn, in := exchange(t, r, altered("Sec-WebSocket-Extensions: "+offer))
		if _, there := answer.Header["Sec-Websocket-Extensions"]; answer.StatusCode != 101 || there {
			t.Errorf("%s: %d %v", offer, answer.StatusCode, answer.Header)
		}
		p := &peer{conn, t, in}
		p.send(mask(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00")) // RFC 7692, section 7.2.3.1
		p.expectClose(1002, "reserved bit set")
	}
}

func TestHandshakesThatAreRefused(t *testing.T) {
	r := relaytest.Start(t, farm)
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	for name, c := range map[string]struct {
		lines  []string
		status int
	}{
		"no Upgrade":            {[]string{"-Upgrade:"}, 426},
		"another Upgrade":       {[]string{"Upgrade: h2c"}, 426},
		"no Connection":         {[]string{"-Connection:"}, 426},
		"another Connection":    {[]string{"Connection: keep-alive"}, 426},
		"no version":            {[]string{"-Sec-WebSocket-Version:"}, 400},
		"version 8":             {[]string{"Sec-WebSocket-Version: 8"}, 400},
		"version 14":            {[]string{"Sec-WebSocket-Version: 14"}, 400},
		"versions in a list":    {[]string{"Sec-WebSocket-Version: 13, 8"}, 400},
		"two versions":          {[]string{"+Sec-WebSocket-Version: 8"}, 400},
		"version 13 twice":      {[]string{"+Sec-WebSocket-Version: 13"}, 400},
		"no key":                {[]string{"-Sec-WebSocket-Key:"}, 400},
		"an empty key":          {[]string{"Sec-WebSocket-Key: "}, 400},
		"a key of 15 bytes":     {[]string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"}, 400},
		"a key of 17 bytes":     {[]string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="}, 400},
		"a key not in base64":   {[]string{"Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=="}, 400},
		"two keys":              {[]string{"+Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}, 400},
		"the same key twice":    {[]string{"+" + key}, 400},
		"HTTP/1.0":              {[]string{"GET / HTTP/1.0"}, 426},
		"HTTP/2.0":              {[]string{"GET / HTTP/2.0"}, 505},
		"POST":                  {[]string{"POST / HTTP/1.1", "Content-Length: 0"}, 405},
		"HEAD":                  {[]string{"HEAD / HTTP/1.1"}, 405},
		"CONNECT":               {[]string{"CONNECT relay.example:80 HTTP/1.1"}, 404},
		"PRI":                   {[]string{"PRI / HTTP/1.1"}, 405},
		"no Host":               {[]string{"-Host:"}, 400},
		"two Hosts":             {[]string{"+Host: other.example"}, 400},
		"a bad Host":            {[]string{"Host: a b"}, 400},
		"a body":                {[]string{"Content-Length: 5"}, 400},
		"a body in chunks":      {[]string{"Transfer-Encoding: chunked"}, 400},
		"two lengths":           {[]string{"Content-Length: 0", "+Content-Length: 5"}, 400},
		"length and chunks":     {[]string{"Content-Length: 0", "Transfer-Encoding: chunked"}, 400},
		"a foreign origin":      {[]string{"Origin: https://evil.example"}, 403},
		"two origins":           {[]string{"Origin: " + publicOrigin, "+Origin: https://evil.example"}, 403},
		"the same origin twice": {[]string{"Origin: " + publicOrigin, "+Origin: " + publicOrigin}, 403},
		"an origin of no page":  {[]string{"Origin: null"}, 403},
		"a header without name": {[]string{": x"}, 400},
		"a folded header":       {[]string{"Upgrade: web\r\n socket"}, 426},
		"a space in a name":     {[]string{"Bad Name: x"}, 400},
		"a bad token":           {[]string{"Authorization: Bearer x"}, 401},
		"no URL":                {[]string{"GET HTTP/1.1"}, 400},
		"a URL that is nothing": {[]string{"GET /nothing HTTP/1.1"}, 404},
	} {
		t.Run(name, func(t *testing.T) {
			answer, _, in := exchange(t, r, altered(c.lines...)+"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
			body, err := io.ReadAll(answer.Body)
			if answer.StatusCode != c.status || err != nil {
				t.Errorf("%d %s %v, want %d", answer.StatusCode, body, err, c.status)
			}
			if !answer.Close {
				t.Errorf("the connection stays open: %v", answer.Header)
			}
			if rest, _ := io.ReadAll(in); strings.Contains(string(rest), "HTTP/1.1") { // up to the end, which a reset may be
				t.Errorf("what follows was taken for a request: %s", rest)
			}
			if strings.HasPrefix(name, "version ") && answer.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("does not say which version it speaks: %v", answer.Header)
			}
		})
	}
}

// headerOf returns a handshake of so many bytes.
func headerOf(n int) string {
	short := altered("X-Padding: ")
	return strings.Replace(short, "X-Padding: ", "X-Padding: "+strings.Repeat("x", n-len(short)), 1)
}

func TestHeaderAtTheLimitAndOnePast(t *testing.T) {
	r := relaytest.Start(t, farm)
	if answer, _, _ := exchange(t, r, headerOf(16<<10)); answer.StatusCode != 101 {
		t.Errorf("16 KiB: %d", answer.StatusCode)
	}
	for _, n := range []int{16<<10 + 1, 1 << 20} {
		answer, _, _ := exchange(t, r, headerOf(n))
		if answer.StatusCode != 431 || !answer.Close {
			t.Errorf("%d bytes: %d %v", n, answer.StatusCode, answer.Header)
		}
	}
	many := altered(strings.Split(strings.Repeat("+X: y\n", 5000), "\n")[:5000]...)
	if answer, _, _ := exchange(t, r, many); answer.StatusCode != 431 {
		t.Errorf("5000 lines: %d", answer.StatusCode)
	}
}

// Whoever could name another address would blame others for what it does, or look like one of the wiki's own servers.
func TestForwardedAddressIsBelieved(t *testing.T) {
	r := relaytest.Start(t, farm)
	answer, conn, in := exchange(t, r, altered("X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9",
		"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "True-Client-IP: 203.0.113.9", "CF-Connecting-IP: 203.0.113.9"))
	if answer.StatusCode != 101 {
		t.Fatal(answer.Status)
	}
	p := &peer{conn, t, in}
	p.send(mask(textFrame, "nonsense"), closing(1000, ""))
	p.expectAnswer(1000, "")
	log := r.Log.String()
	if want := fmt.Sprint("remote=", conn.LocalAddr()); !strings.Contains(log, want) {
		t.Errorf("%s, want %s", log, want)
	}
	if strings.Contains(log, "203.0.113.9") || strings.Contains(log, "evil") {
		t.Errorf("believed: %s", log)
	}
	_, _, metrics := r.HTTP(t, "GET", "http://control/metrics", "", "X-Forwarded-For: 203.0.113.9")
	if strings.Contains(metrics, "203.0.113.9") {
		t.Error("the address is in the metrics")
	}
}
