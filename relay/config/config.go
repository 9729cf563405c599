// Package config reads the relay's flags, environment and configuration file.
package config

import (
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/ingress"
)

// Version is the version that the relay says it is. Release builds set it: -ldflags "-X mediawiki-websocket/relay/config.Version=1.2.3".
var Version = "dev"

// socketPathBytes is the longest path of a Unix socket (sun_path of unix(7), less the final NUL).
const socketPathBytes = 107

// Config is what the relay was told. Paths are absolute. [Default] says what counts when nothing was said.
type Config struct {
	Listen  string // host:port
	TLSCert string // PEM files; with them TLS is served on the next port
	TLSKey  string
	Control string // path of the control socket
	State   string // path of the file of registered wikis
	History string // path of the file of messages that are kept; "": they are forgotten when the relay ends
	Log     string // path; "": standard error
	Open    bool
	Daemon  bool
	Pprof   bool // the control socket answers with profiles too
	Wikis   []*auth.Wiki
	Drain   time.Duration // over how long the clients are told to come back when the relay ends
	Limits  conn.Limits

	HistoryBytes int // of kept messages of all wikis together, at most

	Apps          map[string][]string // URLs, by the app's name
	AppOrigins    []string            // of pages that may connect to apps, besides those of addresses and wikis' hosts
	NotifySecrets []string            // of Tsugi servers
	LogFiles      map[string]string   // paths of the files that the log view shows, by name
	LogRefresh    time.Duration       // how often it looks for more; 0: at once
	LogTokens     []string            // who may see them

	Ingress []ingress.Source // where else messages come from

	historySaid bool
}

// Default returns the configuration of a relay that was told nothing.
func Default() *Config {
	return &Config{Listen: "127.0.0.1:1729", Drain: 5 * time.Second, Limits: conn.DefaultLimits(), HistoryBytes: 64 << 20,
		LogRefresh: time.Second}
}

// HistoryName is the name of the file of messages that are kept, when nothing else was said; it is beside the state file.
const HistoryName = "history.log"

// Revoked returns the path of the file of revoked tokens, which is beside the state file; "": they are not kept.
func (c *Config) Revoked() string {
	if c.State == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(c.State), "revoked.jsonl")
}

const help = `Usage: websocket-relay [flags]
       websocket-relay send|listen|stats|token [arguments]

The relay of the MediaWiki extension WebSocket: passes messages between a wiki and the
pages and scripts that are connected to it.

  --listen HOST:PORT  where browsers, scripts and wikis connect (127.0.0.1:1729)
  --tls-cert FILE     certificate and key, PEM; with them TLS is served on PORT+1. Plain
  --tls-key FILE      WebSocket is understood there too. Renewed files are taken up at once.
  --control PATH      Unix socket on which the wikis of this machine register themselves and
                      operators ask for /api/stats, /metrics, /healthz and /readyz. Its folder
                      is created, and must belong to the relay's user. Two relays cannot share it.
                      Default: control.sock in $RUNTIME_DIRECTORY when systemd sets it, else none.
  --state FILE        where registered wikis are kept across restarts, with revoked.jsonl, the
                      revoked tokens, beside it. Default: wikis.json in $STATE_DIRECTORY, or
                      else beside the control socket.
  --history FILE      where messages of types with history are kept across restarts; "": only
                      in memory. Default: history.log beside the state file.
  --config FILE       JSON; its keys are these flags (listen, tlsCert, tlsKey, control, state,
                      history, log, open), drainSeconds, wikis, historyBytes (of all messages
                      that are kept, 64 MiB; then the oldest go), and limits:
                      frameBytes publishBytes typeBytes clientBytes outboxBytes types clients
                      recipients publishBatch depth fragments compressBytes (0: messages
                      are not compressed; else those of so many bytes and more are, for
                      whoever can inflate them) connectSeconds
                      messageSeconds pingSeconds pingTimeoutSeconds writeSeconds, and the
                      rates bytes… messages… commands… pings… replays… (bytes) of a connection and
                      wikiPublishes… wikiMessages… of a wiki, each with …PerSecond and
                      …Burst. Flags win over the file.
  --log FILE          log there instead of standard error; SIGHUP opens it anew
  --open              serve everybody, whatever their origin and without tokens, but for
                      system types and private wikis. Only for trying things out.
  --pprof             serve Go's profiles on the control socket, below /debug/pprof/
  --daemon            go to the background; returns once the relay listens
  --version, --help

` + appHelp + ingressHelp + `
The commands talk to a relay that runs: send sends a message, listen prints messages as JSON,
stats shows its numbers, token makes a token. Each tells more with --help.

Signals: SIGTERM ends the relay after telling the clients when to come back, SIGHUP opens
the log anew, SIGUSR2 starts the program anew, a newer one if its file has been replaced,
which takes over without refusing anybody. Exit codes: 0 done, 1 failure, 2 wrong flag, value or file, 3 the port or the
control socket is taken.

Example: websocket-relay --control /var/lib/wiki/relay/control.sock --log /var/log/relay.log --daemon
A configuration file that needs no control socket:
  {"listen": "0.0.0.0:1729", "wikis": {"mydb:": {"key": "BASE64 OF 32 BYTES", "origins": ["https://wiki.example"]}}}
`

