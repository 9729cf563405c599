package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"
)

const statsHelp = `Usage: websocket-relay stats [flags]

Shows the relay's numbers: how long it runs, its connections and clients, what was published
and delivered, and its wikis.

  --json             as one line of JSON, with more in it
  --control PATH     the relay's control socket. Default: that of --config, or control.sock in
                     $RUNTIME_DIRECTORY, or /run/websocket-relay/control.sock
  --config FILE      the relay's configuration file, which names the control socket
  --timeout D        10s

Exit codes: 0 done, 1 failure, 2 wrong usage.
Example: websocket-relay stats --json | jq .connections
`

func stats(ctx context.Context, c *command, args []string) error {
	asJSON := c.flags.Bool("json", false, "")
	timeout := c.flags.Duration("timeout", sendPatience, "")
	if _, err := c.parse(args, 0, 0, "[flags]"); err != nil {
		return err
	}
	if err := c.local(); err != nil {
		return err
	}
	ctx, done := patience(ctx, *timeout)
	defer done()
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodGet, "/api/stats", nil, &raw); err != nil {
		return err
	}
	var text bytes.Buffer
	if *asJSON {
		if err := json.Compact(&text, raw); err != nil {
			return err
		}
		text.WriteByte('\n')
	} else {
		var s relayStats
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		s.table(&text)
	}
	_, err := c.Out.Write(text.Bytes())
	return err
}

// table writes what a person wants to see.
func (s *relayStats) table(out *bytes.Buffer) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "relay\t%s, pid %d, up %s\n", s.Version, s.PID, time.Duration(s.Uptime)*time.Second)
	fmt.Fprintf(t, "connections\t%d\n", s.Connections)
	fmt.Fprintf(t, "clients\t%d\n", s.Clients)
	fmt.Fprintf(t, "types\t%d\n", s.Types)
	fmt.Fprintf(t, "published\t%d\n", s.Published)
	fmt.Fprintf(t, "delivered\t%d\n", s.Delivered)
	fmt.Fprintf(t, "repeated\t%d\n", s.Repeated)
	t.Flush()
	if len(s.Wikis) == 0 {
		return
	}
	var ids []string
	for id := range s.Wikis {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	fmt.Fprintf(t, "\nwiki\tconnections\tclients\t\n")
	for _, id := range ids {
		private := ""
		if s.Wikis[id].Private {
			private = "private"
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", id, s.Wikis[id].Connections, s.Wikis[id].Clients, private)
	}
	t.Flush()
}
