package page_test

import (
	"embed"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mediawiki-websocket/relay/apps/page"
)

//go:embed testdata
var files embed.FS

func serve(method, path string) *http.Response {
	h := page.Handler(page.App{URLs: []string{"/a/one", "/two"}, Files: files, Folder: "testdata", Framers: "'none'",
		Connect: func(url string, w http.ResponseWriter, _ *http.Request) { w.Write([]byte("connect " + url)) }})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "\r\n\r\n")
	return text
}

func TestPage(t *testing.T) {
	r := serve("GET", "/a/one?x=1")
	if text := body(t, r); r.StatusCode != 200 || text != "<script src=\"one/script.js\"></script>\n" {
		t.Errorf("%d %s", r.StatusCode, text)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	r = serve("GET", "/two/script.js")
	if text := body(t, r); r.StatusCode != 200 || text != "window.test = 1;\n" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/javascript") || r.Header.Get("Etag") == "" {
		t.Errorf("%d %v %s", r.StatusCode, r.Header, text)
	}
	if text := body(t, serve("GET", "/two/connect")); text != "connect /two" {
		t.Error(text)
	}
	if r := serve("GET", "/a/one/?log=x"); r.StatusCode != http.StatusMovedPermanently || r.Header.Get("Location") != "../one?log=x" {
		t.Errorf("%d %s", r.StatusCode, r.Header.Get("Location"))
	}
	if r := serve("POST", "/a/one"); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("%d %s", r.StatusCode, r.Header.Get("Allow"))
	}
}

// TestPageServesOtherFiles: there is nothing but what is part of the program.
func TestPageServesOtherFiles(t *testing.T) {
	for _, path := range []string{"/", "/a", "/a/one/index.html", "/a/one/../two", "/a/one/%2e%2e/two", "/a/one/..%2f..%2fetc/passwd", "/a/one//script.js", "/a/one/page.go",
		"/two/connect/", "/a/one/script.js/", "/A/one", "/a/one/%00", "/a/one/script.js%00.html"} {
		if r := serve("GET", path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, r.StatusCode, body(t, r))
		}
	}
}
