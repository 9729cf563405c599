package server_test

import (
	"io"
	"testing"

	"mediawiki-websocket/relay/relaytest"
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
