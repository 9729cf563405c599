package server_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"mediawiki-websocket/relay/relaytest"
)

// On the control socket the operator gets a token of any registered wiki, and never a key.
func TestOperatorsTokens(t *testing.T) {
	r := relaytest.Start(t, farm)
	ask := func(body string) (int, string) {
		t.Helper()
		status, header, text := r.HTTP(t, "POST", "http://control/api/token", body, "Content-Type: application/json")
		if status == 200 && header.Get("Cache-Control") != "no-store" {
			t.Errorf("may be kept: %v", header)
		}
		return status, text
	}
	token := func(body string) string {
		t.Helper()
		status, text := ask(body)
		var answer struct {
			Token   string
			Expires int64
		}
		if json.Unmarshal([]byte(text), &answer); status != 200 || answer.Token == "" || answer.Expires == 0 {
			t.Fatalf("%s: %d %s", body, status, text)
		}
		return answer.Token
	}
	c := r.V1(t, token(`{"wiki":"p:","for":"connect","user":"Op","rights":["*"]}`), "WS1")
	c.Subscribe("p:Any")
	if status, _, text := r.HTTP(t, "POST", "http://relay/api/publish", `{"messages":[{"type":"p:Any","msg":1}]}`, "Content-Type: application/json",
		"Authorization: Bearer "+token(`{"wiki":"p:","for":"publish"}`)); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	if got := c.Next(); !strings.Contains(got, `"msg":1`) {
		t.Error(got)
	}
	for _, body := range []string{"", "[]", "{", `{"wiki":"none:","for":"connect"}`, `{"for":"connect"}`, `{"wiki":"p:"}`, `{"wiki":"p:","for":"root"}`,
		`{"wiki":"p:","for":"publish","seconds":61}`, `{"wiki":"p:","for":"connect","seconds":172801}`, `{"wiki":"p:","for":"connect","seconds":-1}`,
		`{"wiki":"p:","for":"connect","seconds":9223372036854775807}`, `{"wiki":"p:","for":"subscribe"}`, `{"wiki":"p:","for":"connect","key":"x"}`} {
		if status, text := ask(body); status != 400 {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if status, _, _ := r.HTTP(t, "GET", "http://control/api/token", ""); status != 405 {
		t.Errorf("GET: %d", status)
	}
	log := r.Log.String()
	if !strings.Contains(log, `msg="token made for the operator" wiki=p: for=connect user=Op`) {
		t.Errorf("not logged: %s", log)
	}
	for _, secret := range []string{string(relaytest.Key("p:")), base64.StdEncoding.EncodeToString(relaytest.Key("p:")), "eyJ"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// Who is connected over the control socket is served as anybody else.
func TestWebSocketOverTheControlSocket(t *testing.T) {
	r := relaytest.Start(t, farm)
	c := r.Dial(t, "ws://control/", "mediawiki.websocket.v1")
	if got := c.Ask(`{"id":1,"op":"connect","token":"` + connectToken("p:", "Pat") + `","clients":["WS1"]}`); !strings.HasPrefix(got, `{"id":1,"ok":`) {
		t.Fatal(got)
	}
	c.Subscribe("p:T")
	r.Publish(t, "p:", `[{"type":"p:T","msg":1}]`)
	if got := c.Next(); !strings.Contains(got, `"msg":1`) {
		t.Error(got)
	}
	c.ExpectNothing()
}
