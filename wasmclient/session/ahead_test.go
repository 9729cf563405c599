package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/wasmclient/session"
)

// types returns what commands are about, in order.
func types(commands []session.Command) (types string) {
	for _, c := range commands {
		types += c.Type
	}
	return types
}

// between brings a browser to where connect and what goes with it has been sent, and nothing is answered.
func between(b *browser, tabTypes ...string) *tab {
	b.t.Helper()
	b.deaf = true
	tab := b.open("WS1", tabTypes...)
	b.socket().link.Opened()
	synctest.Wait()
	b.deaf = false
	return tab
}

// answerAll answers what was sent while the relay was deaf, in order.
func (b *browser) answerAll() {
	b.t.Helper()
	synctest.Wait()
	for _, c := range b.socket().sent {
		if c.ID != 0 {
			b.socket().say(&session.Frame{Reply: true, ID: c.ID, Wiki: "wiki:", User: "Ann"})
		}
	}
}

func TestSubscriptionsDoNotWaitForTheAnswerToConnect(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := between(b, "A", "B")
		if sent := b.socket().sent; len(sent) != 3 || sent[0].Op != wire.OpConnect || types(sent) != "AB" {
			t.Fatalf("sent: %+v", sent)
		}
		one.heard()
		b.answerAll()
		one.heard("connected wiki:Ann")
		equal(t, "subscribed", types(b.socket().commands(wire.OpSubscribe)), "AB")
	})
}

func TestSubscriptionsThatComeAndGoWhileConnectIsOnItsWay(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := between(b, "A", "B", "C")
		b.Unsubscribe("WS1", "A")
		b.Unsubscribe("WS1", "B")
		b.Subscribe("WS1", "B")
		b.Subscribe("WS1", "D")
		synctest.Wait()
		equal(t, "given up", types(b.socket().commands(wire.OpUnsubscribe)), "AB")
		equal(t, "asked for", types(b.socket().sent), "ABC")
		b.answerAll()
		equal(t, "asked for in all", types(b.socket().commands(wire.OpSubscribe)), "ABCBD")
		one.heard("connected wiki:Ann")
	})
}

func TestTabLeavesWhileConnectIsOnItsWay(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		between(b, "A")
		two := b.open("WS2", "B")
		b.Leave("WS1")
		synctest.Wait()
		equal(t, "given up", types(b.socket().commands(wire.OpUnsubscribe)), "A")
		b.answerAll()
		equal(t, "asked for", types(b.socket().commands(wire.OpSubscribe)), "AB")
		two.heard("connected wiki:Ann")
	})
}

func TestRefusedConnectTakesItsSubscriptionsAlong(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		one := between(b, "A")
		connect := b.socket().commands(wire.OpConnect)[0]
		b.socket().say(&session.Frame{Reply: true, ID: connect.ID, Error: wire.NewError(wire.Unavailable, "full")})
		equal(t, "close code", b.socket().closed, wire.CloseNormal.Code)
		one.heard("disconnected 4401 true")
		b.wait(time.Minute)
		equal(t, "sockets", len(b.sockets), 2)
		one.heard("connected wiki:Ann")
		equal(t, "asked for again", types(b.socket().commands(wire.OpSubscribe)), "A")
	})
}

// A relay leaves messages for clients that it does not know out of what was missed: a tab that it hears of only behind the subscription has a question of
// its own.
func TestTabThatConnectDoesNotNameGetsWhatWasForIt(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		b.deaf = true
		one := b.openAt("WS1", at(3))
		b.socket().link.Opened()
		two := b.openAt("WS2", at(3))
		recovered := func(id int) {
			b.socket().say(&session.Frame{Reply: true, ID: id, Epoch: "E", Offset: 5, Recovered: true})
		}
		sent := b.socket().sent
		equal(t, "sent", len(sent), 2)
		b.socket().say(&session.Frame{Reply: true, ID: sent[0].ID, Wiki: "wiki:", User: "Ann"})
		recovered(sent[1].ID)
		b.socket().say(numbered("A", 4)) // 5 is only for WS2, which the relay did not know
		sent = b.socket().sent[2:]
		if len(sent) != 2 || sent[0].Client != "WS2" || sent[1].Op != wire.OpSubscribe || sent[1].Since != at(3) {
			t.Fatalf("asked again: %+v", sent)
		}
		b.socket().say(&session.Frame{Reply: true, ID: sent[0].ID})
		recovered(sent[1].ID)
		b.socket().say(numbered("A", 4))
		personal := numbered("A", 5)
		personal.To = []string{"WS2"}
		b.socket().say(personal)
		b.socket().say(&session.Frame{Op: wire.OpPong})
		equal(t, "one", one.got(), "4")
		equal(t, "two", two.got(), "4 5")
		b.deaf = false
	})
}

// Who wants nothing from before is told of the connection only when the relay knows it, or what is sent to it then would be lost.
func TestTabThatConnectDoesNotNameWaitsUntilTheRelayKnowsIt(t *testing.T) {
	in(t, func(t *testing.T, b *browser) {
		between(b, "A")
		b.deaf = true
		two := b.open("WS2", "A")
		sent := b.socket().sent
		equal(t, "sent", len(sent), 2)
		for _, c := range sent {
			b.socket().say(&session.Frame{Reply: true, ID: c.ID, Wiki: "wiki:", User: "Ann"})
		}
		two.heard()
		sent = b.socket().sent[2:]
		if len(sent) != 2 || sent[0].Op != wire.OpRegister || sent[1].Op != wire.OpSubscribe {
			t.Fatalf("sent: %+v", sent)
		}
		for _, c := range sent {
			b.socket().say(&session.Frame{Reply: true, ID: c.ID})
		}
		two.heard("connected wiki:Ann")
		b.deaf = false
	})
}
