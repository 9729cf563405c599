// Package wikitest puts up real MediaWikis and drives a real browser for
// tests. It needs what `make install` installs and what `make build` builds;
// whatever is missing fails the test.
//
// A test package that uses it calls Main from its TestMain.
package wikitest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Options says what wiki to put up. The zero value of each field is its
// default.
type Options struct {
	// Version of MediaWiki: "1.39" or "1.43" (the default).
	Version string
	// Server is "php" (PHP's own, the default), "nginx" or "apache".
	Server string
	// Name is $wgDBname; default "testwiki".
	Name string
	// ScriptPath is $wgScriptPath, such as "/w"; default none.
	ScriptPath string
	// Rewrite makes nginx or Apache pass WebSockets on to the relay:
	// "documented" for the rules that the extension has always documented
	// (/websocket:PORT), "better" for /websocket with Host and Origin kept,
	// "blocked" and "buffered" for networks in which no WebSocket opens and,
	// with "buffered", what does not end is held back.
	// It does not set $wgWebSocketRewrite or $wgWebSocketUrl.
	Rewrite string
	// TLS serves the wiki over https, with the certificate Wiki.CertFile.
	// It gives the relay no certificate.
	TLS bool
	// Load is how the wiki loads the extension: "" for wfLoadExtension,
	// "include" for the documented include of WebSocket.php, "none" for not
	// at all.
	Load string
	// Settings is PHP, without "<?php", at the end of the settings.
	Settings string
	// PHPIni are settings of PHP, as "NAME=VALUE".
	PHPIni []string
	// Workers is the number of PHP's workers; default 4. With one, what a
	// request does after its answer is done before the next request begins.
	Workers int
	// NoRelayBinary leaves bin/ out of the extension's folder.
	NoRelayBinary bool
	// Extensions are further extensions, as "NAME=FOLDER". Their folders
	// must be readable for every user; Settings loads them.
	Extensions []string
}

// A Wiki is a MediaWiki that runs. Its methods may be used concurrently.
type Wiki struct {
	// Options are those it was started with, with the defaults filled in.
	Options Options
	// URL is the address of the wiki with the script path and without a
	// slash at its end.
	URL string
	// Dir holds all that belongs to the wiki. It is removed with it.
	Dir string
	// Port is the web server's.
	Port int
	// RelayPort is $wgWebSocketPort. The port after it is free as well.
	RelayPort int
	// CertFile and KeyFile hold the certificate of a wiki with TLS, for
	// 127.0.0.1 and localhost, in PEM; the wiki's user may read both.
	CertFile, KeyFile string

	guard *guard
	admin struct {
		once    sync.Once
		session *Session
	}
	logs     errorLogs
	added    bool // by AddWiki
	gone     atomic.Bool
	forgiven atomic.Bool
	told     struct { // to the test, by the wiki
		sync.Mutex
		leaks []string
	}
}

// Admin and AdminPassword log in the administrator of every wiki.
const (
	Admin         = "Admin"
	AdminPassword = "Admin-pass-1234"
)

// patience is how long something may take before it counts as never.
const patience = 60 * time.Second

// Start puts up a wiki for one test and takes it down with it, including the
// relay that it started. The test fails if the wiki logged an error or if a
// secret of it leaked.
func Start(t testing.TB, o Options) *Wiki {
	t.Helper()
	w, err := up(o)
	if err != nil {
		t.Fatalf("put up a wiki: %v", err)
	}
	t.Cleanup(func() {
		w.check(t)
		w.down()
	})
	return w
}

var shared struct {
	sync.Mutex
	wikis map[string]*sharedWiki
}

type sharedWiki struct {
	once sync.Once
	wiki *Wiki
	err  error
}

// Shared returns a wiki that all tests of this run which ask for the same
// options share. Each test fails for the errors that the wiki logs while it
// runs, and for a secret of it that has leaked. Main takes it down.
func Shared(t testing.TB, o Options) *Wiki {
	t.Helper()
	key := fmt.Sprintf("%+v", o)
	shared.Lock()
	if shared.wikis == nil {
		shared.wikis = make(map[string]*sharedWiki)
	}
	s := shared.wikis[key]
	if s == nil {
		s = new(sharedWiki)
		shared.wikis[key] = s
	}
	shared.Unlock()
	s.once.Do(func() { s.wiki, s.err = up(o) })
	if s.err != nil {
		t.Fatalf("put up a wiki: %v", s.err)
	}
	t.Cleanup(func() { s.wiki.check(t) })
	return s.wiki
}

// check is what each test ends with.
func (w *Wiki) check(t testing.TB) {
	t.Helper()
	w.checkLogs(t)
	w.checkSecrets(t)
	if t.Failed() {
		w.dumpLogs(t)
	}
}

// Main is the body of a TestMain: it runs the tests, takes down what they
// share and ends the process. `-test.run` of one test works as usual.
func Main(m interface{ Run() int }) {
	code := m.Run()
	stopBrowser()
	for _, s := range shared.wikis {
		if s.wiki != nil {
			s.wiki.down()
		}
	}
	removeScratch()
	os.Exit(code)
}

// Root is the wiki's own folder below Dir, the one with LocalSettings.php.
func (w *Wiki) Root() string { return filepath.Join(w.Dir, "docroot", w.Options.ScriptPath) }

// PageURL returns the address of a page; the title must need no escaping.
func (w *Wiki) PageURL(title string) string { return w.URL + "/index.php/" + title }

// Client returns a new HTTP client that trusts the wiki's certificate and
// has no cookies.
func (w *Wiki) Client() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // PHP's own server has few workers
	if w.Options.TLS {
		transport.TLSClientConfig = w.TLSConfig()
	}
	return &http.Client{Transport: attentive{transport, w}, Timeout: patience}
}

// TLSConfig returns a configuration that trusts the wiki's certificate. It
// panics on a wiki without TLS.
func (w *Wiki) TLSConfig() *tls.Config {
	pem, err := os.ReadFile(w.CertFile)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool}
}
