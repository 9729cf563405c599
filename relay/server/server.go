// Package server is the relay: its listeners, its HTTP interface and its life from start to drain.
package server

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/ingress"
	"mediawiki-websocket/relay/wire"
)

// The limits of HTTP requests. Upgraded connections have their own, in [conn.Limits].
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second
	idleTimeout    = 30 * time.Second
	headerBytes    = 16 << 10
	headerSlop     = 4 << 10 // net/http reads so much more than it is told
)

const (
	closeWait   = 4 * time.Second // for the close frames to be answered when the relay ends
	requestWait = 2 * time.Second // for requests under way then
)

// Server is a relay. Open starts everything, Close ends everything and waits for it.
type Server struct {
	cfg     *config.Config
	log     *slog.Logger
	warn    *sampler
	auth    *auth.Auth
	engine  *engine.Memory // opened with the relay
	hub     *hub.Hub
	env     *conn.Env
	started time.Time
	ready   atomic.Bool
	files   *fileBudget
	metrics http.Handler

	publishes   conn.Quotas
	door        door
	registering sync.Mutex // one wiki after the other
	fallbacks   fallbacks
	queues      *ingress.Set // opened with the relay
	apps        []*app

	public, control *http.Server
	lock            *os.File
	addresses       []net.Addr              // of the TCP listeners: plain, TLS
	inheritance     *inheritance            // nil: this relay takes nobody's place
	listening       map[string]net.Listener // by the names under which they are handed over
	gate            sync.RWMutex            // held by requests that only one relay may answer, and for ever by whoever has ceded
	ceded           atomic.Bool             // another relay has taken this one's place
	stop            chan struct{}
	closing         sync.Once
	loops           sync.WaitGroup
	failed          chan error // a listener that broke down
}

