package server

import (
	"log/slog"
	"maps"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"mediawiki-websocket/relay/config"
)

// logFile is the log's file, which can be opened anew after it was moved away.
type logFile struct {
	path string
	mu   sync.Mutex
	file *os.File
}

func openLog(path string) (*logFile, error) {
	l := &logFile{path: path}
	if path == "" {
		l.file = os.Stderr
		return l, nil
	}
	if err := l.reopen(); err != nil {
		return nil, config.Fail(config.ExitUsage, "log: %v", err)
	}
	return l, nil
}

func (l *logFile) reopen() error {
	if l.path == "" {
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	debug.SetCrashOutput(f, debug.CrashOptions{}) // the runtime keeps a duplicate; a daemon's standard error is /dev/null
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.file = f
	return nil
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(p)
}

const (
	sampleEvery = time.Minute
	sampleMost  = 1024 // things remembered at once
)

// sampler logs warnings that peers can cause as often as they like: those about one thing once a minute, with the number of those left out.
type sampler struct {
	log  *slog.Logger
	mu   sync.Mutex
	told map[string]*told
}

type told struct {
	at   time.Time
	more int
}

func (s *sampler) warn(about, message string, attrs ...any) {
	now := time.Now()
	s.mu.Lock()
	if s.told[about] == nil && len(s.told) >= sampleMost {
		maps.DeleteFunc(s.told, func(_ string, t *told) bool { return now.Sub(t.at) >= sampleEvery })
		if len(s.told) >= sampleMost {
			about = "" // peers that invent things to be warned of share one line
		}
	}
	t := s.told[about]
	if t != nil && now.Sub(t.at) < sampleEvery {
		t.more++
		s.mu.Unlock()
		return
	}
	more := 0
	if t != nil {
		more = t.more
	}
	if s.told == nil {
		s.told = make(map[string]*told)
	}
	s.told[about] = &told{at: now}
	s.mu.Unlock()
	if more > 0 {
		attrs = append(attrs, "more", more)
	}
	s.log.Warn(message, attrs...)
}
