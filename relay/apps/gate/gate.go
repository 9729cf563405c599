// Package gate says who may use an app of the relay that is not for everybody: whoever has one of its tokens or, when it has none, whoever is on this machine.
package gate

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"mediawiki-websocket/relay/sockets"
	"mediawiki-websocket/relay/wire"
)

const (
	tokenBytes = 16 // the least of a token
	guesses    = 10 // wrong tokens from one address, and one more every wait
	wait       = 6 * time.Second
	patience   = 10 * time.Second
)

// A Gate knows the tokens. Its methods may be called concurrently.
type Gate struct {
	tokens  [][sha256.Size]byte
	seed    maphash.Seed
	mu      sync.Mutex
	guesses [256]*rate.Limiter // by what a hash makes of the address, so that strangers cannot fill the memory
}

// New returns a gate for these tokens. Its error, for the operator, is about one that is too short, and does not repeat it.
func New(tokens []string) (*Gate, error) {
	g := &Gate{seed: maphash.MakeSeed()}
	for i, token := range tokens {
		if len(token) < tokenBytes {
			return nil, fmt.Errorf("token %d has %d bytes, and needs at least %d, made by chance as by openssl rand -hex 16", i+1, len(token), tokenBytes)
		}
		g.tokens = append(g.tokens, sha256.Sum256([]byte(token)))
	}
	for i := range g.guesses {
		g.guesses[i] = rate.NewLimiter(rate.Every(wait), guesses)
	}
	return g, nil
}

// Closed reports whether nobody comes in without a token.
func (g *Gate) Closed() bool { return len(g.tokens) > 0 }

// The close codes of connections that are not let in, besides [wire.CloseNoConnect].
var (
	CloseToken   = wire.Close{Code: 4403, Reason: "wrong token"}
	CloseMissing = wire.Close{Code: 4403, Reason: "a token is needed"}
	CloseTooMany = wire.Close{Code: 4429, Reason: "too many wrong tokens: wait a minute"}
)

// A Visitor is a connection that has to show a token, within ten seconds.
type Visitor struct {
	gate  *Gate
	conn  *sockets.Conn
	timer *time.Timer
}

// Await makes a visitor of a connection. Gone must be called when it has ended.
func (g *Gate) Await(c *sockets.Conn) *Visitor {
	return &Visitor{g, c, time.AfterFunc(patience, func() { c.Close(wire.CloseNoConnect.Code, "no token in time") })}
}

// Show looks at the token, and closes the connection when it does not let in.
func (v *Visitor) Show(token string) bool {
	if refused := v.gate.try(Peer(v.conn.RemoteAddr()), token); refused != nil {
		v.conn.Close(refused.Code, refused.Reason)
		if refused == &CloseToken {
			v.conn.Group().Log("wrong token", "address", v.conn.RemoteAddr())
		}
		return false
	}
	v.timer.Stop()
	return true
}

// Gone ends the wait.
func (v *Visitor) Gone() { v.timer.Stop() }

// try returns nil when a token lets in, as any does when the gate is not closed. Only wrong ones count against the address; a missing one is no guess.
func (g *Gate) try(from netip.Addr, token string) *wire.Close {
	if !g.Closed() {
		return nil
	}
	if token == "" {
		return &CloseMissing
	}
	g.mu.Lock() // nobody guesses twice at a time
	defer g.mu.Unlock()
	sum, right := sha256.Sum256([]byte(token)), 0
	for _, known := range g.tokens {
		right |= subtle.ConstantTimeCompare(sum[:], known[:])
	}
	switch {
	case right != 0: // also after many wrong ones, which behind a proxy are those of others
		return nil
	case !g.guesses[g.bucket(from)].Allow():
		return &CloseTooMany
	}
	return &CloseToken
}

func (g *Gate) bucket(from netip.Addr) uint64 {
	return maphash.Comparable(g.seed, from) % uint64(len(g.guesses))
}

// Local reports whether somebody on this machine asks, under a name that no page of others can have: a page from elsewhere that makes its own name lead here
// (DNS rebinding) is not let in, nor what a proxy says that it passes on. A proxy that says nothing about it looks like this machine.
func Local(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	named, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return (strings.EqualFold(host, "localhost") || err == nil && named.IsLoopback()) && Peer(r.RemoteAddr).IsLoopback()
}

// Peer returns the address in host:port, of IPv6 the network only, which is what one user has; it is not valid for a Unix socket.
func Peer(address string) netip.Addr {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is6() && !addr.IsLoopback() {
		addr = netip.PrefixFrom(addr, 64).Masked().Addr()
	}
	return addr
}
