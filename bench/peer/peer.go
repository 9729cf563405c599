//go:build linux

// Package peer starts the servers that are compared and speaks their protocols:
//
//	climit        one send(2) of a ready-made frame for each subscriber, in C: what the kernel allows
//	climit-batch  the same, but messages that arrive together leave together
//	naive         coder/websocket used as its documentation shows
//	naive-tls     the same behind TLS
//	relay         the relay, with tokens, policies, limits and metrics on
//	relay-tls     the same behind TLS
package peer

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/bench/host"
)

// Names are the peers.
var Names = []string{Climit, ClimitBatch, Naive, NaiveTLS, Relay, RelayTLS}

// The names of the peers.
const (
	Climit      = "climit"
	ClimitBatch = "climit-batch"
	Naive       = "naive"
	NaiveTLS    = "naive-tls"
	Relay       = "relay"
	RelayTLS    = "relay-tls"
)

// Options say how a peer is started. The zero value of a field is its default.
type Options struct {
	Programs string        // folder with climit and naive
	Relay    string        // the relay's program
	Cores    string        // as taskset takes them; default 0
	Wikis    int           // that the relay serves; default 1
	Ping     time.Duration // default: the peer's own, 25 s
	Deflate  bool          // clients offer compression to the relay
	Dir      string        // private; the peer's files are in a folder in it
	Log      io.Writer     // what it prints
}

// Peer is a server that runs.
type Peer struct {
	Name     string
	Port     int // of 127.0.0.1
	Process  *host.Process
	Protocol gen.Protocol
	TLS      bool

	options Options
	dir     string   // private
	command []string // with which it was started
	wikis   *wikis   // of a relay
}

// Start starts a peer and returns once it listens. [Peer.Stop] ends it.
func Start(name string, o Options) (*Peer, error) {
	if !slices.Contains(Names, name) {
		return nil, fmt.Errorf("no peer %q; there are %v", name, Names)
	}
	if o.Cores == "" {
		o.Cores = "0"
	}
	port, err := freePorts()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, name)
	if err != nil {
		return nil, err
	}
	p := &Peer{Name: name, Port: port, options: o, dir: dir, TLS: name == NaiveTLS || name == RelayTLS}
	if err = p.prepare(); err == nil {
		err = p.launch()
	}
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// prepare makes the files and the command line.
func (p *Peer) prepare() error {
	address := "127.0.0.1:" + strconv.Itoa(p.Port)
	p.Protocol = simple{address}
	var secure []string
	if p.TLS {
		cert, key := filepath.Join(p.dir, "cert.pem"), filepath.Join(p.dir, "key.pem")
		if err := selfSigned(cert, key); err != nil {
			return err
		}
		secure = []string{"--tls-cert", cert, "--tls-key", key}
	}
	switch p.Name {
	case Climit, ClimitBatch:
		mode := map[string]string{Climit: "one", ClimitBatch: "batch"}[p.Name]
		p.command = []string{filepath.Join(p.options.Programs, "climit"), strconv.Itoa(p.Port), mode}
	case Naive, NaiveTLS:
		p.command = append([]string{filepath.Join(p.options.Programs, "naive"), "--listen", address}, secure...)
		if p.options.Ping > 0 {
			p.command = append(p.command, "--ping", p.options.Ping.String())
		}
	default:
		p.wikis = newWikis(max(1, p.options.Wikis))
		p.Protocol = &relay{address, p.wikis, p.options.Deflate}
		config := filepath.Join(p.dir, "relay.json")
		if err := p.configure(address, config); err != nil {
			return err
		}
		p.command = append([]string{p.options.Relay, "--config", config}, append(secure, profiling(p.options.Relay)...)...)
		if p.TLS {
			p.Port++ // where the relay serves TLS
		}
	}
	return nil
}

// configure writes the relay's configuration. All limits are on; those of publishers are so high that they bind nobody.
func (p *Peer) configure(address, path string) error {
	const plenty = 1 << 30
	c := map[string]any{"listen": address, "control": p.control(), "wikis": p.wikis.registrations()}
	for _, rate := range []string{"bytes", "messages", "commands", "wikiPublishes", "wikiMessages"} {
		c[rate+"PerSecond"], c[rate+"Burst"] = plenty, plenty
	}
	if p.options.Ping > 0 {
		c["pingSeconds"] = p.options.Ping.Seconds()
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func (p *Peer) control() string { return filepath.Join(p.dir, "control.sock") }

func (p *Peer) launch() (err error) {
	if p.Process, err = host.Start(p.options.Cores, p.options.Log, p.command...); err != nil {
		return err
	}
	return p.Process.Await(15*time.Second, func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(p.Port), time.Second)
		return err == nil && c.Close() == nil
	})
}

// Restart kills the peer and starts it again. It does not wait until it listens.
func (p *Peer) Restart() (err error) {
	p.Process.Kill()
	p.Process, err = host.Start(p.options.Cores, p.options.Log, p.command...)
	return err
}

// Stop ends the peer and removes its files.
func (p *Peer) Stop() {
	if p.Process != nil {
		p.Process.Kill()
	}
	os.RemoveAll(p.dir)
}

// Admit gives c what it needs to connect. It is not a part of what is measured.
func (p *Peer) Admit(c *gen.Conn) {
	if p.wikis != nil {
		c.Token = p.wikis.connectToken(c)
	}
}

// freePorts returns a port after which another is free, too; neither is one that the kernel gives to connections.
func freePorts() (int, error) {
	for range 100 {
		port, free := 20000+2*rand.IntN(5000), true
		for n := range 2 {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+n))
			if err == nil {
				l.Close()
			}
			free = free && err == nil
		}
		if free {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port is free")
}
