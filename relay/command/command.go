// Package command is the command line client: what websocket-relay does when its first argument is the name of a command.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/config"
)

// Streams is what a command has of the process.
type Streams struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
	Gone   func(stop <-chan struct{}) <-chan struct{} // closed when nobody reads Out any more; nil: that cannot be seen
}

// command is one of the commands while it runs.
type command struct {
	Streams
	name  string
	flags *flag.FlagSet
	target
}

var commands = map[string]struct {
	help string
	run  func(context.Context, *command, []string) error
}{
	"send":   {sendHelp, send},
	"listen": {listenHelp, listen},
	"stats":  {statsHelp, stats},
	"token":  {tokenHelp, token},
}

// Is reports whether the arguments of the program, without its name, are for [Run].
func Is(args []string) bool {
	if len(args) == 0 {
		return false
	}
	_, ok := commands[args[0]]
	return ok
}

// Run runs the command that the arguments name, until it is done or ctx is. Its errors are [config.Exit]s.
func Run(ctx context.Context, args []string, s Streams) error {
	what := commands[args[0]]
	c := &command{Streams: s, name: args[0], flags: flag.NewFlagSet(args[0], flag.ContinueOnError)}
	c.flags.SetOutput(io.Discard)
	c.flags.StringVar(&c.control, "control", "", "")
	c.flags.StringVar(&c.config, "config", "", "")
	c.flags.StringVar(&c.wiki, "wiki", "", "")
	err := what.run(ctx, c, args[1:])
	if err == nil {
		return nil
	}
	if errors.Is(err, flag.ErrHelp) {
		return &config.Exit{Code: config.ExitOK, Text: what.help}
	}
	exit := new(config.Exit)
	if !errors.As(err, &exit) {
		exit.Code, exit.Text = config.ExitFailure, c.explain(err)
	}
	return config.Fail(exit.Code, "%s: %s", c.name, exit.Text)
}

// usage is the error for what was typed.
func usage(format string, args ...any) error { return config.Fail(config.ExitUsage, format, args...) }

// parse reads flags, which may stand anywhere before a "--", and returns the other arguments: from least to most of them.
func (c *command) parse(args []string, least, most int, what string) (rest []string, err error) {
	var last []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, last = args[:i], args[i+1:]
	}
	for {
		if err := c.flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usage("%v; websocket-relay %s --help lists the flags, and what follows -- is none", err, c.name)
		}
		if args = c.flags.Args(); len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	if rest = append(rest, last...); len(rest) < least || len(rest) > most {
		return nil, usage("there are %d arguments, wanted is: websocket-relay %s %s", len(rest), c.name, what)
	}
	return rest, c.locate()
}

// say writes a line to standard error.
func (c *command) say(format string, args ...any) {
	fmt.Fprintf(c.Err, "websocket-relay: %s: %s\n", c.name, config.Fail(0, format, args...).Error())
}

// list reads names with commas between them.
func list(text string) (names []string) {
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// explain says in words what went wrong, and what to do.
func (c *command) explain(err error) string {
	refused := new(client.Error)
	switch {
	case errors.As(err, &refused):
		return "the relay refuses: " + refused.Message + c.advice(refused)
	case c.control != "":
		return explainSocket(c.control, err)
	}
	if lost := new(client.Lost); errors.As(err, &lost) {
		return fmt.Sprintf("no connection to %s: %s", c.shown(), lost.Reason)
	}
	return strings.TrimPrefix(err.Error(), "client: ")
}

// patience bounds what must not take long.
func patience(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
