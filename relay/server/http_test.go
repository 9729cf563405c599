package server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

const jsonType = "Content-Type: application/json"

func publishToken(wiki string, claims map[string]any) string {
	return "Authorization: Bearer " + relaytest.Token(wiki, "publish", "", claims)
}

func TestPublishRefuses(t *testing.T) {
	r := relaytest.Start(t, farm)
	page := r.V1(t, connectToken("a:", "Ann"), "WS1")
	page.Subscribe("T", "a:@changes")
	now := time.Now().Unix()
	good, fine := publishToken("a:", nil), `{"messages":[{"type":"T","msg":1}]}`
	none := strings.Split(relaytest.Token("a:", "publish", "", nil), ".")
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		says    string
	}{
		"no token":           {fine, []string{jsonType}, 401, "Bearer"},
		"basic":              {fine, []string{jsonType, "Authorization: Basic eDp5"}, 401, "Bearer"},
		"two tokens":         {fine, []string{jsonType, good, good}, 401, "Bearer"},
		"connect token":      {fine, []string{jsonType, "Authorization: Bearer " + connectToken("a:", "")}, 401, "aud"},
		"unknown wiki":       {fine, []string{jsonType, publishToken("x:", nil)}, 401, "not registered"},
		"unsigned":           {fine, []string{jsonType, "Authorization: Bearer " + none[0] + "." + none[1] + "."}, 401, "unauthorized"},
		"truncated":          {fine, []string{jsonType, good[:len(good)-1]}, 401, "unauthorized"},
		"too long":           {fine, []string{jsonType, "Authorization: Bearer " + strings.Repeat("x", 8193)}, 401, "too long"},
		"expired":            {fine, []string{jsonType, publishToken("a:", map[string]any{"exp": now - 120, "iat": now - 180})}, 401, "expired"},
		"lives 61 s":         {fine, []string{jsonType, publishToken("a:", map[string]any{"exp": now + 61, "iat": now})}, 401, "60 seconds"},
		"lives long":         {fine, []string{jsonType, publishToken("a:", map[string]any{"exp": now + 3600, "iat": nil})}, 401, "60 seconds"},
		"form":               {fine, []string{"Content-Type: text/plain", good}, 415, "application/json"},
		"no type":            {fine, []string{good}, 415, "application/json"},
		"not JSON":           {"x", []string{jsonType, good}, 400, "bad-request"},
		"no messages":        {"{}", []string{jsonType, good}, 400, "messages"},
		"bad second":         {`{"messages":[{"type":"T"},{"type":""}]}`, []string{jsonType, good}, 400, "message 1: type"},
		"another's second":   {`{"messages":[{"type":"T"},{"type":"b:T"}]}`, []string{jsonType, good}, 403, "message 1: "},
		"another's system":   {`{"messages":[{"type":"b:@changes"}]}`, []string{jsonType, good}, 403, "message 0: "},
		"nobody's system":    {`{"messages":[{"type":"c:@changes"}]}`, []string{jsonType, good}, 403, "message 0: "},
		"too many":           {`{"messages":[` + strings.Repeat(`{"type":"T"},`, 1024) + `{"type":"T"}]}`, []string{jsonType, good}, 413, "1024"},
		"body 1 MiB + 1":     {fine + strings.Repeat(" ", 1<<20+1-len(fine)), []string{jsonType, good}, 413, "1048576"},
		"two of one member":  {`{"messages":[],"messages":[]}`, []string{jsonType, good}, 400, "twice"},
		"not from a browser": {fine, []string{jsonType, "Cookie: a=b"}, 401, "Bearer"},
	} {
		status, _, text := r.HTTP(t, "POST", "http://relay/api/publish", c.body, c.headers...)
		if status != c.status || !strings.Contains(text, c.says) || !json.Valid([]byte(text)) {
			t.Errorf("%s: %d %s, want %d and %q", name, status, text, c.status, c.says)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		if status, header, _ := r.HTTP(t, method, "http://relay/api/publish", "", good); status != 405 || header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, status, header.Get("Allow"))
		}
	}
	page.ExpectNothing()
}

