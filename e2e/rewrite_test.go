package e2e

import (
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// TestThroughTheWebServer: with the documented rules and with better ones, plain and TLS, a page connects at the wiki's own address.
func TestThroughTheWebServer(t *testing.T) {
	t.Parallel()
	for _, o := range []wikitest.Options{
		{Server: "nginx", Rewrite: "documented"},
		{Server: "nginx", Rewrite: "documented", TLS: true},
		{Server: "nginx", Rewrite: "better"},
		{Server: "nginx", Rewrite: "better", TLS: true},
		{Server: "apache", Rewrite: "documented"},
		{Server: "apache", Rewrite: "documented", TLS: true},
		{Server: "apache", Rewrite: "better"},
		{Server: "apache", Rewrite: "better", TLS: true},
	} {
		o.Load = "include"
		o.Settings = "WebSocket::$rewrite = true;\n"
		t.Run(fmt.Sprintf("%s %s TLS %t", o.Server, o.Rewrite, o.TLS), func(t *testing.T) {
			echo(t, wikitest.Start(t, o), func(w *wikitest.Wiki) string {
				return fmt.Sprintf("%s/websocket:%d", strings.Replace(w.URL, "http", "ws", 1), w.RelayPort)
			})
		})
	}
}

// TestCertificateBehindRewrite: the documented set-up of a wiki with https: the relay has the certificate, the rule forwards to the next port.
func TestCertificateBehindRewrite(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"nginx", "apache"} {
		t.Run(server, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Server: server, Rewrite: "documented", TLS: true, Load: "include", Settings: legacyTLS + "WebSocket::$rewrite = true;\n"})
			echo(t, w, func(w *wikitest.Wiki) string {
				return fmt.Sprintf("%s/websocket:%d", strings.Replace(w.URL, "http", "ws", 1), w.RelayPort+1)
			})
		})
	}
}

// TestCertificateOnPortPlusOne: browsers connect to the relay itself, with TLS on the port after the plain one.
func TestCertificateOnPortPlusOne(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", TLS: true, Load: "include", Settings: legacyTLS})
	echo(t, w, func(w *wikitest.Wiki) string { return fmt.Sprintf("wss://127.0.0.1:%d", w.RelayPort+1) })
}

// legacyTLS names the certificate of a wiki with TLS the way the original extension documented it.
const legacyTLS = `WebSocket::$ssl_cert = dirname( $IP ) . '/tls/cert.pem';
WebSocket::$ssl_key = dirname( $IP ) . '/tls/key.pem';
`

// echo sends a message from one browser to another and checks where the page connects to.
func echo(t *testing.T, w *wikitest.Wiki, address func(*wikitest.Wiki) string) {
	t.Helper()
	sender, receiver := connect(t, browser(t), w, "Main_Page"), connect(t, browser(t), w, "Main_Page")
	collect(receiver, "first", `'Echo'`)
	wikitest.Eventually(t, "a message arrives", func() bool {
		sender.Run(`webSocket.send( 'Echo', 'hello' )`)
		return wikitest.Eval[bool](receiver, `first.length > 0`)
	})
	if got, want := wikitest.Eval[string](sender, `webSocket.url()`), address(w); strings.TrimSuffix(got, "/") != want {
		t.Errorf("the page connects to %s, want %s", got, want)
	}
}
