//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings is what the flags say.
type settings struct {
	programs, relay         string
	scenarios, peers        []string // no peers: all
	numbers, sizes, windows []int    // of fanout
	runs                    int
	length, warm            time.Duration // of a measurement
	patience                time.Duration // with cores that do not share a cache
	idle                    time.Duration
	quick, deflate          bool
	out, json               string
	earlier                 string // measurements; nothing is measured then
}

func parse(args []string) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	var all []string
	for _, one := range scenarios {
		all = append(all, one.name)
	}
	lists := map[*[]int]*string{
		&s.numbers: f.String("n", "100,1000,5000", "numbers of subscribers (fanout)"),
		&s.sizes:   f.String("sizes", "128,1024", "bytes of a payload (fanout)"),
		&s.windows: f.String("windows", "1,8", "messages in flight (fanout, tls)"),
	}
	chosen := f.String("scenario", strings.Join(all, ","), "what to measure, separated by commas")
	peers := f.String("peer", "", "which peers, separated by commas; default: all that the scenario compares")
	f.StringVar(&s.programs, "programs", ".cache/bench", "folder with climit and naive")
	f.StringVar(&s.relay, "relay", "bin/websocket-relay", "the relay's program")
	f.IntVar(&s.runs, "runs", 3, "how often everything is measured")
	f.DurationVar(&s.length, "length", time.Second, "length of a measurement")
	f.DurationVar(&s.warm, "warm", 300*time.Millisecond, "and of what comes before it")
	f.DurationVar(&s.patience, "patience", 5*time.Second, "how long to wait for the cores to share a cache")
	f.DurationVar(&s.idle, "idle", 52*time.Second, "how long to watch idle connections")
	f.BoolVar(&s.quick, "quick", false, "one run with a fifth of the idle connections; less is waited for")
	f.BoolVar(&s.deflate, "deflate", false, "clients offer the relay compression; wire_bytes says what a delivery has")
	f.StringVar(&s.out, "o", "", "file for the table, in Markdown, besides standard output")
	f.StringVar(&s.earlier, "table", "", "file of measurements of which to make the table; nothing is measured")
	f.StringVar(&s.json, "json", "", "file to which measurements are appended, as lines of JSON")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag", f.Arg(0))
	}
	s.scenarios, s.peers = split(*chosen), split(*peers)
	for _, name := range s.scenarios {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("no scenario %q; there are %s", name, strings.Join(all, ", "))
		}
	}
	if s.quick {
		s.hurry(f, lists[&s.numbers])
	}
	return s, s.readLists(lists)
}

// hurry changes what was not said.
func (s *settings) hurry(f *flag.FlagSet, numbers *string) {
	said := make(map[string]bool)
	f.Visit(func(one *flag.Flag) { said[one.Name] = true })
	for name, change := range map[string]func(){
		"runs":     func() { s.runs = 1 },
		"idle":     func() { s.idle = 15 * time.Second },
		"patience": func() { s.patience = time.Second },
		"n":        func() { *numbers = "100,1000" },
	} {
		if !said[name] {
			change()
		}
	}
}

func (s *settings) readLists(lists map[*[]int]*string) (err error) {
	for to, text := range lists {
		for _, word := range split(*text) {
			n, fault := strconv.Atoi(word)
			err = errors.Join(err, fault)
			*to = append(*to, n)
		}
	}
	return err
}

func split(s string) []string {
	return slices.DeleteFunc(strings.Split(s, ","), func(word string) bool { return word == "" })
}
