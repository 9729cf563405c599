// Command websocket-relay passes messages between a MediaWiki and the browsers and scripts that are connected to it.
package main

import (
	"os"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/server"
)

func main() {
	cfg, err := config.Parse(os.Args[1:], os.Getenv)
	if err == nil {
		err = server.Run(cfg)
	}
	os.Exit(config.Report(err, os.Stdout, os.Stderr))
}
