package server

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"mediawiki-websocket/relay/config"
)

// Run runs a relay until a signal ends it. With cfg.Daemon it starts one in the background and returns when that one listens. Its errors are for
// [config.Report].
func Run(cfg *config.Config) error {
	self := thisLaunch()
	parent := readyPipe()
	if cfg.Daemon && parent == nil {
		return daemonize()
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR2) // before anybody is told that the relay is there
	s, log, err := start(cfg, parent)
	tell(parent, err)
	if err != nil {
		return err
	}
	return live(s, log, signals, self)
}

// start starts a relay, also one that takes another's place. parent is whoever waits for that, or nil.
func start(cfg *config.Config, parent *os.File) (*Server, *logFile, error) {
	syscall.Umask(0o077)
	out, err := openLog(cfg.Log)
	if err != nil {
		return nil, nil, err
	}
	in, err := inherited()
	if in != nil {
		if err = in.check(cfg); err == nil {
			err = in.wait(parent)
		}
	}
	var s *Server
	if err == nil {
		s, err = New(cfg, slog.New(slog.NewTextHandler(out, nil)))
	}
	if err == nil {
		s.inheritance = in
		err = s.Open()
	}
	if err == nil && parent != nil {
		err = os.Chdir("/") // keep no file system busy
	}
	return s, out, err
}

// live does what signals say; it is the owner of the relay's end.
func live(s *Server, log *logFile, signals <-chan os.Signal, self launch) error {
	notify("READY=1")
	for {
		select {
		case got := <-signals:
			switch got {
			case syscall.SIGHUP:
				if err := log.reopen(); err != nil {
					s.log.Error("open the log anew; the old one stays", "error", err)
				}
				continue
			case syscall.SIGUSR2:
				if ceded, err := s.handOver(self); ceded {
					s.Close()
					return err
				} else if err != nil {
					s.log.Error("this relay goes on, for no other could take its place", "program", self.program, "error", err)
				}
				continue
			}
			s.log.Info("relay ends", "signal", got.String())
			notify("STOPPING=1")
			s.Close()
			return nil
		case err := <-s.Failed():
			s.log.Error("a listener broke down", "error", err)
			s.Close()
			return config.Fail(config.ExitFailure, "a listener broke down: %v", err)
		}
	}
}
