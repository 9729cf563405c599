package wikitest_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// plantingHook is PHP that gives every page the wiki's secret and its reader's
// token.
const plantingHook = `
$wgHooks['BeforePageDisplay'][] = static function ( $out ) use ( &$wgSecretKey ) {
	if ( $out->getTitle()->isSpecialPage() ) {
		return;
	}
	$user = base64_encode( '{"iss":"x","aud":"connect","sub":"Ann"}' );
	$out->addJsConfigVars( [ 'planted' => $wgSecretKey, 'token' => 'eyJhbGciOiJIUzI1NiJ9.' . rtrim( $user, '=' ) . '.' . str_repeat( 'x', 43 ) ] );
};`

// TestPlantedSecretIsFound: the checks that end each test would notice a key in every place that they look at.
func TestPlantedSecretIsFound(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: plantingHook})
	w.Forgive()
	w.StartRelay(t)
	raw, base := relayKeyOf(t, w)
	if leaks := w.Leaks(); len(leaks) != 0 {
		t.Errorf("before anything was planted: %v", leaks)
	}
	for name, text := range map[string]string{
		"raw": string(raw), "base64": base, "base64url": base64.URLEncoding.EncodeToString(raw), "hex": hex.EncodeToString(raw),
		"token": "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"aud":"publish","sub":""}`)) + "." + strings.Repeat("x", 43),
	} {
		file := filepath.Join(w.Dir, "log", "websocket.log")
		if err := os.WriteFile(file, []byte("before "+text+" after\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if leaks := w.Leaks(); len(leaks) != 1 || !strings.Contains(leaks[0], file) {
			t.Errorf("%s in a log: %v", name, leaks)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	state := filepath.Join(w.Dir, "websocket", "wikis.json")
	if err := os.Chmod(state, 0o644); err != nil {
		t.Fatal(err)
	}
	if leaks := w.Leaks(); len(leaks) != 1 || !strings.Contains(leaks[0], "mode 644") {
		t.Errorf("a file of keys that everybody may read: %v", leaks)
	}

	w.Get(t, "/index.php/Main_Page")
	w.PHP(t, `echo $GLOBALS['wgSecretKey'];`)
	for _, want := range []string{"$wgSecretKey of testwiki stands in the answer to GET", "$wgSecretKey of testwiki stands in what eval printed"} {
		if leaks := strings.Join(w.Leaks(), "\n"); !strings.Contains(leaks, want) {
			t.Errorf("%q is missing in what was found: %s", want, leaks)
		}
	}

	c := wikitest.StartBrowser(t).NewContext(t)
	c.Forgive()
	c.Tab(t).OpenPage(w, "Main_Page")
	leaks := strings.Join(c.Leaks(), "\n")
	for _, want := range []string{"$wgSecretKey of testwiki stands in the answer to GET " + w.PageURL("Main_Page"), `sub "Ann"`} {
		if !strings.Contains(leaks, want) {
			t.Errorf("%q is missing in what was found in the browser: %s", want, leaks)
		}
	}
}

// relayKeyOf derives the wiki's key and makes sure that it is the one that the relay got.
func relayKeyOf(t *testing.T, w *wikitest.Wiki) (raw []byte, base string) {
	t.Helper()
	settings, err := os.ReadFile(filepath.Join(w.Root(), "LocalSettings.php"))
	if err != nil {
		t.Fatal(err)
	}
	secret := regexp.MustCompile(`wgSecretKey = "(\w+)"`).FindSubmatch(settings)
	if secret == nil {
		t.Fatal("no $wgSecretKey")
	}
	raw, err = hkdf.Key(sha256.New, secret[1], nil, "WebSocket relay", 32)
	if err != nil {
		t.Fatal(err)
	}
	base = base64.StdEncoding.EncodeToString(raw)
	wikitest.Eventually(t, "the relay has the key", func() bool {
		state, err := os.ReadFile(filepath.Join(w.Dir, "websocket", "wikis.json"))
		return err == nil && strings.Contains(string(state), base)
	})
	return raw, base
}

// TestBrowserIsHeard: the checks of what browsers receive see sockets, workers and https.
func TestBrowserIsHeard(t *testing.T) {
	for _, tls := range []bool{false, true} {
		o := wikitest.Options{Server: "nginx", TLS: tls}
		if tls {
			o.Rewrite, o.Settings = "better", "$wgWebSocketUrl = '/websocket';"
		}
		w := wikitest.Start(t, o)
		c := wikitest.StartBrowser(t).NewContext(t)
		tab := c.Tab(t)
		tab.OpenPage(w, "Main_Page")
		tab.WaitFor("window.webSocket && webSocket.connect() && webSocket.connected()")
		if got := c.FromSockets(); !strings.Contains(got, `"ok":{"session":`) {
			t.Errorf("TLS %t: from sockets came %q", tls, got)
		}
	}
}
