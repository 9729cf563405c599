package engine_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/engine/enginetest"
)

func options(o enginetest.Options) engine.Options {
	p := engine.Options{Bytes: o.Bytes, Changed: o.Changed}
	if o.Clock != nil {
		p.Now, p.After = o.Clock.Now, o.Clock.After
	}
	return p
}

func open(t testing.TB, o engine.Options) *engine.Memory {
	t.Helper()
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestMemory(t *testing.T) {
	enginetest.Run(t, func(t *testing.T, o enginetest.Options) engine.Engine { return open(t, options(o)) },
		enginetest.Abilities{Clock: true, Bytes: true})
}

func TestJournal(t *testing.T) {
	folder := t.TempDir()
	var stores atomic.Int64
	path := func(store string) string { return filepath.Join(folder, url.PathEscape(store)) }
	fresh := func() string { return fmt.Sprint("store", stores.Add(1)) }
	enginetest.Run(t, func(t *testing.T, o enginetest.Options) engine.Engine {
		if o.Store == "" {
			o.Store = fresh()
		}
		p := options(o)
		p.Journal = path(o.Store)
		return open(t, p)
	}, enginetest.Abilities{Clock: true, Bytes: true, Lasts: true, Killed: func(t *testing.T, o enginetest.Options) enginetest.Options {
		left, err := os.ReadFile(path(o.Store)) // what write(2) was given is there for the next process
		if err != nil {
			t.Fatal(err)
		}
		o.Store = fresh()
		if err := os.WriteFile(path(o.Store), left, 0o600); err != nil {
			t.Fatal(err)
		}
		return o
	}})
}
