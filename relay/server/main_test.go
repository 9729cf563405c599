package server_test

import (
	"os"
	"testing"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/leak"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(floodVariable); address != "" {
		floodFrom(address, os.Getenv(floodVariable+"_NAME"))
		return
	}
	leak.Main(m)
}

const (
	publicOrigin  = "https://a.example"
	otherOrigin   = "https://b.example"
	privateOrigin = "https://p.example"
)

// farm is two public wikis, a: and b:, and a private one, p:.
func farm(cfg *config.Config) {
	cfg.Wikis = append(cfg.Wikis, relaytest.Wiki("a:", publicOrigin, false), relaytest.Wiki("b:", otherOrigin, false), relaytest.Wiki("p:", privateOrigin, true))
}

func connectToken(wiki, user string) string { return relaytest.Token(wiki, "connect", user, nil) }