// Parse returns the configuration that args (without the program's name), the environment and the configuration file make up together. Its
// errors are [Exit]s of one line.
func Parse(args []string, getenv func(string) string) (*Config, error) {
	c := Default()
	var file string
	var version bool
	flags := flag.NewFlagSet("websocket-relay", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	said := map[string]*string{"listen": new(string), "tls-cert": new(string), "tls-key": new(string), "control": new(string), "state": new(string),
		"history": new(string), "log": new(string)}
	for name, value := range said {
		flags.StringVar(value, name, "", "")
	}
	flags.StringVar(&file, "config", "", "")
	var apps appFlags
	apps.define(flags)
	var queues ingressFlags
	queues.define(flags)
	open := flags.Bool("open", false, "")
	flags.BoolVar(&c.Pprof, "pprof", false, "")
	flags.BoolVar(&c.Daemon, "daemon", false, "")
	flags.BoolVar(&version, "version", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, &Exit{ExitOK, help}
	case err != nil:
		return nil, Fail(ExitUsage, "%v; --help lists the flags", err)
	case flags.NArg() > 0:
		return nil, Fail(ExitUsage, "%.256q is neither a flag nor a command; --help lists both", flags.Arg(0))
	case version:
		return nil, &Exit{ExitOK, "websocket-relay " + Version + "\n"}
	}
	if file != "" {
		if err := c.readFile(file); err != nil {
			return nil, err
		}
	}
	fields := map[string]*string{"listen": &c.Listen, "tls-cert": &c.TLSCert, "tls-key": &c.TLSKey, "control": &c.Control, "state": &c.State,
		"history": &c.History, "log": &c.Log}
	flags.Visit(func(f *flag.Flag) {
		c.historySaid = c.historySaid || f.Name == "history"
		if field := fields[f.Name]; field != nil {
			*field = *said[f.Name]
		} else if f.Name == "open" {
			c.Open = *open
		}
	})
	if err := apps.apply(c); err != nil {
		return nil, err
	}
	if err := queues.apply(c); err != nil {
		return nil, err
	}
	return c, c.complete(getenv)
}

// complete fills in what follows from the rest, and checks.
func (c *Config) complete(getenv func(string) string) error {
	if c.Control == "" {
		c.Control = DefaultControl(getenv)
	}
	if c.State == "" && getenv("STATE_DIRECTORY") != "" {
		c.State = filepath.Join(getenv("STATE_DIRECTORY"), "wikis.json")
	}
	if c.State == "" && c.Control != "" {
		c.State = filepath.Join(filepath.Dir(c.Control), "wikis.json")
	}
	if !c.historySaid && c.State != "" {
		c.History = filepath.Join(filepath.Dir(c.State), HistoryName)
	}
	for _, path := range []*string{&c.TLSCert, &c.TLSKey, &c.Control, &c.State, &c.History, &c.Log} {
		if *path != "" {
			absolute, err := filepath.Abs(*path)
			if err != nil {
				return Fail(ExitUsage, "%s: %v", *path, err)
			}
			*path = absolute
		}
	}
	if err := c.completeApps(); err != nil {
		return err
	}
	return c.check()
}

func (c *Config) check() error {
	port, err := c.port()
	switch {
	case err != nil:
		return err
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return Fail(ExitUsage, "--tls-cert and --tls-key belong together, and only one is given")
	case c.TLSCert != "" && port == 65535:
		return Fail(ExitUsage, "--listen %s: TLS would be served on the next port, which does not exist", c.Listen)
	case c.Limits.WikiPublishes.Burst < c.Limits.PublishBatch:
		return Fail(ExitUsage, "wikiPublishesBurst is %d, less than publishBatch, %d: a publish of that many messages would never be taken",
			c.Limits.WikiPublishes.Burst, c.Limits.PublishBatch)
	case len(c.Control) > socketPathBytes:
		return Fail(ExitUsage, "--control %s: the path of a Unix socket has at most %d bytes, this one has %d", c.Control, socketPathBytes, len(c.Control))
	case !c.Open && c.Control == "" && len(c.Wikis) == 0 && len(c.Apps) == 0:
		return Fail(ExitUsage, `nobody could connect: give --control PATH, where wikis register, or a --config FILE that names "wikis", or --open to try things out`)
	}
	for _, path := range []string{c.TLSCert, c.TLSKey} {
		if path == "" {
			continue
		}
		if f, err := os.Open(path); err != nil {
			return Fail(ExitUsage, "%v", err)
		} else {
			f.Close()
		}
	}
	return nil
}

func (c *Config) port() (int, error) {
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return 0, Fail(ExitUsage, "--listen %.256q is not HOST:PORT", c.Listen)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return 0, Fail(ExitUsage, "--listen %.256q: the port is not a number from 1 to 65535", c.Listen)
	}
	return n, nil
}
