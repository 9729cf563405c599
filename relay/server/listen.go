package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"mediawiki-websocket/relay/config"
)

// probeTimeout bounds the question to whoever holds the port.
const probeTimeout = time.Second

// listen opens the TCP ports.
func (s *Server) listen() ([]net.Listener, error) {
	if s.cfg.Listen == "" {
		return nil, nil
	}
	plain, err := s.listenTCP(plainPart, s.cfg.Listen)
	if err != nil {
		return nil, err
	}
	if s.cfg.TLSCert == "" {
		return []net.Listener{plain}, nil
	}
	host, port, _ := net.SplitHostPort(plain.Addr().String())
	if h, _, err := net.SplitHostPort(s.cfg.Listen); err == nil {
		host = h
	}
	n, _ := strconv.Atoi(port)
	certificate, err := openCertificate(s.cfg.TLSCert, s.cfg.TLSKey, s.log)
	var secure net.Listener
	if err == nil {
		secure, err = s.listenTCP(securePart, net.JoinHostPort(host, strconv.Itoa(n+1)))
	}
	if err != nil {
		plain.Close()
		return nil, err
	}
	return []net.Listener{plain, &sniffListener{secure, certificate.config()}}, nil
}

// tcp leaves out the kernel's own probes of idle connections: the relay pings, and turning them on takes four system calls for each connection.
// A socket that is inherited has them all the same: Go cannot be told there.
var tcp = net.ListenConfig{KeepAlive: -1}

// listenTCP opens a port, unless it is inherited.
func (s *Server) listenTCP(part, address string) (net.Listener, error) {
	l, err := s.bind(part, func() (net.Listener, error) { return tcp.Listen(context.Background(), "tcp", address) })
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, taken(address)
	}
	if err != nil {
		return nil, config.Fail(config.ExitUsage, "listen on %s: %v", address, err)
	}
	return l, nil
}

// bind opens a socket for listening, unless it is inherited, and remembers it for whoever takes this relay's place.
func (s *Server) bind(part string, open func() (net.Listener, error)) (l net.Listener, err error) {
	if s.inheritance != nil {
		l = s.inheritance.listeners[part]
	}
	if l == nil {
		if l, err = open(); err != nil {
			return nil, err
		}
	}
	s.listening[part] = l
	return l, nil
}

// taken says who holds the address, and what to do.
func taken(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return config.Fail(config.ExitTaken, "%s is taken", address)
	}
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	answer, err := t.RoundTrip(r)
	if err == nil {
		answer.Body.Close()
	}
	if err == nil && answer.Header.Get("Server") == serverName {
		return config.Fail(config.ExitTaken, "%s is held by another relay: let the wikis use that one's control socket, end it, or choose another port with --listen ($wgWebSocketPort)", address)
	}
	return config.Fail(config.ExitTaken, "%s is held by another program, which is not a relay: end it, or choose another port with --listen ($wgWebSocketPort)", address)
}
