package server

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mediawiki-websocket/relay/config"
)

// newMetrics returns the handler of GET /metrics. The numbers are read when they are asked for, from what the relay counts anyhow.
func (s *Server) newMetrics() http.Handler {
	r := prometheus.NewRegistry()
	gauge := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "websocket_relay", Name: name, Help: help}, f))
	}
	counter := func(name, help string, f func() uint64) {
		opts := prometheus.CounterOpts{Namespace: "websocket_relay", Name: name, Help: help}
		r.MustRegister(prometheus.NewCounterFunc(opts, func() float64 { return float64(f()) }))
	}
	load := func(n *atomic.Uint64) func() uint64 { return n.Load }
	gauge("connections", "Open WebSocket connections.", func() float64 { return float64(s.env.Len()) })
	for _, transport := range []string{transportStream, transportPoll} {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "websocket_relay", Name: "fallback_connections",
			Help: "Those of the connections whose frames go over plain HTTP.", ConstLabels: prometheus.Labels{"transport": transport}},
			func() float64 { return float64(s.fallbacks.count(transport)) }))
	}
	gauge("connections_max", "How many connections the limit of open files allows.", func() float64 { return float64(s.files.sockets()) })
	gauge("clients", "Client ids on these connections.", func() float64 { return float64(s.hub.Stats().Clients) })
	gauge("types", "Types with a subscriber.", func() float64 { return float64(s.hub.Stats().Types) })
	gauge("wikis", "Registered wikis.", func() float64 { return float64(len(s.auth.Wikis.All())) })
	gauge("history_messages", "Messages that are kept for who comes back.", func() float64 { return float64(s.engine.Stats().Messages) })
	gauge("history_bytes", "Memory that they take.", func() float64 { return float64(s.engine.Stats().Bytes) })
	gauge("history_file_bytes", "Size of the file in which they are kept.", func() float64 { return float64(s.engine.Stats().Journal) })
	gauge("present", "Subscriptions to types about which may be asked who is there.", func() float64 { return float64(s.engine.Stats().Present) })
	counter("repeated_total", "Messages that had been accepted before, by their key.", load(&s.env.Repeated))
	counter("recovered_total", "Subscriptions that got all that they had missed.", load(&s.env.Recovered))
	counter("lost_total", "Subscriptions that may have missed something.", load(&s.env.Lost))
	counter("replayed_total", "Messages that subscriptions had missed and got.", load(&s.env.Replayed))
	counter("published_total", "Messages accepted.", load(&s.env.Published))
	counter("delivered_total", "Messages queued for a connection.", func() uint64 { return s.hub.Stats().Delivered })
	counter("bad_frames_total", "Frames refused as malformed.", load(&s.env.BadFrames))
	counter("faults_total", "Faults that ended one connection or request.", load(&s.env.Panics))
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "websocket_relay", Name: "info",
		Help: "Always 1; the version is a label.", ConstLabels: prometheus.Labels{"version": config.Version}}, func() float64 { return 1 }))
	s.countApps(r)
	r.MustRegister(closes{s}, queues{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// closes is the ended connections by close code.
type closes struct{ s *Server }

var closesDesc = prometheus.NewDesc("websocket_relay_closed_total", "Ended connections by close code, 0 for none.", []string{"code"}, nil)

func (c closes) Describe(ch chan<- *prometheus.Desc) { ch <- closesDesc }

func (c closes) Collect(ch chan<- prometheus.Metric) {
	c.s.env.Closes(func(code string, n uint64) {
		ch <- prometheus.MustNewConstMetric(closesDesc, prometheus.CounterValue, float64(n), code)
	})
}
