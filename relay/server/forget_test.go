package server_test

import (
	"path/filepath"
	"strings"
	"testing"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
)

// What must not be read any more is not in the history either, also not after a restart.
func TestForgottenMessageIsRead(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	start := func() *relaytest.Relay {
		return relaytest.Start(t, func(cfg *config.Config) {
			withHistory(cfg)
			cfg.History = filepath.Join(folder, "history.log")
		})
	}
	r := start()
	since, _ := subscribeSince(t, r.V1(t, connectToken("a:", "Ann")), "a:Feed/1", "")
	r.Publish(t, "a:", `[{"type":"a:Feed/1","msg":"secret"},{"type":"a:Feed/2","msg":"secret"},{"type":"a:Feedback","msg":"open"},
		{"type":"a:Feed/*","forget":true},{"type":"a:Feed/1","msg":"later"}]`)
	for range 2 {
		c := r.V1(t, connectToken("a:", "Ann"))
		for _, typ := range []string{"a:Feed/1", "a:Feed/2"} {
			if _, recovered := subscribeSince(t, c, typ, since); recovered {
				t.Errorf("%s: nobody says that something is gone", typ)
			}
			if _, _, text := r.HTTP(t, "GET", "http://relay/api/history?since=0&type="+typ, "", publishToken("a:", nil)); strings.Contains(text, "secret") {
				t.Errorf("%s: %s", typ, text)
			}
		}
		c.ExpectNothing()
		r.Close()
		r = start()
	}
	for name, message := range map[string]string{
		"of another wiki":  `{"type":"b:T","forget":true}`,
		"of all wikis":     `{"type":"Anything","forget":true}`,
		"with a message":   `{"type":"a:Feed/1","forget":true,"msg":1}`,
		"with a recipient": `{"type":"a:Feed/1","forget":true,"to":"ann"}`,
		"neither":          `{"type":"a:Feed/1","forget":1}`,
	} {
		if status, _, text := r.HTTP(t, "POST", "http://relay/api/publish", `{"messages":[`+message+`]}`, publishToken("a:", nil)); status == 200 {
			t.Errorf("%s: %s", name, text)
		}
	}
	ann := r.V1(t, connectToken("a:", "Ann"))
	if got := code(ann.Ask(`{"id":2,"op":"send","type":"a:Feed/1","msg":1,"forget":true}`)); got != "ok" {
		t.Error(got) // an unknown member
	}
	if h := hear(t, ann.Ask(`{"id":3,"op":"subscribe","type":"a:Feed/1","since":`+since+`}`)); h.Ok == nil || h.Ok.Recovered {
		t.Errorf("%+v", h)
	}
}
