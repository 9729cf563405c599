package wikitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Params are the parameters of an API request. format=json and
// formatversion=2 are added.
type Params = map[string]string

// An APIError is an error that MediaWiki's API answered.
type APIError struct {
	Code string `json:"code"`
	Info string `json:"info"`
}

func (e *APIError) Error() string { return e.Code + ": " + e.Info }

// A Session is one visitor of a wiki, with cookies. It may be used
// concurrently.
type Session struct {
	wiki   *Wiki
	client *http.Client
	mu     sync.Mutex
	token  string
}

// Anonymous returns a new visitor who is not logged in.
func (w *Wiki) Anonymous() *Session {
	client := w.Client()
	client.Jar, _ = cookiejar.New(nil) // never fails without options
	return &Session{wiki: w, client: client}
}

// Login returns a new visitor who is logged in.
func (w *Wiki) Login(t testing.TB, user, password string) *Session {
	t.Helper()
	s := w.Anonymous()
	answer := s.API(t, Params{"action": "query", "meta": "tokens", "type": "login"})
	token := answer["query"].(map[string]any)["tokens"].(map[string]any)["logintoken"].(string)
	answer = s.API(t, Params{"action": "login", "lgname": user, "lgpassword": password, "lgtoken": token})
	if login, _ := answer["login"].(map[string]any); login["result"] != "Success" {
		t.Fatalf("log in as %s: %v", user, answer)
	}
	return s
}

// Call sends a request to api.php, as POST, and returns the answer; an
// *APIError if that is an error. The action stands in the address as well,
// for the log of the web server.
func (s *Session) Call(params Params) (map[string]any, error) {
	form := url.Values{"format": {"json"}, "formatversion": {"2"}}
	for key, value := range params {
		form.Set(key, value)
	}
	resp, err := s.client.PostForm(s.wiki.URL+"/api.php?action="+url.QueryEscape(params["action"]), form)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w in %.500q", resp.Status, err, body)
	}
	if _, failed := answer["error"]; failed {
		var e struct{ Error APIError }
		if err := json.Unmarshal(body, &e); err != nil {
			return nil, err
		}
		return nil, &e.Error
	}
	return answer, nil
}

// API is Call for a request that must succeed.
func (s *Session) API(t testing.TB, params Params) map[string]any {
	t.Helper()
	answer, err := s.Call(params)
	if err != nil {
		t.Fatalf("api.php action=%s: %v", params["action"], err)
	}
	return answer
}

// CSRFToken returns the token that actions need which change something.
func (s *Session) CSRFToken(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == "" {
		answer := s.API(t, Params{"action": "query", "meta": "tokens"})
		s.token = answer["query"].(map[string]any)["tokens"].(map[string]any)["csrftoken"].(string)
	}
	return s.token
}

// Write is API for actions that need a CSRF token, which it adds.
func (s *Session) Write(t testing.TB, params Params) map[string]any {
	t.Helper()
	with := Params{"token": s.CSRFToken(t)}
	for key, value := range params {
		with[key] = value
	}
	return s.API(t, with)
}

// Edit saves a page and returns the id of the new revision. Saving what the
// page holds already fails the test, because that makes none.
func (s *Session) Edit(t testing.TB, title, text string) int64 {
	t.Helper()
	answer := s.Write(t, Params{"action": "edit", "title": title, "text": text})
	edit, _ := answer["edit"].(map[string]any)
	revision, ok := edit["newrevid"].(float64)
	if !ok {
		t.Fatalf("edit %s: no new revision: %v", title, answer)
	}
	return int64(revision)
}

// Get requests a path below the wiki's URL, such as "/index.php/Main_Page",
// and returns the answer's status and body.
func (s *Session) Get(t testing.TB, path string) (int, string) {
	t.Helper()
	resp, err := s.client.Get(s.wiki.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode, string(body)
}

// Cookies returns the session's cookies as a Cookie header.
func (s *Session) Cookies(t testing.TB) []*http.Cookie {
	t.Helper()
	u, err := url.Parse(s.wiki.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	return s.client.Jar.Cookies(u)
}

func (w *Wiki) adminSession(t testing.TB) *Session {
	t.Helper()
	w.admin.once.Do(func() { w.admin.session = w.Login(t, Admin, AdminPassword) })
	if w.admin.session == nil {
		t.Fatal("an earlier test could not log in the administrator")
	}
	return w.admin.session
}

// API sends a request as the administrator; it must succeed. An action that
// changes something gets the token that it needs.
func (w *Wiki) API(t testing.TB, params Params) map[string]any {
	t.Helper()
	if action := params["action"]; action == "query" || action == "parse" || strings.HasPrefix(action, "websocket-") {
		return w.adminSession(t).API(t, params)
	}
	return w.adminSession(t).Write(t, params)
}

// Edit saves a page as the administrator and returns the id of the new
// revision.
func (w *Wiki) Edit(t testing.TB, title, text string) int64 {
	t.Helper()
	return w.adminSession(t).Edit(t, title, text)
}

// Get requests a path as an anonymous visitor without cookies.
func (w *Wiki) Get(t testing.TB, path string) (int, string) {
	t.Helper()
	return w.Anonymous().Get(t, path)
}