func TestPublish(t *testing.T) {
	r := relaytest.Start(t, farm)
	page := r.V1(t, connectToken("a:", "Ann"), "WS1")
	page.Subscribe("T", "a:@page/1")
	body := `{"messages":[{"type":"T","msg":[1],"from":"WS9","to":""},{"type":"a:@page/1"}]}`
	body += strings.Repeat(" ", 1<<20-len(body)) // the most there may be
	status, _, text := r.HTTP(t, "POST", "http://relay/api/publish", body, "Content-Type: application/json; charset=utf-8",
		"Authorization: bearer "+relaytest.Token("a:", "publish", "Bot", nil))
	if want := `{"published":[{"offset":1},{"offset":2}]}`; status != 200 || strings.TrimSpace(text) != want {
		t.Errorf("%d %s, want %s", status, text, want)
	}
	page.Expect(`{"type":"T","msg":[1],"from":"WS9","to":"","offset":1,"user":"Bot","wiki":true}`, `{"type":"a:@page/1","offset":2,"user":"Bot","wiki":true}`)
	if status, _, text = r.HTTP(t, "POST", "http://relay/api/publish", `{"messages":[]}`, jsonType, publishToken("a:", nil)); status != 200 || strings.TrimSpace(text) != `{"published":[]}` {
		t.Errorf("nothing to publish: %d %s", status, text)
	}
	most := `{"messages":[` + strings.Repeat(`{"type":"N"},`, 1023) + `{"type":"N"}]}`
	if status, _, _ = r.HTTP(t, "POST", "http://relay/api/publish", most, jsonType, publishToken("a:", nil)); status != 200 {
		t.Errorf("1024 messages: %d", status)
	}
}

func TestRefusedHandshakes(t *testing.T) {
	r := relaytest.Start(t, farm)
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}
	for name, c := range map[string]struct {
		method, body string
		headers      []string
		status       int
	}{
		"a page":        {"GET", "", nil, 426},
		"other upgrade": {"GET", "", []string{"Connection: Upgrade", "Upgrade: h2c"}, 426},
		"posted":        {"POST", "", upgrade, 405},
		"old version":   {"GET", "", []string{upgrade[0], upgrade[1], "Sec-WebSocket-Version: 8", upgrade[3]}, 400},
		"no key":        {"GET", "", upgrade[:3], 400},
		"short key":     {"GET", "", append([]string{"Sec-WebSocket-Key: AAAA"}, upgrade[:3]...), 400},
		"a body":        {"GET", "x", upgrade, 400},
		"no connection": {"GET", "", upgrade[1:], 426},
	} {
		status, _, text := r.HTTP(t, c.method, "http://relay/", c.body, c.headers...)
		if status != c.status || !json.Valid([]byte(text)) {
			t.Errorf("%s: %d %s, want %d", name, status, text, c.status)
		}
	}
}

func TestRegisteringAWiki(t *testing.T) {
	dir := t.TempDir()
	at := func(c *config.Config) { c.State = filepath.Join(dir, "state.json") }
	r := relaytest.Start(t, at)
	const url = "http://control/api/wikis/new:"
	head := func(r *relaytest.Relay, etag string) int {
		status, _, _ := r.HTTP(t, "HEAD", url, "", `If-None-Match: "`+etag+`"`)
		return status
	}
	body := string(relaytest.Registration("new:", publicOrigin, false)) + " \n"
	sum := sha256.Sum256([]byte(body))
	etag := hex.EncodeToString(sum[:])
	if got := head(r, etag); got != 404 {
		t.Errorf("unknown wiki: %d", got)
	}
	status, header, text := r.HTTP(t, "PUT", url, body)
	if status != 200 || strings.TrimSpace(text) != `{"etag":"`+etag+`"}` || header.Get("ETag") != `"`+etag+`"` {
		t.Errorf("put: %d %s", status, text)
	}
	check := func(r *relaytest.Relay) {
		t.Helper()
		if same, other := head(r, etag), head(r, strings.Repeat("0", 64)); same != 304 || other != 200 {
			t.Errorf("head: %d for the same, %d for another", same, other)
		}
		r.Dial(t, "/", "", "Origin: "+publicOrigin).CloseNow()
		r.Publish(t, "new:", `[{"type":"new:@changes"}]`)
	}
	check(r)
	r.Close()
	if info, err := os.Stat(filepath.Join(dir, "state.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state file: %v %v", info, err)
	}
	check(relaytest.Start(t, at)) // known again after a restart
}