// New returns a relay that does nothing yet. The error is for the operator.
func New(cfg *config.Config, log *slog.Logger) (*Server, error) {
	wikis, broken, err := auth.OpenWikis(cfg.State, cfg.Wikis)
	if err != nil {
		return nil, config.Fail(config.ExitUsage, "%v", err)
	}
	if broken != nil {
		log.Warn("the file of registered wikis was broken and is set aside; the wikis will register again", "file", cfg.State+".bad", "error", broken)
	}
	s := &Server{cfg: cfg, log: log, warn: &sampler{log: log}, started: time.Now(), stop: make(chan struct{}), door: newDoor(), failed: make(chan error, 3),
		listening: make(map[string]net.Listener)}
	s.auth = &auth.Auth{Wikis: wikis, Open: cfg.Open}
	s.hub, s.files = hub.New(), newFileBudget()
	s.hub.CompressBytes = cfg.Limits.CompressBytes
	s.env = &conn.Env{Limits: cfg.Limits, Auth: s.auth, Hub: s.hub, Log: log, Warn: s.warn.warn, Capacity: s.files.sockets()}
	if err := s.openApps(); err != nil {
		return nil, err
	}
	s.metrics = s.newMetrics()
	s.public, s.control = s.httpServer(s.routes(false)), s.httpServer(s.routes(true))
	return s, nil
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes - headerSlop,
		// Or else "OPTIONS *" is answered again and again on one connection, whose way back is full when a handshake is to be answered.
		DisableGeneralOptionsHandler: true,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateActive {
				conn.MakeRoom()
			}
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// Open takes the control socket and the ports, and serves. Its errors are [config.Exit]s; nothing is left behind then.
func (s *Server) Open() error {
	if err := s.takeLock(); err != nil {
		return err
	}
	err := s.openRevocations()
	if err == nil {
		err = s.openEngine()
	}
	var listeners []net.Listener
	if err == nil {
		listeners, err = s.listen()
	}
	if err != nil {
		s.closeEngine()
		s.unlock()
		return err
	}
	control, err := s.openControl()
	if err == nil {
		err = s.openIngress()
	}
	if err != nil {
		if control != nil {
			control.Close()
		}
		for _, l := range listeners {
			l.Close()
		}
		s.closeEngine()
		s.unlock()
		return err
	}
	if control != nil {
		s.serve(s.control, control)
	}
	for _, l := range listeners {
		s.addresses = append(s.addresses, l.Addr())
		s.Serve(l)
	}
	s.loops.Go(s.sweep)
	s.ready.Store(true)
	s.log.Info("relay started", "version", config.Version, "pid", os.Getpid(), "listen", s.addresses, "control", s.cfg.Control, "wikis", len(s.auth.Wikis.All()))
	return nil
}

// openRevocations reads what was revoked before this start. The file is this relay's alone once it has the lock.
func (s *Server) openRevocations() error {
	if mayHaveWikis := s.cfg.Control != "" || len(s.cfg.Wikis) > 0; mayHaveWikis && s.cfg.Revoked() == "" && !s.cfg.Open {
		s.log.Warn("what is revoked will be forgotten when the relay ends, and old tokens count again then: give it a --state FILE")
	}
	revocations, skipped, err := auth.OpenRevocations(s.cfg.Revoked(), nil)
	if err != nil {
		return config.Fail(config.ExitUsage, "%v", err)
	}
	if skipped > 0 {
		s.log.Warn("lines of the file of revoked tokens could not be read and are left out", "file", s.cfg.Revoked(), "lines", skipped)
	}
	s.auth.Revocations = revocations
	return nil
}

// openEngine opens the engine, and the file of kept messages, which is this relay's alone once it has the lock.
func (s *Server) openEngine() error {
	followers := s.hub.NewDelivery(nil)
	followers.Breathe = s.env.Breathe
	changed := func(changes []engine.Change) {
		for _, c := range changes {
			conn.Tell(followers, c)
			followers.Pace()
		}
		followers.Flush()
	}
	e, err := engine.Open(engine.Options{Journal: s.cfg.History, Bytes: s.cfg.HistoryBytes, Changed: changed, Log: s.log})
	if errors.Is(err, engine.ErrTaken) {
		return config.Fail(config.ExitTaken, "--history %s: %v", s.cfg.History, err)
	}
	if err != nil {
		return config.Fail(config.ExitUsage, "--history %s: %v", s.cfg.History, err)
	}
	s.engine, s.env.Engine = e, e
	for _, wiki := range s.auth.Wikis.All() {
		e.Declare(wiki.ID, wiki.Histories())
	}
	return nil
}

// closeEngine ends what openEngine began, if it did. Nobody may publish any more.
func (s *Server) closeEngine() {
	if s.engine == nil {
		return
	}
	if err := s.engine.Close(); err != nil {
		s.log.Error("close the file of kept messages", "file", s.cfg.History, "error", err)
	}
}

// Serve serves the public interface on l too, until Close.
func (s *Server) Serve(l net.Listener) {
	s.serve(s.public, s.files.limit(l, func() { s.env.Breathe(); s.door.wait() }))
}

func (s *Server) serve(h *http.Server, l net.Listener) {
	s.loops.Go(func() {
		if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.failed <- err
		}
	})
}

// sweep is the relay's clock; Close ends it.
func (s *Server) sweep() {
	tick := time.NewTicker(s.env.SweepEvery())
	defer tick.Stop()
	dog := newWatchdog()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			s.env.Sweep(now)
			dog.alive(now)
		}
	}
}

// Failed delivers the error of a listener that broke down.
func (s *Server) Failed() <-chan error { return s.failed }

// Addresses returns where the relay listens: the plain port and, with a certificate, the TLS port.
func (s *Server) Addresses() []net.Addr { return s.addresses }

// Close takes no more connections, tells the clients when to come back, ends their connections and returns when everything has ended: within ten
// seconds, and up to five more when a queue hangs (see [ingress.Set.Close]). A second call does nothing more.
func (s *Server) Close() { s.closing.Do(s.close) }

func (s *Server) close() {
	s.ready.Store(false)
	s.closeIngress()
	s.hangUp()
	s.env.Shut()
	s.stopApps()
	conns := s.env.All()
	for i, c := range conns {
		share := s.cfg.Drain / time.Duration(len(conns))
		c.Reconnect(time.Duration(i)*share + rand.N(share+1))
		c.Close(wire.CloseGoingAway)
	}
	abort := time.AfterFunc(closeWait, func() {
		for _, c := range s.env.All() {
			c.Abort()
		}
		s.fallbacks.abort()
	})
	s.env.Wait()
	s.fallbacks.close()
	s.closeApps()
	abort.Stop()
	close(s.stop)
	s.loops.Wait()
	if !s.ceded.Load() {
		s.closeEngine()
	}
	s.unlock()
	s.log.Info("relay ended", "connections", len(conns))
}
