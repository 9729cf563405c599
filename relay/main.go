// Command websocket-relay passes messages between a MediaWiki and the browsers and scripts that are connected to it. With the name of a command as its first
// argument it is a client of a relay that runs.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"mediawiki-websocket/relay/command"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/server"
)

func main() {
	args := os.Args[1:]
	if command.Is(args) {
		os.Exit(config.Report(talk(args), os.Stdout, os.Stderr))
	}
	cfg, err := config.Parse(args, os.Getenv)
	if err == nil {
		err = server.Run(cfg)
	}
	os.Exit(config.Report(err, os.Stdout, os.Stderr))
}

// talk runs a command.
func talk(args []string) error {
	signal.Ignore(syscall.SIGPIPE) // a write says so too
	return command.Run(context.Background(), args, command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Gone: command.Gone(os.Stdout)})
}
