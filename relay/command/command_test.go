package command_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/command"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/leak"
)

func TestMain(m *testing.M) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1) // starts the goroutine that package signal keeps for ever
	leak.Main(m)
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]client.Since{
		"": {}, "10m": {Time: now.Unix() - 600}, "1.5h": {Time: now.Unix() - 5400}, "2026-11-21T09:00:00Z": {Time: now.Unix() - 3600},
		"2026-11-21T09:00:00+01:00": {Time: now.Unix() - 7200}, "1700000000": {Time: 1700000000}, "ABC:7": {Epoch: "ABC", Offset: 7},
	} {
		if got, err := command.ParseSince(text, now); err != nil || got != want {
			t.Errorf("%q: %+v %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"-10m", "yesterday", "10:00", "2026-11-21", ":7", "A:-1"} {
		// "10:00" is a position: nobody can tell.
		if got, err := command.ParseSince(text, now); (err == nil) != (text == "10:00") {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
}

func TestWikiOfACommand(t *testing.T) {
	for _, row := range []struct {
		said, registered, types, want string // "!": an error that names it
	}{
		{"", "", "a:T", ""},
		{"", "a:", "T", "a:"},
		{"", "a: b:", "b:T b:U", "b:"},
		{"", "a: b:", "T b:U", "b:"},
		{"b:", "a: b:", "T", "b:"},
		{"b:", "a: b:", "a:T", "b:"}, // the relay refuses it, and says why
		{"", "a:", "x:T", "a:"},
		{"", "a: b:", "a:T b:T", "!two wikis"},
		{"", "a: b:", "T", "!one of: a: b:"},
		{"c:", "a: b:", "T", "!--wiki c:"},
	} {
		got, err := command.Pick(row.said, strings.Fields(row.registered), strings.Fields(row.types))
		why, bad := strings.CutPrefix(row.want, "!")
		if bad != (err != nil) || bad && !strings.Contains(err.Error(), why) || !bad && got != row.want {
			t.Errorf("%+v: %q %v", row, got, err)
		}
	}
}

// A command that is one of this process ends with its context, and leaves nothing behind.
func TestListenEndsWithItsContext(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) { c.Wikis = append(c.Wikis, relaytest.Wiki("a:", "https://a.example", true)) })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var says bytes.Buffer
	go func() {
		done <- command.Run(ctx, []string{"listen", "a:T", "--control", r.Control}, command.Streams{Out: &says, Err: &says, Getenv: func(string) string { return "" }})
	}()
	r.Await(t, "subscription", func(s relaytest.Stats) bool { return s.Types == 1 })
	cancel()
	select {
	case err := <-done:
		if err != nil || says.Len() != 0 {
			t.Errorf("%v %s", err, &says)
		}
	case <-time.After(relaytest.Patience):
		t.Fatal("it goes on")
	}
}

func TestNamesOfCommands(t *testing.T) {
	for _, args := range [][]string{nil, {""}, {"--listen"}, {"Send"}, {"serve"}} {
		if command.Is(args) {
			t.Errorf("%q", args)
		}
	}
	err := command.Run(context.Background(), []string{"send", "--help"}, command.Streams{Getenv: func(string) string { return "" }})
	var exit *config.Exit
	if !errors.As(err, &exit) || exit.Code != config.ExitOK || !strings.HasPrefix(exit.Text, "Usage: ") {
		t.Error(err)
	}
}

// What is said about a wrong command shows no password, and a position is one of a single type.
func TestCommandsThatAreRefused(t *testing.T) {
	for want, args := range map[string][]string{
		"no connection to ws://ann:xxxxx@127.0.0.1:1/": {"listen", "T", "--url", "ws://ann:secret@127.0.0.1:1/"},
		"--url is no address":                          {"send", "T", "1", "--url", "ws://ann:secret@[::1"},
		"listen: --url is no address":                  {"listen", "T", "--url", "ws://ann:secret/x@h"},
		"not ftp://h/":                                 {"listen", "T", "--url", "ftp://ann:secret@h/"},
		"offsets of its own, and here are 2":           {"listen", "T", "U", "--since", "ABC:7", "--url", "ws://127.0.0.1:1/"},
	} {
		err := command.Run(t.Context(), args, command.Streams{Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}
