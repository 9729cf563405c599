package ingress_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/ingress"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/broker"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// golden is a line that MediaWiki has sent, and what its extension has published about the same change; "" when that is nothing.
type golden struct{ Line, Change json.RawMessage }

func goldens(t testing.TB) (all []golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/changes.json")
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || len(all) == 0 {
		t.Fatalf("%d: %v", len(all), err)
	}
	return all
}

// TestChange: a line of the feed becomes what PHP publishes, to the byte, but for the members that the feed does not know. The lines and messages are from
// MediaWiki 1.43; TestFeedSaysWhatTheExtensionSays holds them against the real ones.
func TestChange(t *testing.T) {
	for _, g := range goldens(t) {
		m, err := ingress.Change("testwiki:", g.Line)
		if err != nil {
			t.Errorf("%s: %v", g.Line, err)
			continue
		}
		var id struct{ ID int }
		json.Unmarshal(g.Line, &id)
		if want := `{"type":"testwiki:@changes","msg":` + string(g.Change) + `}`; string(m.Envelope) != want || m.Key != "rc."+strconv.Itoa(id.ID) {
			t.Errorf("key %s\ngot  %s\nwant %s", m.Key, m.Envelope, want)
		}
	}
}

const editLine = `{"id":7,"type":"edit","namespace":0,"title":"A b","comment":"","timestamp":1767225600,"user":"Ann","bot":false,"minor":true,` +
	`"length":{"old":"1","new":2},"revision":{"old":3,"new":"4"},"wiki":"mydb"}`

const editChange = `{"type":"edit","id":7,"title":"A_b","namespace":0,"minor":true,"oldLength":1,"newLength":2,"user":"Ann","time":"2026-01-01T00:00:00Z",` +
	`"bot":false,"rev":4,"parent":3}`

// badLines are datagrams that are no line of the wiki mydb:, and words of the reason.
func badLines() map[string]string {
	with := func(old, changed string) string { return strings.Replace(editLine, old, changed, 1) }
	return map[string]string{
		"garbage":                          "not a line",
		"\x00\xff":                         "not a line",
		`O:8:"stdClass":0:{}`:              "not a line",
		editLine[:len(editLine)-10]:        "not a line",
		editLine + "x":                     "not a line",
		"[" + editLine + "]":               "not a line",
		with(`"mydb"`, `"other"`):          "a port of its own",
		with(`"mydb"`, `""`):               "a port of its own",
		with(`"mydb"`, `"x-mydb"`):         "a port of its own",
		with(`"edit"`, `"edits"`):          "unknown type",
		with(`"A b"`, `""`):                "title",
		with(`"namespace":0`, `"x":0`):     "namespace",
		with(`1767225600`, `-1`):           "timestamp",
		with(`1767225600`, `1e99`):         "not a line",
		with(`1767225600`, `253402300800`): "timestamp",
		with(`"4"`, `"four"`):              "whole number",
		strings.Repeat("[", 60000):         "not a line",
	}
}

