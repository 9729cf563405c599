package server_test

import (
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/relay/relaytest"
)

// What is for the operator says how many are connected, from where, and of which wikis; registering makes a wiki's key known.
func TestStrangerSeesTheOperatorsPages(t *testing.T) {
	r := relaytest.Start(t, farm)
	r.V1(t, connectToken("p:", "Pat"), "WS1")
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/api/wikis/a:", "/api/wikis/", "/api/token", "/debug/pprof/", "/debug/vars", "/api/", "/api/messages"} {
		spellings := []string{path, "/" + path, "/." + path, "/websocket/.." + path, path + "/", path + "?x=/", strings.ToUpper(path),
			fmt.Sprintf("/%%%02x%s", path[1], path[2:])}
		for _, spelling := range spellings {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
				status, _, text := r.HTTP(t, method, "http://relay"+spelling, "", "X-Forwarded-For: 127.0.0.1")
				if status != 404 || strings.Contains(text, "websocket_relay_") || strings.Contains(text, "p:") {
					t.Errorf("%s %s: %d %s", method, spelling, status, text)
				}
			}
		}
	}
	for _, path := range []string{"stats", "history?type=p:T&since=0", "presence?type=p:T"} {
		if status, _, text := r.HTTP(t, "GET", "http://relay/api/"+path, ""); status != 401 || strings.Contains(text, "p:") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}
