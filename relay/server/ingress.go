package server

import (
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/ingress"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// feedPart begins the names of UDP sockets that are handed over; the address follows.
const feedPart = "udp:"

// openIngress begins to take messages out of queues. They need not be there yet.
func (s *Server) openIngress() error {
	sockets := make(map[string]net.PacketConn)
	if s.inheritance != nil {
		sockets = s.inheritance.feeds
	}
	set, err := ingress.Open(s.cfg.Ingress, ingress.Options{Publisher: words{s}, Consumer: s.consumer(), Log: s.log, Warn: s.warn.warn, Sockets: sockets})
	if err != nil {
		return config.Fail(config.ExitTaken, "--ingress: %v", err)
	}
	s.queues = set
	return nil
}

// consumer names this relay to queues: one that comes after it on this machine is to be taken for the same.
func (s *Server) consumer() string {
	host, _ := os.Hostname()
	_, port, _ := net.SplitHostPort(s.cfg.Listen)
	return "relay@" + host + ":" + port
}

// closeIngress returns when nothing comes out of queues any more, and what was published is acknowledged.
func (s *Server) closeIngress() {
	if s.queues != nil {
		s.queues.Close()
	}
}

// words publishes what comes out of queues: by the rules of POST /api/publish, but that a queue proves whose words they are.
type words struct{ s *Server }

// Publish implements [ingress.Publisher].
func (w words) Publish(wiki string, messages []ingress.Message) []ingress.Verdict {
	verdicts := make([]ingress.Verdict, len(messages))
	for i := range messages {
		if verdicts[i] = w.one(wiki, &messages[i]); verdicts[i].Result == ingress.Later {
			for j := i + 1; j < len(messages); j++ {
				verdicts[j] = verdicts[i]
			}
			break
		}
	}
	return verdicts
}

// one publishes a message. A fault in that ends no other.
func (w words) one(wiki string, m *ingress.Message) (v ingress.Verdict) {
	s := w.s
	defer func() {
		if fault := recover(); fault != nil {
			s.env.Panics.Add(1)
			s.log.Error("fault in a message of a queue", "wiki", wiki, "fault", fault, "stack", string(debug.Stack()))
			v = ingress.Verdict{Result: ingress.Refused, Reason: fmt.Sprintf("a fault of the relay: %v", fault)}
		}
	}()
	if !s.gate.TryRLock() {
		return ingress.Verdict{Result: ingress.Later, Reason: "another relay takes this one's place"}
	}
	defer s.leave()
	err := w.take(wiki, m)
	switch {
	case err == nil:
		return ingress.Verdict{}
	case err.Code == wire.RateLimited || err.Code == wire.Unavailable:
		return ingress.Verdict{Result: ingress.Later, Reason: err.Message}
	}
	return ingress.Verdict{Result: ingress.Refused, Reason: err.Message}
}

func (w words) take(wiki string, m *ingress.Message) *wire.Error {
	s := w.s
	limits := &s.cfg.Limits
	if s.auth.Wikis.Get(wiki) == nil { // its types would be anybody's
		return wire.NewError(wire.Unavailable, "the wiki "+strconv.Quote(wiki)+" has not registered: wrong wiki= in the URL, or nobody has opened a page of it yet")
	}
	if n := len(m.Envelope); n > limits.PublishBytes {
		return wire.NewError(wire.TooLarge, "the message has "+strconv.Itoa(n)+" bytes, more than publishBytes, "+strconv.Itoa(limits.PublishBytes))
	}
	e, err := codec.ParsePublished(m.Envelope, limits.Limits)
	if err != nil {
		return err
	}
	if e.Key == "" {
		e.Key = m.Key
	}
	p := s.newPublishing()
	id := auth.Identity{Wiki: wiki}
	message, err := s.message(&id, e)
	if err == nil {
		p.messages = append(p.messages, message)
		err = p.allowed(wiki)
	}
	if err == nil {
		err = p.send()
	}
	p.free()
	return err
}

// queueStates returns how the queues are, and whether all is well with them.
func (s *Server) queueStates() (states []ingress.State, well bool) {
	well = true
	if s.queues != nil {
		states = s.queues.States()
	}
	for i := range states {
		well = well && states[i].State == ingress.Connected
	}
	return states, well
}

// queues is the sources of messages for /metrics.
type queues struct{ s *Server }

var (
	queueUp       = prometheus.NewDesc("websocket_relay_ingress_up", "Whether messages come from a queue.", []string{"source", "wiki"}, nil)
	queueMessages = prometheus.NewDesc("websocket_relay_ingress_messages_total",
		"Messages of a queue, by what became of them; lost ones are poisoned too, or were removed before they were read.", []string{"source", "wiki", "result"}, nil)
	queueRetries = prometheus.NewDesc("websocket_relay_ingress_retries_total", "How often a queue was lost or could not be reached.", []string{"source", "wiki"}, nil)
)

func (q queues) Describe(ch chan<- *prometheus.Desc) {
	ch <- queueUp
	ch <- queueMessages
	ch <- queueRetries
}

func (q queues) Collect(ch chan<- prometheus.Metric) {
	states, _ := q.s.queueStates()
	for _, st := range states {
		up := 0.0
		if st.State == ingress.Connected {
			up = 1
		}
		labels := []string{st.Source, st.Wiki}
		ch <- prometheus.MustNewConstMetric(queueUp, prometheus.GaugeValue, up, labels...)
		ch <- prometheus.MustNewConstMetric(queueRetries, prometheus.CounterValue, float64(st.Retries), labels...)
		for result, n := range map[string]uint64{"published": st.Published, "poisoned": st.Poisoned, "lost": st.Lost, "ignored": st.Ignored} {
			ch <- prometheus.MustNewConstMetric(queueMessages, prometheus.CounterValue, float64(n), append(labels, result)...)
		}
	}
}

// feedParts adds the sockets of feeds to what is handed over: what comes meanwhile waits in them.
func (s *Server) feedParts(add func(name string, c syscall.Conn) error) error {
	if s.queues == nil {
		return nil
	}
	for address, socket := range s.queues.Sockets() {
		if err := add(feedPart+address, socket); err != nil {
			return err
		}
	}
	return nil
}

// feed takes over the socket of a feed.
func (in *inheritance) feed(name string, f *os.File) error {
	socket, err := net.FilePacketConn(f)
	f.Close() // socket has a copy
	if err != nil {
		return config.Fail(config.ExitFailure, "take over the socket %s: %v", name, err)
	}
	socket.SetReadDeadline(time.Time{})
	in.feeds[strings.TrimPrefix(name, feedPart)] = socket
	return nil
}