func TestLinesThatAreNotTheWikis(t *testing.T) {
	for line, says := range badLines() {
		if _, err := ingress.Change("mydb:", []byte(line)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.300s: %v, want %s", line, err, says)
		}
	}
	for name, id := range map[string]string{"mydb": "mydb:", "mydb-p_": "p_mydb:", "my-db": "my-db:", "my-db-p_": "p_my-db:"} {
		if _, err := ingress.Change(id, []byte(strings.Replace(editLine, `"mydb"`, strconv.Quote(name), 1))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{"null", "0", `"0"`} { // of a log entry that is in no list, such as a patrol
		line := strings.Replace(editLine, `"id":7`, `"id":`+id, 1)
		if _, err := ingress.Change("mydb:", []byte(line)); err == nil || err.Error() != "no recent change" {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// FuzzChange: whatever comes over UDP, it becomes an envelope of the wiki's "@changes" that the relay can read, or nothing.
func FuzzChange(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add([]byte(g.Line))
	}
	f.Add([]byte(editLine))
	for line := range badLines() {
		f.Add([]byte(line))
	}
	limits := wire.DefaultLimits()
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := ingress.Change("testwiki:", line)
		if err != nil {
			return
		}
		e, fault := codec.ParsePublished(m.Envelope, limits)
		if fault != nil || e.Type != "testwiki:@changes" || e.From != "" || e.Recipients != nil || e.Key != "" || !json.Valid(e.Msg) || wire.CheckKey(m.Key) != nil {
			t.Errorf("%q became %s with the key %q: %v", line, m.Envelope, m.Key, fault)
		}
	})
}

// startFeed starts a relay of mydb: with a feed, somebody who listens to its changes, and who sends to the feed.
func startFeed(t *testing.T, query string) (r *relaytest.Relay, c *relaytest.Client, send func(string)) {
	t.Helper()
	address := fmt.Sprint("127.0.0.1:", broker.FreePort("udp"))
	r = relaytest.Start(t, func(c *config.Config) {
		c.Wikis = append(c.Wikis, relaytest.Wiki("mydb:", origin, false))
		c.Ingress = sources(t, "udp://"+address+"?wiki=mydb:"+query)
	})
	c = r.V1(t, relaytest.Token("mydb:", "connect", "Ann", nil), "Listener")
	c.Subscribe("mydb:@changes")
	out, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return r, c, func(text string) {
		t.Helper()
		if _, err := out.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGarbageInTheFeed: what anybody on the machine can send ends no relay, becomes no change, and is counted.
func TestGarbageInTheFeed(t *testing.T) {
	r, c, send := startFeed(t, "")
	bad := 0
	for line := range badLines() {
		bad++
		send(line)
	}
	send("") // a datagram can be empty
	send(strings.Repeat("x", 65507))
	send(strings.Replace(editLine, `"id":7`, `"id":null`, 1))
	send(editLine)
	send(editLine) // UDP may deliver twice
	expect(t, c, editChange)
	await(t, r, "end", func(a ready, st ingress.State) bool {
		return a.Status == "ready" && st.Published == 2 && int(st.Lost) == bad+2 && st.Poisoned == st.Lost && st.Ignored == 1
	})
	c.ExpectNothing()
	if n := metric(t, r, `result="ignored"`); n != "1" {
		t.Errorf("%s ignored", n)
	}
	if n := strings.Count(r.Log.String(), "cannot be published"); n != 1 {
		t.Errorf("%d lines in the log:\n%s", n, r.Log)
	}
}

// TestStrangerSendsToTheFeed: where the feed has a prefix, or names who may send, nobody else can say what has changed.
func TestStrangerSendsToTheFeed(t *testing.T) {
	r, c, send := startFeed(t, "&prefix=open-sesame")
	for _, line := range []string{editLine, "open " + editLine, "open-sesam " + editLine, "open-sesame" + editLine, " " + editLine} {
		send(line)
	}
	send("open-sesame " + editLine + "\n") // as UDPTransport of MediaWiki writes it
	expect(t, c, editChange)
	await(t, r, "count", func(_ ready, st ingress.State) bool { return st.Lost == 5 && st.Published == 1 })
	c.ExpectNothing()
	showsNo(t, r, "open-sesame")

	r, c, send = startFeed(t, "&from=192.0.2.0/24")
	send(editLine)
	await(t, r, "count", func(_ ready, st ingress.State) bool { return st.Lost == 1 })
	c.ExpectNothing()
	_, c, send = startFeed(t, "&from=192.0.2.0/24,127.0.0.0/8")
	send(editLine)
	expect(t, c, editChange)
}

// TestFeedsPortIsTaken: the relay says so and does not start.
func TestFeedsPortIsTaken(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	exit := relaytest.Fails(t, func(c *config.Config) {
		c.Open = true
		c.Ingress = sources(t, fmt.Sprintf("udp://%s?wiki=mydb:", taken.LocalAddr()))
	})
	if exit.Code != config.ExitTaken || !strings.Contains(exit.Text, taken.LocalAddr().String()) {
		t.Errorf("%d %s", exit.Code, exit.Text)
	}
}
