package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// FuzzDisconnect: whatever a wiki's request says, it ends the connections that it names, of that wiki, and no other; those it cannot come back.
func FuzzDisconnect(f *testing.F) {
	now := time.Now().Unix()
	for _, body := range []string{`{"user":"USER"}`, `{"session":"SESSION"}`, `{"client":"CLIENT"}`, `{"type":"a:Page/1"}`, `{"type":"b:x"}`,
		`{"type":"Shared"}`, `{"user":""}`, `{}`, `null`, `[]`, `{"user":"Bob"}`, `{"client":"bob"}`, `{"user":"USER","session":"SESSION"}`,
		`{"USER":"USER","user":""}`, `{"user":"USER"}{}`, `{"user":"USER","x":1}`, `{"user":"USER","before":9223372036854775807}`,
		`{"user":"USER","before":-1}`, `{"user":"USER","before":5}`, `{"user":"USER","before":1e3}`,
		fmt.Sprintf(`{"user":"USER","before":%d}`, now+3600), `{"user":"\u0055SER"}`, `{"user":null,"session":"SESSION"}`} {
		f.Add([]byte(body))
	}
	r := relaytest.StartPiped(f, declared)
	count := 0
	f.Fuzz(func(t *testing.T, pattern []byte) {
		count++
		body := string(pattern)
		for _, name := range []string{"USER", "SESSION", "CLIENT"} {
			body = strings.ReplaceAll(body, `:"`+name+`"`, fmt.Sprintf(`:"%s%d"`, name, count))
		}
		user, session, client := fmt.Sprint("USER", count), fmt.Sprint("SESSION", count), fmt.Sprint("CLIENT", count)
		issued := time.Now().Unix()
		claims := map[string]any{"sid": session, "iat": issued, "exp": issued + 3600}
		token := relaytest.Token("a:", "connect", user, claims)
		victim := r.V1(t, token, client)
		bystanders := []*relaytest.Client{r.V1(t, relaytest.Token("b:", "connect", user, claims)),
			r.V1(t, relaytest.Token("a:", "connect", "not "+user, map[string]any{"exp": claims["exp"]}))}

		status, answer := disconnect(t, r, "a:", body)
		var d struct {
			User, Session, Client, Type string
			Before                      int64
		}
		bad := json.Unmarshal([]byte(body), &d)
		named := d.Client == client || (d.User == user || d.Session == session) && (d.Before == 0 || d.Before >= issued)
		switch {
		case status != 200 && (status < 400 || status > 413) || !json.Valid([]byte(answer)):
			t.Fatalf("%q: %d %s", body, status, answer)
		case status == 200 && (bad != nil || d.Before < 0 || d.Before > time.Now().Unix()+60):
			t.Errorf("%q is taken: %v", body, bad)
		case status == 200 && named && answer != "{\"closed\":1}\n", (status != 200 || !named) && strings.Contains(answer, `"closed":1`):
			t.Fatalf("%q: %s", body, answer)
		case status == 200 && named:
			if victim.ExpectClose(wire.CloseUnauthorized); d.Client == "" {
				if _, refused, err := r.TryDial("/", "", "Authorization: Bearer "+token); err == nil || refused.StatusCode != 401 {
					t.Errorf("%q: back with the same token: %v %v", body, refused, err)
				}
			}
		default:
			victim.ExpectNothing()
		}
		for _, c := range bystanders {
			c.ExpectNothing()
		}
	})
}

// FuzzLogLines: whatever a peer sends, what the relay logs of it is one line each time, and shows nothing that a terminal would obey.
func FuzzLogLines(f *testing.F) {
	for _, bad := range []string{"x", "\r\n",
		"a\nlevel=ERROR msg=forged", "\x1b[2J", "\u2028", "\u202e", "\x00", "\xff\xfe", `" msg="`, "\u0085", "\x7f", strings.Repeat("é", 200), "{"} {
		f.Add(bad, "/"+bad, "T"+bad, bad, bad, bad)
	}
	r := relaytest.StartPiped(f, declared)
	handler, broken := r.Public(), r.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("fault") }))
	lines := func(t *testing.T, what string, want int) {
		t.Helper()
		text := r.Log.Take()
		r.ForgetWarnings()
		list := strings.Split(text, "\n")
		if len(list) != want+1 || list[want] != "" {
			t.Errorf("%s: %d lines, want %d: %q", what, len(list)-1, want, text)
		}
		for _, line := range list[:len(list)-1] {
			if !strings.HasPrefix(line, "time=") || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", what, line)
			}
		}
	}
	f.Fuzz(func(t *testing.T, origin, path, typ, op, user, session string) {
		if len(user) > 1000 || len(typ+op+session) > 4000 {
			t.Skip("too large for a token, a frame or a body")
		}
		r.ForgetWarnings()
		r.Log.Take()

		q := &http.Request{Method: "GET", URL: &url.URL{Path: "/"}, Header: http.Header{"Upgrade": {"websocket"}, "Origin": {origin}}}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, q)
		lines(t, "origin", number(answer.Code == 403))
		q.URL.Path = path
		broken.ServeHTTP(httptest.NewRecorder(), q)
		lines(t, "path", 1)

		c := r.V1(t, relaytest.Token("a:", "connect", user, nil))
		text, _ := json.Marshal(map[string]any{"id": 2, "op": op, "type": "x"})
		lines(t, "op", number(code(c.Ask(string(text))) == "unknown-op"))
		text, _ = json.Marshal(map[string]any{"id": 3, "op": "subscribe", "type": "p:" + typ})
		lines(t, "type", number(code(c.Ask(string(text))) == "forbidden"))

		text, _ = json.Marshal(map[string]string{"session": session})
		status, _ := disconnect(t, r, "a:", string(text))
		lines(t, "session", number(status == 200))

		script := r.Dial(t, "/", "")
		script.Send(`{"type":"p:` + strings.ToValidUTF8(typ, "") + `","msg":1}`)
		script.Send("{" + strings.ToValidUTF8(op, "") + "x}")
		script.Close(1000, "")
		lines(t, "script", 1+number(strings.Count(r.Log.String(), "\n") == 2)) // the first is malformed, too, or forbidden
	})
}

func number(is bool) int {
	if is {
		return 1
	}
	return 0
}
