package session_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// bodies returns what was sent, in order.
func (s *socket) bodies() string {
	var list []string
	for _, c := range s.commands(wire.OpSend) {
		list = append(list, c.Body.(string))
	}
	return strings.Join(list, " ")
}

func (b *browser) send(client string, bodies ...string) {
	for _, body := range bodies {
		b.Send(client, session.Message{Type: "A", Body: body, Bytes: len(body)})
	}
	synctest.Wait()
}

// refusing has the relay answer messages with an error, while it says so.
func (b *browser) refusing(code wire.Code, refuses func() bool) {
	b.answer = func(c *session.Command) *session.Frame {
		if c.Op == wire.OpSend && refuses() {
			return &session.Frame{Reply: true, Error: wire.NewError(code, "")}
		}
		return nil
	}
}

func TestMessagesWithoutAnAnswerAreSentAgainBeforeNewerOnes(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		b.open("WS2")
		b.send("WS1", "0")
		equal(t, "sent", b.socket().bodies(), "0")
		b.deaf = true
		b.send("WS1", "1", "2")
		b.send("WS2", "3")
		b.send("WS1", "4")
		b.Leave("WS2") // without its sender the relay would not take it
		synctest.Wait()
		b.deaf = false
		b.socket().end(1006)
		b.send("WS1", "5")
		b.wait(time.Second)
		one.heard("connected wiki:Ann", "disconnected 1006 true", "connected wiki:Ann")
		equal(t, "sent again", b.socket().bodies(), "1 2 4 5")
		b.socket().end(1006)
		b.wait(time.Second)
		equal(t, "sent after an answer", b.socket().bodies(), "")
	})
}

func TestMessageThatEndsEachConnectionIsGivenUp(t *testing.T) {
	for code, tries := range map[int]int{1006: 4, 1011: 4, wire.CloseTooLarge.Code: 1, wire.CloseRateLimited.Code: 1} {
		in(t, func(t *testing.T, b *browser) {
			one := b.open("WS1")
			sent := 0
			b.answer = func(c *session.Command) *session.Frame {
				if c.Op == wire.OpSend {
					sent++
					socket := b.sockets[len(b.sockets)-1]
					socket.closed = code // nothing follows
					socket.events <- func() { socket.link.Closed(code, "") }
					return &session.Frame{}
				}
				return nil
			}
			b.send("WS1", "x")
			b.wait(time.Hour)
			equal(t, "sent", sent, tries)
			equal(t, "told", countOf(one.log, "send A: unavailable"), 1)
			b.answer = nil
			b.send("WS1", "y")
			equal(t, "sent later", b.socket().bodies()[0:1] != "", true)
		})
	}
}

func TestQueueBoundsWhatIsSentAgain(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		b.deaf = true
		for i := range 60 {
			b.send("WS1", itoa(i))
		}
		b.deaf, b.down = false, true
		b.socket().end(1006)
		for i := range 50 {
			b.send("WS1", itoa(60+i))
		}
		equal(t, "dropped", countOf(one.log, "send A: limit"), 10)
		b.down = false
		b.wait(time.Minute)
		sent := strings.Fields(b.socket().bodies())
		equal(t, "sent", len(sent), 100)
		equal(t, "the first", sent[0], "10")
		equal(t, "the last", sent[99], "109")
	})
}

func TestMessageIsNotSentAgainToARelayThatDoesNotWantUs(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		b.deaf = true
		b.send("WS1", "x")
		b.socket().end(4501)
		one.heard("connected wiki:Ann", "disconnected 4501 false", "send A: unavailable")
	})
}

func TestRelayThatCannotTakeAMessageNowIsAskedAgain(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		away := true
		b.refusing(wire.Unavailable, func() bool { return away })
		b.send("WS1", "1", "2")
		b.send("WS1", "3") // waits behind them
		equal(t, "sent", b.socket().bodies(), "1 2")
		away = false
		b.wait(time.Second)
		equal(t, "sent again", b.socket().bodies(), "1 2 3")
		away = true
		b.send("WS1", "4")
		b.wait(time.Hour)
		equal(t, "sent, in vain", b.socket().bodies(), "4 4 4 4")
		one.heard("connected wiki:Ann", "send A: unavailable")
	})
}

func TestRelayThatIsGoneIsNotAskedAgain(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		b.refusing(wire.Unavailable, func() bool { return len(b.sockets) == 1 })
		b.send("WS1", "1")
		b.down = true
		b.socket().end(1006)
		b.wait(time.Minute)
		b.down = false
		b.wait(time.Minute)
		equal(t, "sent to the next relay", b.socket().bodies(), "1")
		one.heard("connected wiki:Ann", "disconnected 1006 true", "connected wiki:Ann")
	})
}

func TestWhoHasSomethingToSayDoesNotWaitForItsTurnToLeaveTheRelay(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		old := b.socket()
		b.refusing(wire.Unavailable, func() bool { return len(b.sockets) == 1 })
		old.say(&session.Frame{Op: wire.OpReconnect, After: 60_000})
		b.wait(time.Second)
		equal(t, "close code of who is silent", old.closed, 0)
		b.send("WS1", "1", "2")
		b.wait(501 * time.Millisecond)
		equal(t, "close code", old.closed, 1000)
		equal(t, "sent to the next relay", b.socket().bodies(), "1 2")
		one.heard("connected wiki:Ann", "disconnected 1001 true", "connected wiki:Ann")
		b.wait(time.Hour)
		equal(t, "sockets", len(b.sockets), 2)
	})
}

func TestRefusedMessageIsReportedAndNotSentAgain(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := b.open("WS1")
		b.refusing(wire.Forbidden, func() bool { return true })
		b.send("WS1", "1")
		b.wait(time.Hour)
		one.heard("connected wiki:Ann", "send A: forbidden")
		equal(t, "sent", b.socket().bodies(), "1")
	})
}
