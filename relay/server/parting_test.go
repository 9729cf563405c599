package server_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// What a script sends before it closes is answered at once, before the end, although all of it comes in one segment.
func TestRepliesBeforeTheEndWaitForThePeer(t *testing.T) {
	r := relaytest.Start(t, generous)
	for range 20 {
		p := barePeer(t, r)
		p.send(mask(textFrame, `{"id":1,"op":"connect"}`), mask(textFrame, `{"id":2,"op":"send","type":"T","msg":1}`), closing(1000, "bye"))
		got, err := io.ReadAll(p.in) // the relay must end its side before the peer does
		if err != nil || len(got) < 6 || string(got[len(got)-7:]) != "\x88\x05\x03\xe8bye" {
			t.Fatalf("%q %v", got, err)
		}
		p.Close()
	}
	if n := r.Stats(t).Published; n != 20 {
		t.Errorf("%d messages, want 20", n)
	}
}

// The library gives up waiting for the rest of a control frame after five seconds, in a goroutine of its own, whatever the relay does meanwhile.
func TestUnfinishedPingEndsTheRelay(t *testing.T) {
	t.Parallel()
	r := relaytest.Start(t, generous)
	half := mask(pingFrame, "ab")
	var strangers []*peer
	for range 40 {
		p := barePeer(t, r)
		p.send(half[:len(half)-1])
		strangers = append(strangers, p)
	}
	witness := newPeer(t, r)
	time.Sleep(5200 * time.Millisecond)
	for i, p := range strangers {
		if i%2 == 0 {
			p.send(half[len(half)-1:], make([]byte, 70<<10))
		}
	}
	for range 200 {
		p := newPeer(t, r)
		p.send(closing(1000, "bye"))
		p.expectAnswer(1000, "bye")
	}
	witness.patience()
	sent, got := message("still here")
	witness.send(mask(textFrame, `{"op":"send",`+sent[1:]))
	witness.expectMessage(got)
	for _, p := range strangers {
		p.Close()
	}
}

// What stands right behind a connect that is refused is not looked at: a browser says at once what it subscribes to.
func TestRefusedConnectTakesAlongWhatIsBehindIt(t *testing.T) {
	r := relaytest.Start(t, farm)
	p := barePeer(t, r)
	p.send(mask(textFrame, `{"id":1,"op":"connect","token":"x"}`), mask(textFrame, `{"id":2,"op":"subscribe","type":"T"}`))
	if got := p.text(); !strings.HasPrefix(got, `{"id":1,"error":{"code":"unauthorized"`) {
		t.Error(got)
	}
	if op, got, err := readFrame(p.in); err != nil || op != 8 || !strings.HasSuffix(got, wire.CloseUnauthorized.Reason) {
		t.Errorf("opcode %d %q %v, want the close frame", op, got, err)
	}
}
