package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/wire"
)

const listenHelp = `Usage: websocket-relay listen TYPE... [flags]

Prints each message of the types as a line of JSON, as it comes:
  {"type":T,"msg":M,"from":CLIENT,"to":[CLIENT],"user":NAME,"wiki":true,"epoch":E,"offset":N}
What is empty is left out; "wiki" says that a wiki has sent it and no visitor. When the
connection is lost it comes back, and what was missed comes first; when messages may be lost,
standard error says so.

  --count N          ends after N messages
  --timeout D        ends after so long (as 30s, 5m); with --count the exit code is 1 then
  --since S          what came before, too, if the relay keeps it: EPOCH:OFFSET of the last
                     message that was seen (of one TYPE), a Unix time, 2026-11-21T10:00:00Z, or 10m for ten
                     minutes ago
  --verbose          says on standard error when it listens
  --wiki ID          for which wiki, when the relay serves several and the types do not say

Where the relay is:
  --control PATH     its control socket, over which all types of the wiki are open. Default:
                     that of --config, or control.sock in $RUNTIME_DIRECTORY, or
                     /run/websocket-relay/control.sock
  --config FILE      the relay's configuration file, which names the control socket
  --url URL          ws://HOST:1729/ or wss://HOST/websocket:1729, as a visitor with the
                     connect token of --token-file FILE (which is read again when it has run
                     out) or $WEBSOCKET_TOKEN, or without one

It ends with 0 on SIGINT and SIGTERM and when nobody reads its output any more.
Exit codes: 0 done, 1 failure, or fewer messages than --count, 2 wrong usage.
Examples: websocket-relay listen mydb:@changes | jq -r .msg.title
          websocket-relay listen mydb:Deploy --count 1 --timeout 1h && ./restart.sh
`

// openPatience is for the connection, when there is no --timeout.
const openPatience = 30 * time.Second

// listener is a listen command.
type listener struct {
	*command
	count   int
	timeout time.Duration
	since   client.Since
	verbose bool
	line    bytes.Buffer
}

func listen(ctx context.Context, c *command, args []string) error {
	l := &listener{command: c}
	c.reach()
	c.flags.IntVar(&l.count, "count", 0, "")
	c.flags.DurationVar(&l.timeout, "timeout", 0, "")
	c.flags.BoolVar(&l.verbose, "verbose", false, "")
	since := c.flags.String("since", "", "")
	types, err := c.parse(args, 1, wire.DefaultLimits().Types, "TYPE... [flags]")
	if err != nil {
		return err
	}
	for _, typ := range types {
		if err := wire.CheckType(typ, wire.DefaultLimits().TypeBytes); err != nil {
			return usage("TYPE: %s", err.Message)
		}
	}
	if l.since, err = parseSince(*since, time.Now()); err != nil {
		return err
	}
	if l.since.Epoch != "" && len(types) > 1 {
		return usage("--since %s: each type has offsets of its own, and here are %d: run the command once for each, or give a time", *since, len(types))
	}
	if l.count < 0 || l.timeout < 0 {
		return usage("--count and --timeout are more than 0")
	}
	if err := c.local(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	until, done := patience(ctx, l.timeout)
	defer done()
	until, end := context.WithCancelCause(until)
	defer end(nil)
	if c.Gone != nil {
		go func() {
			select {
			case <-c.Gone(until.Done()):
				end(errGone)
			case <-until.Done():
			}
		}()
	}
	return l.verdict(ctx, until, l.listen(until, types))
}

var errGone = errors.New("nobody reads the output any more")

// verdict decides what the end means.
func (l *listener) verdict(ctx, until context.Context, err error) error {
	switch {
	case ctx.Err() != nil, context.Cause(until) == errGone, errors.Is(err, errGone):
		return nil
	case until.Err() != nil && l.count > 0:
		return config.Fail(config.ExitFailure, "%d more messages were wanted when --timeout %s was over", l.count, l.timeout)
	case until.Err() != nil:
		return nil
	}
	return err
}

// parseSince reads --since.
func parseSince(text string, now time.Time) (client.Since, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return client.Since{Time: now.Add(-ago).Unix()}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return client.Since{Time: at.Unix()}, nil
	}
	since, err := client.ParseSince(text)
	if err != nil {
		return since, usage("--since %s: that is not EPOCH:OFFSET, a Unix time, a time like 2026-11-21T10:00:00Z or a duration like 10m", text)
	}
	return since, nil
}

// listen prints messages until ctx is done or there were enough.
func (l *listener) listen(ctx context.Context, types []string) error {
	opening, done := ctx, context.CancelFunc(func() {})
	if l.timeout == 0 {
		opening, done = context.WithTimeout(ctx, openPatience)
	}
	defer done()
	wiki, err := "", error(nil)
	if l.url == "" {
		if wiki, err = l.wikiOf(opening, types...); err != nil {
			return err
		}
	}
	o, err := l.options(wiki)
	if err != nil {
		return err
	}
	o.Disconnected = func(err error) {
		if lost := new(client.Lost); errors.As(err, &lost) {
			l.say("%s; trying again", strings.TrimPrefix(err.Error(), "client: "))
		}
	}
	o.Failed = func(typ string, err *client.Error) { l.say("%s: %s", typ, err.Message) }
	conn, err := l.open(opening, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, typ := range types {
		if _, err := conn.Subscribe(opening, typ, l.since, nil); err != nil {
			return l.refusal(typ, err)
		}
	}
	if l.verbose {
		l.say("listening to %s", strings.Join(types, ", "))
	}
	return l.print(ctx, conn)
}

// refusal names the type that is refused.
func (l *listener) refusal(typ string, err error) error {
	if refused := new(client.Error); errors.As(err, &refused) {
		return config.Fail(config.ExitFailure, "%s: %s", typ, l.explain(err))
	}
	return err
}

func (l *listener) print(ctx context.Context, conn *client.Client) error {
	for wanted := l.count; ; {
		m, err := conn.Receive(ctx)
		missed := new(client.MissedError)
		switch {
		case errors.As(err, &missed):
			l.say("messages of %s may have been missed", missed.Type)
			continue
		case err != nil:
			return err
		}
		if err := l.write(m); err != nil {
			return err
		}
		if wanted > 0 {
			if wanted--; wanted == 0 {
				return nil
			}
			l.count = wanted
		}
	}
}

// write writes a message as one line, at once.
func (l *listener) write(m client.Message) error {
	l.line.Reset()
	e := json.NewEncoder(&l.line)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return err
	}
	_, err := l.Out.Write(l.line.Bytes())
	if errors.Is(err, syscall.EPIPE) {
		return errGone
	}
	return err
}
