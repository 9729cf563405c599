package wikitest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A wiretap is the proxy through which all that a browser context's tabs and
// workers receive comes, from the first byte on, whatever the browser itself
// lets DevTools see of it.
type wiretap struct {
	address string
	cable   *cable

	mu      sync.Mutex
	found   []string
	sockets []*tappedSocket
}

// tunnel is a connection that the browser believes to lead to the host of
// base. It is served here, and each of its requests goes on to that host.
type tunnel struct {
	net.Conn
	base *url.URL
}

type tunnelKey struct{}

func newWiretap(t testing.TB) *wiretap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("proxy of a browser context: %v", err)
	}
	w := &wiretap{address: listener.Addr().String(), cable: newCable(listener)}
	transport := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the tests' own certificates, on the loopback
	}
	forward := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0), // the browser sees a 502
		Rewrite: func(r *httputil.ProxyRequest) {
			if base, ok := r.In.Context().Value(tunnelKey{}).(*url.URL); ok {
				r.Out.URL.Scheme, r.Out.URL.Host = base.Scheme, base.Host
			}
			r.Out.Host = r.In.Host
		},
		ModifyResponse: w.response,
	}
	tunnels := &tunnelListener{open: make(chan *tunnel), done: make(chan struct{})}
	server := &http.Server{
		ErrorLog: log.New(io.Discard, "", 0), // connections that the browser drops
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if t, ok := c.(*tunnel); ok {
				return context.WithValue(ctx, tunnelKey{}, t.base)
			}
			return ctx
		},
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodConnect {
				tunnels.connect(rw, r)
				return
			}
			w.request(r)
			if !w.cable.serve(rw, r) {
				forward.ServeHTTP(rw, r)
			}
		}),
	}
	var serving sync.WaitGroup
	for _, l := range []net.Listener{w.cable, tunnels} {
		serving.Go(func() { server.Serve(l) }) // ends with Close below
	}
	t.Cleanup(func() {
		close(tunnels.done)
		server.Close()
		serving.Wait()
	})
	return w
}

// tunnelListener hands tunnels to a server.
type tunnelListener struct {
	open chan *tunnel
	done chan struct{}
}

func (l *tunnelListener) Accept() (net.Conn, error) {
	select {
	case t := <-l.open:
		return t, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *tunnelListener) Close() error   { return nil }
func (l *tunnelListener) Addr() net.Addr { return &net.TCPAddr{} }

// connect answers CONNECT, which browsers ask for before https and
// WebSockets. A host that cannot be reached is a 502 inside of the tunnel.
func (l *tunnelListener) connect(rw http.ResponseWriter, r *http.Request) {
	c, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		c.Close()
		return
	}
	first, err := buffered.Peek(1)
	if err != nil {
		c.Close()
		return
	}
	base := &url.URL{Scheme: "http", Host: r.Host}
	read := &peekedConn{c, buffered}
	const handshake = 22 // the first byte of TLS (RFC 8446, section 5.1)
	t := &tunnel{read, base}
	if first[0] == handshake {
		base.Scheme = "https"
		t.Conn = tls.Server(read, &tls.Config{Certificates: []tls.Certificate{tapCertificate()}})
	}
	select {
	case l.open <- t:
	case <-l.done:
		c.Close()
	}
}

type peekedConn struct {
	net.Conn
	r io.Reader
}

func (c *peekedConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// tapCertificate is what the browser sees of https; it believes any.
var tapCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func (w *wiretap) report(problems ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, problems...)
}

// leaks returns the secrets that have come through where they should not.
func (w *wiretap) leaks() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := slices.Clone(w.found)
	for _, s := range w.sockets {
		found = append(found, leaksIn("a WebSocket to "+s.url, s.bytes(), noTokens)...)
	}
	return found
}

// request looks at the address, which web servers log.
func (w *wiretap) request(r *http.Request) {
	w.report(leaksIn("the address of a request", []byte(r.URL.String()), noTokens)...)
}

// response looks at what the server answers, and keeps what sockets get.
func (w *wiretap) response(resp *http.Response) error {
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		w.stream(resp)
		return nil
	}
	problems, err := leaksInResponse(resp)
	if err != nil {
		return err
	}
	w.report(problems...)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return w.socket(resp)
	}
	return nil
}

// leaksInResponse reads the answer and puts a copy of its body into its
// place.
func leaksInResponse(resp *http.Response) ([]string, error) {
	where := resp.Request.Method + " " + resp.Request.URL.String()
	var headers bytes.Buffer
	if err := resp.Header.Write(&headers); err != nil {
		return nil, err
	}
	leaks := leaksIn("a header of the answer to "+where, headers.Bytes(), noTokens)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return leaks, nil
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	plain, err := inflate(resp.Header.Get("Content-Encoding"), body)
	if err != nil {
		return append(leaks, fmt.Sprintf("the answer to %s cannot be read: %v", where, err)), nil
	}
	allowed := anonymousTokens
	if givesTokens(resp.Request) {
		allowed = userTokens
	}
	return append(leaks, leaksIn("the answer to "+where, plain, allowed)...), nil
}

// attentive is the transport of a test's own requests.
type attentive struct {
	http.RoundTripper
	wiki *Wiki
}

func (a attentive) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	leaks, err := leaksInResponse(resp)
	if err != nil {
		return nil, err
	}
	a.wiki.answered(leaks...)
	return resp, nil
}

// givesTokens reports whether the request is for one of the routes by which
// the wiki gives tokens to users.
func givesTokens(r *http.Request) bool {
	if strings.HasSuffix(r.URL.Path, "/api.php") {
		action := r.URL.Query().Get("action")
		return action == "websocket-token" || action == "websocket-subscribe"
	}
	return strings.Contains(r.URL.Path, "/rest.php/websocket/v0/")
}

func inflate(encoding string, body []byte) ([]byte, error) {
	switch encoding {
	case "":
		return body, nil
	case "gzip":
		if len(body) == 0 { // of HEAD and 304
			return nil, nil
		}
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	return nil, fmt.Errorf("it is encoded as %q", encoding)
}

func (w *wiretap) socket(resp *http.Response) error {
	if extensions := resp.Header.Get("Sec-WebSocket-Extensions"); extensions != "" {
		w.report("a WebSocket with extensions (" + extensions + ") cannot be read")
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return fmt.Errorf("the connection to %s cannot be written to", resp.Request.URL)
	}
	s := &tappedSocket{ReadWriteCloser: conn, url: resp.Request.URL.String()}
	resp.Body = s
	w.mu.Lock()
	w.sockets = append(w.sockets, s)
	w.mu.Unlock()
	return nil
}

// stream keeps what comes in an answer that does not end.
func (w *wiretap) stream(resp *http.Response) {
	s := &tappedSocket{ReadWriteCloser: readOnly{resp.Body}, url: resp.Request.URL.String()}
	resp.Body = s
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sockets = append(w.sockets, s)
}

type readOnly struct{ io.ReadCloser }

func (readOnly) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

// tappedSocket keeps what the relay sends, frames and their heads.
type tappedSocket struct {
	io.ReadWriteCloser
	url string

	mu   sync.Mutex
	data []byte
}

func (s *tappedSocket) Read(p []byte) (int, error) {
	n, err := s.ReadWriteCloser.Read(p)
	s.mu.Lock()
	s.data = append(s.data, p[:n]...)
	s.mu.Unlock()
	return n, err
}

func (s *tappedSocket) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.data)
}
