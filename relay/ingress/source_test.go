package ingress_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/ingress"
)

func TestSources(t *testing.T) {
	for url, want := range map[string]ingress.Source{
		"redis://h?stream=s&wiki=my:": {Kind: ingress.Stream, Scheme: "redis", Address: "h:6379", Vhost: "0", Name: "s", Group: "relay", Wiki: "my:"},
		"rediss://u:p%40w@h:1/3?stream=s%26&group=g&wiki=my:": {Kind: ingress.Stream, Scheme: "rediss", Address: "h:1", User: "u", Password: "p@w", Vhost: "3",
			Name: "s&", Group: "g", Wiki: "my:"},
		"redis://[::1]:2/?channel=c&wiki=my%3A": {Kind: ingress.Channel, Scheme: "redis", Address: "[::1]:2", Vhost: "0", Name: "c", Wiki: "my:"},
		"amqp://h?queue=q&wiki=my:": {Kind: ingress.Queue, Scheme: "amqp", Address: "h:5672", User: "guest", Password: "guest", Vhost: "/", Name: "q",
			Wiki: "my:"},
		"amqps://u@h/v%2Fw?queue=q&wiki=my:": {Kind: ingress.Queue, Scheme: "amqps", Address: "h:5671", User: "u", Vhost: "v/w", Name: "q", Wiki: "my:"},
		"redis://h?stream=a%40b&wiki=my:":    {Kind: ingress.Stream, Scheme: "redis", Address: "h:6379", Vhost: "0", Name: "a@b", Group: "relay", Wiki: "my:"},
		"udp://127.0.0.1:99?wiki=my:":        {Kind: ingress.Feed, Scheme: "udp", Address: "127.0.0.1:99", Wiki: "my:"},
		"udp://0.0.0.0:99?wiki=my:&from=::ffff:10.1.2.3,10.9.9.9/8&prefix=x": {Kind: ingress.Feed, Scheme: "udp", Address: "0.0.0.0:99", Wiki: "my:", Prefix: "x",
			From: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("10.0.0.0/8")}},
	} {
		got, err := ingress.ParseSource(url, true)
		if err != nil || got.String() != want.String() || len(got.From) != len(want.From) {
			t.Errorf("%s: %+v %v", url, got, err)
			continue
		}
		for i := range got.From {
			if got.From[i] != want.From[i] {
				t.Errorf("%s: from %v", url, got.From)
			}
		}
		got.From, want.From = nil, nil
		if got.User != want.User || got.Password != want.Password || got.Kind != want.Kind || got.Name != want.Name || got.Group != want.Group ||
			got.Prefix != want.Prefix || got.Vhost != want.Vhost || got.Wiki != want.Wiki || got.Address != want.Address || got.Scheme != want.Scheme {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

func TestSourcesThatAreRefused(t *testing.T) {
	for _, row := range []struct {
		url    string
		inFile bool
		says   string
	}{
		{"", true, "must begin with"},
		{"http://h?wiki=my:", true, `"http" is none of redis, rediss, amqp, amqps and udp`},
		{"redis://u:secret word@h?stream=s&wiki=my:", true, "written as %XX"},
		{"redis://:secret@h?stream=s&wiki=my:", false, "does not belong on a command line"},
		{"amqp://u:secret@h?queue=q&wiki=my:", false, "does not belong on a command line"},
		{"udp://127.0.0.1:9?wiki=my:&prefix=secret", false, "does not belong on a command line"},
		{"redis://h?stream=s", true, "&wiki=mydb:"},
		{"redis://h?stream=s&wiki=my", true, "&wiki=mydb:"},
		{"redis://h?stream=s&wiki=my:&wiki=other:", true, "twice"},
		{"redis://h?stream=s&steam=s&wiki=my:", true, `"steam" is not known`},
		{"redis://h?wiki=my:", true, "stream=NAME or channel=NAME"},
		{"redis://h?stream=s&channel=s&wiki=my:", true, "stream=NAME or channel=NAME"},
		{"redis://h?channel=s&group=g&wiki=my:", true, "no group"},
		{"redis://h/x?stream=s&wiki=my:", true, "number of a database"},
		{"redis://h:0?stream=s&wiki=my:", true, "1 to 65535"},
		{"redis://h:65536?stream=s&wiki=my:", true, "1 to 65535"},
		{"redis://?stream=s&wiki=my:", true, "host is missing"},
		{"redis:h?stream=s&wiki=my:", true, "SCHEME://HOST"},
		{"redis://h?stream=s&wiki=my:#x", true, "%23"},
		{"amqp://h?wiki=my:", true, "queue=NAME"},
		{"amqp://h?wiki=my:&queue=" + strings.Repeat("q", 251), true, "250 bytes"},
		{"amqp://u:12/secret@h/v?queue=q&wiki=my:", true, "%XX"},
		{"redis://u:12/secret@h/0?stream=s&wiki=my:", true, "%XX"},
		{"redis://u:12?secret@h/0?stream=s&wiki=my:", false, "%XX"},
		{"udp://localhost:9?wiki=my:", true, "no name"},
		{"udp://127.0.0.1?wiki=my:", true, "1 to 65535"},
		{"udp://0.0.0.0:9?wiki=my:", true, "from=ADDRESS"},
		{"udp://0.0.0.0:9?wiki=my:&from=10.0.0.1", false, "can be reached from other machines"},
		{"udp://192.0.2.1:9?wiki=my:", false, "can be reached from other machines"},
		{"udp://127.0.0.1:9?wiki=my:&from=elsewhere", true, "neither an address nor a network"},
	} {
		if _, err := ingress.ParseSource(row.url, row.inFile); err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", row.url, err, row.says)
		}
	}
}

// FuzzSource: whatever somebody writes for a URL, neither an error nor what is shown of it has the password.
func FuzzSource(f *testing.F) {
	for _, seed := range []string{"redis://:SECRET@h?stream=s&wiki=my:", "redis://:SECRET@h?stream=s&wiki=my", "amqp://u:SECRET@h:x?queue=q&wiki=my:",
		"redis://:SECRET@[::1?stream=s", "redis://:SECRET%@h", "udp://127.0.0.1:9?prefix=SECRET&wiki=my:", "udp://127.0.0.1:9?prefix=SECRET",
		"://:SECRET@", "amqp://u:1/SECRET@h/v?queue=q&wiki=my:", "redis://u:1?SECRET@h/0?stream=s&wiki=my:", "redis://u:SECRET@h/x/y"} {
		f.Add(seed)
	}
	const secret = "c0rrecthorse"
	f.Fuzz(func(t *testing.T, pattern string) {
		url := pattern
		for _, before := range []string{":SECRET@", "/SECRET@", "?SECRET@", "prefix=SECRET&"} { // everywhere else it is not known for a secret
			url = strings.ReplaceAll(url, before, strings.ReplaceAll(before, "SECRET", secret))
		}
		for _, inFile := range []bool{false, true} {
			source, err := ingress.ParseSource(url, inFile)
			switch {
			case err != nil && strings.Contains(err.Error(), secret) && !strings.Contains(strings.ReplaceAll(url, ":"+secret+"@", ""), secret+"="):
				t.Errorf("%q: %v", url, err)
			case err == nil && (source.Password == secret || source.Prefix == secret) && strings.Contains(source.String(), secret) && strings.Count(url, secret) == 1:
				t.Errorf("%q is shown as %s", url, source)
			case err == nil && !inFile && (source.Password != "" && source.Password != "guest" || source.Prefix != ""):
				t.Errorf("%q is taken from a command line", url)
			}
		}
	})
}

// TestQueuesAreTriedMoreAndMoreSeldom: at the bounds of the waiting times, and not in step with others.
func TestQueuesAreTriedMoreAndMoreSeldom(t *testing.T) {
	const least, most = 100 * time.Millisecond, 30 * time.Second
	different := false
	first := ingress.Backoff(least, most, 12)
	for range 20 {
		want := least
		for i, got := range ingress.Backoff(least, most, 12) {
			if got < want/2 || got > want {
				t.Errorf("waiting time %d: %s, want %s to %s", i, got, want/2, want)
			}
			different = different || got != first[i]
			want = min(2*want, most)
		}
	}
	if !different {
		t.Error("the times are always the same")
	}
}
