package session_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// Who wants to know what became of a message is told once, whatever happens, and instead of the tab.
func TestWhatBecameOfAMessage(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		tab := b.open("WS1")
		tab.heard("connected wiki:Ann")
		var told []string
		send := func(name string, bytes int) {
			b.Send("WS1", session.Message{Type: "A", Body: name, Bytes: bytes, Answered: func(offset uint64, err *wire.Error) {
				if err != nil {
					told = append(told, name+" "+string(err.Code))
				} else {
					told = append(told, fmt.Sprint(name, " ", offset))
				}
			}})
			synctest.Wait()
		}
		expect := func(what string, want ...string) {
			t.Helper()
			equal(t, what, fmt.Sprint(told), fmt.Sprint(want))
			told = nil
		}
		code := wire.Code("")
		b.answer = func(c *session.Command) *session.Frame {
			if c.Op == wire.OpSend && code != "" {
				return &session.Frame{Reply: true, Error: wire.NewError(code, "")}
			} else if c.Op == wire.OpSend {
				return &session.Frame{Reply: true, Offset: 7}
			}
			return nil
		}
		send("taken", 1)
		expect("taken", "taken 7")
		send("large", wire.DefaultLimits().FrameBytes)
		expect("too large", "large too-large")
		code = wire.Forbidden
		send("forbidden", 1)
		expect("refused", "forbidden forbidden")
		b.deaf = true
		send("again", 1)
		expect("not answered")
		b.deaf, code = false, ""
		b.socket().end(1006)
		b.wait(time.Second)
		expect("sent again", "again 7")
		b.down = true
		b.socket().end(1006)
		synctest.Wait()
		for n := range 101 {
			send(fmt.Sprint(n), 1)
		}
		expect("too many wait", "0 limit")
		tab.heard("disconnected 1006 true", "connected wiki:Ann", "disconnected 1006 true")
		b.Leave("WS1")
		synctest.Wait()
		expect("the tab has left")
	})
}

// A frame's sender hears of it when the session has done what it says, but not on a link that is given up.
func TestHandledFrames(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		tab := b.open("WS1")
		b.Subscribe("WS1", "A")
		synctest.Wait()
		handled := 0
		message := &session.Frame{Type: "A", Offset: 9, Payload: "m", Handled: func() { handled++ }}
		link := b.socket().link
		link.Received(message)
		synctest.Wait()
		equal(t, "handled", fmt.Sprint(handled), "1")
		tab.heard("connected wiki:Ann", "got m")
		b.socket().end(1006)
		synctest.Wait()
		link.Received(message)
		synctest.Wait()
		equal(t, "on a link that is given up", fmt.Sprint(handled), "1")
	})
}

// Those without a session wait as long as it does.
func TestWaitingTimes(t *testing.T) {
	for failed, most := range map[int]int{0: 500, 1: 1000, 5: 16_000, 6: 30_000, 1000: 30_000} {
		if got := session.Wait(failed, 0.5); got != most/2 || session.Wait(failed, 0) != 0 {
			t.Errorf("%d: %d", failed, got)
		}
	}
}
