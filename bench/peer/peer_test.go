//go:build linux

package peer

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/bench/gen"
	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
)

// startRelay starts a relay with the wikis in this process and returns it as a peer, with an engine that is connected to nothing yet.
func startRelay(t *testing.T, n int) (*Peer, *gen.Engine) {
	t.Helper()
	p := &Peer{Name: Relay, wikis: newWikis(n)}
	r := relaytest.Start(t, func(c *config.Config) {
		for id, spec := range p.wikis.registrations() {
			text, err := json.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			wiki, err := auth.ParseWiki(id, text)
			if err != nil {
				t.Fatal(err)
			}
			c.Wikis = append(c.Wikis, wiki)
		}
	})
	p.Port = r.Addresses()[0].(*net.TCPAddr).Port
	p.Protocol = &relay{host: fmt.Sprintf("127.0.0.1:%d", p.Port), wikis: p.wikis}
	e, err := gen.NewEngine(p.Port, p.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return p, e
}

// join connects a connection of that kind to a room.
func join(t *testing.T, p *Peer, e *gen.Engine, kind gen.Kind, room int) *gen.Conn {
	t.Helper()
	c := &gen.Conn{Kind: kind, Room: room, ID: 10*room + int(kind)}
	p.Admit(c)
	if err := e.Dial(e.Add(c)); err != nil {
		t.Fatal(err)
	}
	await(t, e, "connection", func() bool { return c.State() == gen.Ready || e.Done > 0 })
	return c
}

func await(t *testing.T, e *gen.Engine, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(relaytest.Patience); !ok(); e.Step(5) {
		if time.Now().After(end) || e.Refused+e.Failed+e.Lost > 0 {
			t.Fatalf("no %s; %d refused, %d failed, %d lost", what, e.Refused, e.Failed, e.Lost)
		}
	}
}

func publish(p *Peer, e *gen.Engine, c *gen.Conn, room int, number uint32) {
	payload := gen.AppendPayload(nil, gen.Now(), number, 128)
	e.Write(c, gen.AppendText(nil, p.Protocol.AppendPublish(nil, c, room, payload)))
}

func TestRelayUnderstandsTheGenerator(t *testing.T) {
	p, e := startRelay(t, 2)
	e.From = 0
	var subs []*gen.Conn
	for room := range 2 {
		subs = append(subs, join(t, p, e, gen.Subscriber, room))
	}
	for room := range 2 {
		c := join(t, p, e, gen.Publisher, room)
		publish(p, e, c, room, 1)
		await(t, e, "answer", func() bool { return c.Told == 1 })
	}
	await(t, e, "delivery", func() bool { return e.Delivered == 2 })
	if subs[0].Got != 1 || subs[1].Got != 1 || e.Latency.N != 2 || e.Reordered != 0 {
		t.Errorf("%d and %d messages, %d timed, %d reordered", subs[0].Got, subs[1].Got, e.Latency.N, e.Reordered)
	}
	p.Subscribe(e, subs[0], 100, 10)
	await(t, e, "answers", func() bool { return subs[0].Told == 10 })
}

func TestShortLivedPublishersReachSubscribers(t *testing.T) {
	for name, kind := range map[string]gen.Kind{"HTTP": gen.ShortHTTP, "WebSocket": gen.ShortWS} {
		t.Run(name, func(t *testing.T) {
			p, e := startRelay(t, 1)
			sub := join(t, p, e, gen.Subscriber, 0)
			join(t, p, e, kind, 0)
			await(t, e, "delivery", func() bool { return sub.Got == 1 && e.Done == 1 })
		})
	}
}

func TestDrainedBytesAreCounted(t *testing.T) {
	p, e := startRelay(t, 1)
	c, by := join(t, p, e, gen.Drainer, 0), join(t, p, e, gen.Publisher, 0)
	before := e.Bytes
	publish(p, e, by, 0, 1)
	drained := 0
	await(t, e, "bytes", func() bool { drained += e.Drain(c); return drained > 128 && by.Told == 1 })
	if e.Bytes-before < uint64(drained) || e.Delivered != 0 {
		t.Errorf("%d bytes drained, %d counted, %d messages looked at", drained, e.Bytes-before, e.Delivered)
	}
}

func TestUnknownPeerIsNamed(t *testing.T) {
	if _, err := Start("nobody", Options{}); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("%v", err)
	}
}
