package gate

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"mediawiki-websocket/relay/wire"
)

const token = "0123456789abcdef"

func open(t *testing.T, tokens ...string) *Gate {
	t.Helper()
	g, err := New(tokens)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestShortTokenIsRefused(t *testing.T) {
	if _, err := New([]string{token, token[1:]}); err == nil || strings.Contains(err.Error(), token[1:]) || !strings.Contains(err.Error(), "token 2") {
		t.Errorf("15 bytes: %v", err)
	}
	open(t, token)
}

func TestTokens(t *testing.T) {
	g := open(t, token, "another token of the file")
	from := netip.MustParseAddr("192.0.2.1")
	for given, want := range map[string]*wire.Close{token: nil, "another token of the file": nil, "": &CloseMissing, token + "x": &CloseToken, token[1:]: &CloseToken} {
		if got := g.try(from, given); got != want {
			t.Errorf("%q: %v, want %v", given, got, want)
		}
	}
	if got := open(t).try(from, ""); got != nil {
		t.Errorf("without tokens: %v", got)
	}
}

// TestTokenIsGuessed: ten wrong ones are looked at, and then none from this address, not even the right one; right and missing ones do not count.
func TestTokenIsGuessed(t *testing.T) {
	g := open(t, token)
	from, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for range 100 {
		if g.try(from, token) != nil || g.try(from, "") != &CloseMissing {
			t.Fatal("the right token is refused")
		}
	}
	for i := range guesses {
		if got := g.try(from, "wrong"); got != &CloseToken {
			t.Fatalf("guess %d: %v", i+1, got)
		}
	}
	if got := g.try(from, "wrong"); got != &CloseTooMany {
		t.Errorf("guess %d: %v", guesses+1, got)
	}
	if got := g.try(from, token); got != nil { // others may have guessed, behind the same proxy
		t.Errorf("the right token after too many guesses: %v", got)
	}
	for g.bucket(other) == g.bucket(from) { // one of 256
		other = other.Next()
	}
	if got := g.try(other, token); got != nil {
		t.Errorf("another address has to wait: %v", got)
	}
}

// TestForeignNameLeadsToThisMachine: a page whose own name leads to the loopback address (DNS rebinding), and what a proxy passes on, is not from this machine.
func TestForeignNameLeadsToThisMachine(t *testing.T) {
	for _, c := range []struct {
		host, remote, header string
		want                 bool
	}{
		{"127.0.0.1:1729", "127.0.0.1:5", "", true},
		{"localhost:1729", "127.0.0.1:5", "", true},
		{"LOCALHOST", "127.0.0.1:5", "", true},
		{"[::1]:1729", "[::1]:5", "", true},
		{"[::1]", "[::1]:5", "", true},
		{"127.0.0.2", "127.0.0.1:5", "", true},
		{"evil.example:1729", "127.0.0.1:5", "", false},
		{"localhost.evil.example", "127.0.0.1:5", "", false},
		{"127.0.0.1.evil.example:1729", "127.0.0.1:5", "", false},
		{"evil.localhost.", "127.0.0.1:5", "", false},
		{"", "127.0.0.1:5", "", false},
		{"localhost", "192.0.2.1:5", "", false},
		{"localhost", "@", "", false},
		{"localhost", "127.0.0.1:5", "X-Forwarded-For", false},
		{"localhost", "127.0.0.1:5", "Forwarded", false},
		{"localhost", "127.0.0.1:5", "Via", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.RemoteAddr = c.host, c.remote
		if c.header != "" {
			r.Header.Set(c.header, "192.0.2.1")
		}
		if got := Local(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestPeer(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[2001:db8:1:2:3:4:5:6]:5": "2001:db8:1:2::", "[::1]:5": "::1", "[fe80::1%eth0]:5": "fe80::",
	} {
		if got := Peer(address).String(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if Peer("@").IsValid() {
		t.Error("a Unix socket has an address")
	}
}