func TestRegisteringIsRefused(t *testing.T) {
	r := relaytest.Start(t, farm)
	key := strings.Repeat("A", 43) + "="
	with := func(origin string) string { return fmt.Sprintf(`{"key":%q,"origins":[%q]}`, key, origin) }
	for _, c := range []struct{ id, body, says string }{
		{"x:", `{`, "JSON"},
		{"x:", `[]`, "JSON"},
		{"x:", `{"key":"secret"}`, "key 1"},
		{"x:", `{"key":"` + key[1:] + `"}`, "key 1"},
		{"x:", `{"key":"` + key + `","keys":["secret"]}`, "key 2"},
		{"x:", `{"key":"` + key + `","origin":[]}`, `\"origin\"`},
		{"x:", `{"key":"` + key + `"} {}`, "follows"},
		{"x:", `{"key":1}`, "not a string"},
		{"x:", with("https://wiki.example/"), "write https://wiki.example"},
		{"x:", with("https://wiki.example:443"), "write https://wiki.example"},
		{"x:", with("https://Wiki.example"), "write https://wiki.example"},
		{"x:", with("https://*.example"), "pattern"},
		{"x:", with("wiki.example"), "http:// or https://"},
		{"x:", with("https://me@wiki.example"), "write https://wiki.example"},
		{"x", with("https://wiki.example"), "wiki id"},
		{"x:y:", with("https://wiki.example"), "wiki id"},
	} {
		status, _, text := r.HTTP(t, "PUT", "http://control/api/wikis/"+c.id, c.body)
		if status != 400 || !strings.Contains(text, c.says) || strings.Contains(text, "secret") || strings.Contains(text, key) {
			t.Errorf("%s %s: %d %s, want %q", c.id, c.body, status, text, c.says)
		}
	}
	if status, _, _ := r.HTTP(t, "PUT", "http://relay/api/wikis/x:", with("https://wiki.example")); status != 404 {
		t.Errorf("registered from outside: %d", status)
	}
	if status, _, _ := r.HTTP(t, "HEAD", "http://control/api/wikis/x:", ""); status != 404 {
		t.Errorf("a refused wiki is registered: %d", status)
	}
}

func TestWikiThatBecomesPrivateLosesItsPublic(t *testing.T) {
	r := relaytest.Start(t, farm)
	out, in, other := r.V1(t, "", "o"), r.V1(t, connectToken("a:", "Ann"), "i"), r.V1(t, "", "x")
	out.Subscribe("a:T")
	in.Subscribe("a:T")
	other.Subscribe("b:T")
	if status, _, text := r.HTTP(t, "PUT", "http://control/api/wikis/a:", string(relaytest.Registration("a:", publicOrigin, true))); status != 200 {
		t.Fatal(text)
	}
	r.Publish(t, "a:", `[{"type":"a:T","msg":"secret"}]`)
	out.ExpectClose(wire.CloseUnauthorized)
	expect(t, in, `{"type":"a:T","msg":"secret","wiki":true}`)
	other.ExpectNothing()
}

func TestOldKeyCountsWhileKeysRotate(t *testing.T) {
	r := relaytest.Start(t, nil)
	put := func(keys string) {
		t.Helper()
		if status, _, text := r.HTTP(t, "PUT", "http://control/api/wikis/a:", `{`+keys+`,"origins":[]}`); status != 200 {
			t.Fatal(text)
		}
	}
	old := strings.Split(string(relaytest.Registration("a:", publicOrigin, false)), `"`)[3]
	put(`"key":"` + strings.Repeat("B", 42) + `A=","keys":["` + old + `"]`)
	r.Publish(t, "a:", `[]`)
	put(`"key":"` + strings.Repeat("B", 42) + `A="`)
	if status, _, _ := r.HTTP(t, "POST", "http://relay/api/publish", `{"messages":[]}`, jsonType, publishToken("a:", nil)); status != 401 {
		t.Errorf("a key that is gone: %d", status)
	}
}

func TestBrokenStateFileIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wikis.json")
	os.WriteFile(path, []byte(`{"a:":{"wiki":{"key":"sec`), 0o600)
	r := relaytest.Start(t, func(c *config.Config) { c.State = path })
	if _, err := os.Stat(path + ".bad"); err != nil || !strings.Contains(r.Log.String(), "set aside") {
		t.Errorf("%v\n%s", err, r.Log)
	}
	if status, _, _ := r.HTTP(t, "PUT", "http://control/api/wikis/a:", string(relaytest.Registration("a:", publicOrigin, false))); status != 200 {
		t.Errorf("register: %d", status)
	}
}

func TestOperatorsView(t *testing.T) {
	r := relaytest.Start(t, farm)
	r.V1(t, connectToken("p:", "Pat"), "WS1", "WS2")
	r.Publish(t, "a:", `[{"type":"T"}]`)
	_, _, text := r.HTTP(t, "GET", "http://control/api/stats", "")
	if strings.Contains(text, "key") {
		t.Errorf("keys in the stats: %s", text)
	}
	for _, want := range []string{`"connections":1,"`, `"published":1,`, `"p:":{"connections":1,"clients":2,"origins":["` + privateOrigin + `"],"private":true}`, `"a:":{"connections":0,`} {
		if !strings.Contains(text, want) {
			t.Errorf("stats without %s: %s", want, text)
		}
	}
	for path, want := range map[string]string{"/healthz": `"status":"ok"`, "/readyz": "ready", "/metrics": "websocket_relay_connections 1"} {
		if status, _, text := r.HTTP(t, "GET", "http://control"+path, ""); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %.200s", path, status, text)
		}
	}
}
