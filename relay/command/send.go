package command

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/wire"
)

const sendHelp = `Usage: websocket-relay send TYPE MSG [flags]

Sends a message to everybody who subscribes to the type, and returns when the relay has taken
it. MSG is a text; "-" reads it from standard input, without the last line's end.

  --to ID,ID         only to the clients with these ids
  --json             MSG is JSON
  --lines            with "-": each line of standard input is a message, sent as it comes
  --timeout D        for each message, 10s; 0: for ever
  --wiki ID          for which wiki, when the relay serves several and the type does not say

Where the relay is:
  --control PATH     its control socket, over which the message is the wiki's own word. Default:
                     that of --config, or control.sock in $RUNTIME_DIRECTORY, or
                     /run/websocket-relay/control.sock
  --config FILE      the relay's configuration file, which names the control socket
  --url URL          ws://HOST:1729/ or wss://HOST/websocket:1729, as a visitor with the
                     connect token of --token-file FILE or $WEBSOCKET_TOKEN, or without one

Exit codes: 0 sent, 1 not sent, or perhaps not, 2 wrong usage.
Examples: websocket-relay send mydb:Backup 'done at night'
          df --output=pcent / | tail -1 | websocket-relay send mydb:Disk -
          tail -F app.json | websocket-relay send mydb:App - --json --lines
`

const (
	sendPatience = 10 * time.Second
	messageMost  = 1 << 20 // more than any relay takes
	slowDown     = time.Second
)

// sender sends one message; text is JSON.
type sender func(ctx context.Context, text json.RawMessage) error

func send(ctx context.Context, c *command, args []string) error {
	c.reach()
	to := c.flags.String("to", "", "")
	isJSON := c.flags.Bool("json", false, "")
	lines := c.flags.Bool("lines", false, "")
	timeout := c.flags.Duration("timeout", sendPatience, "")
	rest, err := c.parse(args, 2, 2, "TYPE MSG [flags]")
	if err != nil {
		return err
	}
	typ, msg := rest[0], rest[1]
	if err := wire.CheckType(typ, wire.DefaultLimits().TypeBytes); err != nil {
		return usage("TYPE: %s", err.Message)
	}
	if *lines && msg != "-" {
		return usage(`--lines goes with "-" in the place of MSG`)
	}
	if err := c.local(); err != nil {
		return err
	}
	var text json.RawMessage
	if !*lines {
		if text, err = c.message(msg, *isJSON); err != nil {
			return err
		}
	}
	opening, done := patience(ctx, *timeout)
	defer done()
	one, end, err := c.sender(opening, typ, list(*to))
	if err != nil {
		return err
	}
	defer end()
	if *lines {
		return c.sendLines(ctx, one, *isJSON, *timeout)
	}
	return timely(one(opening, text), *timeout)
}

// message returns MSG as JSON.
func (c *command) message(msg string, isJSON bool) (json.RawMessage, error) {
	if msg == "-" {
		all, err := io.ReadAll(io.LimitReader(c.In, messageMost+1))
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		if len(all) > messageMost {
			return nil, usage("standard input is more than a message can be; --lines makes a message of each line")
		}
		msg = strings.TrimSuffix(strings.TrimSuffix(string(all), "\n"), "\r")
	}
	return toJSON(msg, isJSON)
}

func toJSON(msg string, isJSON bool) (json.RawMessage, error) {
	if !isJSON {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false) // a text is to arrive as long as it is
		err := e.Encode(msg)
		return text.Bytes(), err
	}
	if !json.Valid([]byte(msg)) {
		return nil, usage("%.100q is not JSON; without --json it would be sent as a text", msg)
	}
	return json.RawMessage(msg), nil
}

// sendLines sends each line as it comes. Who sends too fast is slowed down.
func (c *command) sendLines(ctx context.Context, one sender, isJSON bool, timeout time.Duration) error {
	in := bufio.NewScanner(c.In)
	in.Buffer(nil, messageMost)
	n := 0
	for in.Scan() {
		n++
		text, err := toJSON(in.Text(), isJSON)
		if err == nil {
			err = c.sendLine(ctx, one, text, timeout)
		}
		if err != nil {
			return c.at(n, err)
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return usage("line %d is more than a message can be", n+1)
	}
	return in.Err()
}

// at names the line in an error.
func (c *command) at(line int, err error) error {
	if exit := new(config.Exit); errors.As(err, &exit) {
		return config.Fail(exit.Code, "line %d: %s", line, exit.Text)
	}
	return config.Fail(config.ExitFailure, "line %d: %s; those before it are sent", line, c.explain(err))
}

func (c *command) sendLine(ctx context.Context, one sender, text json.RawMessage, timeout time.Duration) error {
	ctx, done := patience(ctx, timeout)
	defer done()
	for {
		err := one(ctx, text)
		refused := new(client.Error)
		if !errors.As(err, &refused) || refused.Code != wire.RateLimited {
			return timely(err, timeout)
		}
		select {
		case <-time.After(slowDown):
		case <-ctx.Done():
			return err
		}
	}
}

// timely says in words that there was not enough time.
func timely(err error, timeout time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the relay has not answered within %s: the message may have been sent or not", timeout)
	}
	return err
}

// sender returns how to send: over the control socket as the wiki, elsewhere as a visitor. end is to be called at the end.
func (c *command) sender(ctx context.Context, typ string, to []string) (one sender, end func(), err error) {
	wiki := ""
	if c.url == "" {
		if wiki, err = c.wikiOf(ctx, typ); err != nil {
			return nil, nil, err
		}
	}
	if wiki != "" {
		p := &client.Publisher{URL: insideURL, HTTP: c.http, TokenFunc: func(ctx context.Context) (string, error) {
			return c.made(ctx, wiki, auth.AudiencePublish, nil)
		}}
		return func(ctx context.Context, text json.RawMessage) error {
			_, err := p.Publish(ctx, client.Publication{Type: typ, Msg: text, To: to, Key: rand.Text()})
			return err
		}, func() {}, nil
	}
	o, err := c.options("")
	if err != nil {
		return nil, nil, err
	}
	conn, err := c.open(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, text json.RawMessage) error { return conn.Send(ctx, typ, text, to...) }, func() { conn.Close() }, nil
}
