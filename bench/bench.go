//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"mediawiki-websocket/bench/host"
	"mediawiki-websocket/bench/report"
)

const (
	generatorCore = 1
	spareFiles    = 100 // for one server, besides its connections
	longest       = time.Hour
	logShown      = 2000 // bytes
)

// bench is a run of the program.
type bench struct {
	*settings
	dir   string // private, for as long as the program runs
	run   int
	files int // that may be open
	rigs  map[*rig]bool
	rows  []report.Row
	lines *os.File // nil: none
	log   *os.File // what the servers print
}

// scenario is something to measure.
type scenario struct {
	name string
	do   func(*bench) error
	once bool // in the first run only
}

var scenarios = []scenario{
	{"memory", memory, true}, // first, while the kernel holds nothing for others
	{"tls", secured, true},
	{"fanout", fanout, false},
	{"latency", latency, false},
	{"rooms", rooms, false},
	{"cores", cores, false},
	{"connect", connects, false},
	{"storm", storm, false},
	{"comings", comings, false},
	{"flood", flood, false},
	{"growth", growth, false},
	{"stuck", stuck, true},
	{"ingress", ingress, true},
}

// measure measures everything that the settings name, and writes the table. What fails is left out of it, and is the error.
func measure(s *settings) error {
	if s.earlier != "" {
		return again(s)
	}
	runtime.LockOSThread() // the generator's thread, with which the servers die
	if err := pinSelf(); err != nil {
		return err
	}
	debug.SetGCPercent(400)
	b := &bench{settings: s, files: host.RaiseFiles(), rigs: make(map[*rig]bool)}
	if err := b.openFiles(); err != nil {
		return err
	}
	defer b.closeFiles()
	go b.watch()
	var faults error
	for b.run = 1; b.run <= b.runs; b.run++ {
		for _, one := range scenarios {
			if !slices.Contains(b.scenarios, one.name) || one.once && b.run > 1 {
				continue
			}
			begin := time.Now()
			if err := one.do(b); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n%s", one.name, err, b.lastWords())
				faults = errors.Join(faults, fmt.Errorf("%s: %w", one.name, err))
			}
			runtime.GC()
			fmt.Printf("# %s took %.0f s\n", one.name, time.Since(begin).Seconds())
		}
	}
	return errors.Join(faults, b.report())
}

func (b *bench) openFiles() (err error) {
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	if b.log, err = os.Create(filepath.Join(b.dir, "servers.log")); err == nil && b.json != "" {
		b.lines, err = os.OpenFile(b.json, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	}
	return err
}

func (b *bench) closeFiles() {
	b.log.Close()
	if b.lines != nil {
		b.lines.Close()
	}
	os.RemoveAll(b.dir)
}

// watch ends the program, and with it the servers, after a signal or when it hangs. It ends with the program.
func (b *bench) watch() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-signals:
	case <-time.After(longest):
		fmt.Fprintln(os.Stderr, "bench: given up after", longest)
	}
	os.RemoveAll(b.dir)
	os.Exit(1)
}

// lastWords returns the end of what the servers have printed.
func (b *bench) lastWords() string {
	text, _ := os.ReadFile(b.log.Name())
	return string(text[max(0, len(text)-logShown):])
}

// again writes the table of earlier measurements.
func again(s *settings) error {
	f, err := os.Open(s.earlier)
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := report.Read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", s.earlier, err)
	}
	return (&bench{settings: s, rows: rows}).report()
}

// report writes the table.
func (b *bench) report() error {
	table := report.Table(b.rows, host.Describe(), time.Now())
	fmt.Print("\n" + table)
	if b.out == "" {
		return nil
	}
	return os.WriteFile(b.out, []byte(table), 0o644)
}

// pinSelf keeps this program on the generator's core, by starting it again in this process: threads that are there already would stay where they are.
func pinSelf() error {
	if host.Pinned(generatorCore) {
		return nil
	}
	if n := host.Cores(); n < 2 {
		return fmt.Errorf("two cores are needed, and this machine has %d", n)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	host.Pin(generatorCore)
	host.Hasten()
	return fmt.Errorf("start again: %w", syscall.Exec(self, os.Args, os.Environ()))
}

// emit keeps a row, and shows it.
func (b *bench) emit(r report.Row) {
	r.Run = b.run
	b.rows = append(b.rows, r)
	fmt.Println(r.String())
	if b.lines != nil {
		if err := r.Write(b.lines); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
}

// scale returns how many connections a measurement has that has n of them when there is time.
func (b *bench) scale(n int) int {
	if b.quick {
		return n / 5
	}
	return n
}
