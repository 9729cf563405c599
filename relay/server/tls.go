package server

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"mediawiki-websocket/relay/config"
)

// certificateEvery is how often the certificate's files are looked at, while there are handshakes.
const certificateEvery = time.Second

// certificate is a certificate whose files may be renewed while the relay runs.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   [2]time.Time // of the current one
	failed  [2]time.Time // of one that could not be used
	looked  time.Time
}

func openCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, config.Fail(config.ExitUsage, "certificate %s with key %s: %v", cert, key, err)
	}
	c.current, c.stamp, c.looked = &pair, c.stamps(), time.Now()
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

func (c *certificate) stamps() (t [2]time.Time) {
	for i, path := range []string{c.cert, c.key} {
		if info, err := os.Stat(path); err == nil {
			t[i] = info.ModTime()
		}
	}
	return t
}

// get returns the certificate, anew when its files have changed. While they do not fit together, as between the writing of the two, the old one
// stays.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= certificateEvery {
		c.looked = now
		if stamp := c.stamps(); stamp != c.stamp {
			c.renew(stamp)
		}
	}
	return c.current, nil
}

// renew loads the certificate. One that cannot be used is tried again, because what was wrong need not show in its stamp, and logged once.
func (c *certificate) renew(stamp [2]time.Time) {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.current, c.stamp = &pair, stamp
		c.log.Info("certificate renewed", "file", c.cert)
	} else if stamp != c.failed {
		c.failed = stamp
		c.log.Warn("the renewed certificate cannot be used; the old one stays", "file", c.cert, "error", err)
	}
}

// sniffListener serves TLS and plain HTTP on one port: the proxies that the documentation shows speak plain WebSocket to the TLS port.
type sniffListener struct {
	net.Listener
	config *tls.Config
}

func (l *sniffListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &sniffConn{Conn: c, config: l.config}, nil
}

// tlsHandshake is the first byte of a TLS connection (RFC 8446, section 5.1).
const tlsHandshake = 0x16

// sniffConn finds out with its first Read, whose deadline is the caller's, whether the peer speaks TLS.
type sniffConn struct {
	net.Conn
	config *tls.Config

	mu    sync.Mutex
	plain bool
	tls   *tls.Conn
}

// Plain returns the TCP connection of a peer that does not speak TLS, and otherwise nil.
func (c *sniffConn) Plain() *net.TCPConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	tcp, _ := c.Conn.(*net.TCPConn)
	if !c.plain {
		return nil
	}
	return tcp
}

func (c *sniffConn) secure() *tls.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tls
}

func (c *sniffConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	plain, secure := c.plain, c.tls
	c.mu.Unlock()
	switch {
	case secure != nil:
		return secure.Read(p)
	case plain || len(p) == 0:
		return c.Conn.Read(p)
	}
	n, err := c.Conn.Read(p)
	if n == 0 {
		return 0, err
	}
	c.mu.Lock()
	if c.plain = p[0] != tlsHandshake; c.plain {
		c.mu.Unlock()
		return n, err
	}
	before := bytes.Clone(p[:n])
	c.tls = tls.Server(&prefixConn{c.Conn, io.MultiReader(bytes.NewReader(before), c.Conn)}, c.config)
	secure = c.tls
	c.mu.Unlock()
	return secure.Read(p)
}

func (c *sniffConn) Write(p []byte) (int, error) {
	if t := c.secure(); t != nil {
		return t.Write(p)
	}
	return c.Conn.Write(p)
}

func (c *sniffConn) Close() error {
	if t := c.secure(); t != nil {
		return t.Close()
	}
	return c.Conn.Close()
}

type prefixConn struct {
	net.Conn
	r io.Reader
}

func (c *prefixConn) Read(p []byte) (int, error) { return c.r.Read(p) }
