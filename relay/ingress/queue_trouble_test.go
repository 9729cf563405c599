package ingress_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/ingress"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/broker"
)

// TestPoisonOfAQueueCannotBeKept: it waits where it was and is tried more and more seldom; what came with it is published, once.
func TestPoisonOfAQueueCannotBeKept(t *testing.T) {
	t.Parallel()
	s := broker.RabbitMQ(t)
	p := produce(t, s)
	for _, text := range []string{"garbage", envelope(1), envelope(2)} {
		p.add("", text) // without an id, by which a second one would be known
	}
	other, err := amqp.Dial("amqp://guest:guest@" + s.Address + "/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	ch, err := other.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(p.queue+".dead", false, false, true, false, nil); err != nil { // nobody else may use it
		t.Fatal(err)
	}
	began := time.Now()
	r := start(t, nil, p.url())
	c := listen(t, r)
	expect(t, c, "1", "2")
	await(t, r, "attempts", func(_ ready, st ingress.State) bool {
		return st.Retries >= retries && strings.Contains(st.Problem, p.queue+".dead")
	})
	if passed := time.Since(began); passed < retriesTake {
		t.Errorf("%d attempts within %s", retries, passed)
	}
	other.Close()
	await(t, r, "end", func(_ ready, st ingress.State) bool { return st.Poisoned == 1 && st.Published == 2 })
	p.add("", envelope(3))
	expect(t, c, "3")
	c.ExpectNothing()
	if n := p.left(p.queue + ".dead"); n != 1 {
		t.Errorf("%d are kept", n)
	}
}

// TestQueueOfPoisonIsDeleted: it is made anew for the next.
func TestQueueOfPoisonIsDeleted(t *testing.T) {
	t.Parallel()
	p := produce(t, broker.RabbitMQ(t))
	p.add("", "garbage")
	r := start(t, nil, p.url())
	for n := range uint64(3) {
		await(t, r, "end", func(_ ready, st ingress.State) bool { return st.Poisoned == n+1 })
		if left, err := p.ch.QueueDelete(p.queue+".dead", false, false, false); err != nil || left != 1 {
			t.Fatalf("number %d: %d are kept, %v", n, left, err)
		}
		p.add("", "garbage")
	}
	await(t, r, "end", func(_ ready, st ingress.State) bool { return st.Poisoned == 4 && st.Retries == 0 })
}

// link is a way to a broker, which can be cut.
type link struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

// linkTo carries what answer lets through of the broker's answers.
func linkTo(t *testing.T, s *broker.Server, answer func(to io.Writer, from io.Reader)) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{Listener: listener}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			other, err := net.Dial("tcp", s.Address)
			if err != nil {
				c.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, c, other)
			l.mu.Unlock()
			all.Go(func() { io.Copy(other, c); other.Close() })
			all.Go(func() { answer(c, other); c.Close() })
		}
	})
	t.Cleanup(func() {
		l.Close()
		l.cut()
		all.Wait()
	})
	return l
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// TestLinkIsCutWhileMessagesWait: the relay does not publish what the broker gives to others by then; so nothing comes twice.
func TestLinkIsCutWhileMessagesWait(t *testing.T) {
	t.Parallel()
	s := broker.RabbitMQ(t)
	l := linkTo(t, s, func(to io.Writer, from io.Reader) { io.Copy(to, from) })
	p := produce(t, s)
	for n := range 5 {
		p.add("", envelope(n))
	}
	r := relaytest.Start(t, func(c *config.Config) {
		c.Ingress = sources(t, strings.Replace(p.url(), s.Address, l.Addr().String(), 1))
	})
	waits := func(retries uint64) {
		await(t, r, "waiting", func(_ ready, st ingress.State) bool { return st.State == ingress.Waiting && st.Retries == retries })
	}
	waits(0)
	l.cut()
	waits(1)
	if code, _, text := r.HTTP(t, "PUT", "http://control/api/wikis/a:", string(registration())); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	c := listen(t, r)
	expect(t, c, series(0, 5)...)
	p.add("", envelope(5))
	expect(t, c, "5")
	c.ExpectNothing()
}

// TestRelayEndsWhileRabbitMQHangs: when that lets the relay in and says nothing more.
func TestRelayEndsWhileRabbitMQHangs(t *testing.T) {
	hung := make(chan struct{}, 100)
	l := linkTo(t, broker.RabbitMQ(t), func(to io.Writer, from io.Reader) {
		for range 3 { // connection.start, tune and open-ok: a frame's type, channel and length, and its end
			head := make([]byte, 7)
			if _, err := io.ReadFull(from, head); err != nil {
				return
			}
			to.Write(head)
			io.CopyN(to, from, int64(binary.BigEndian.Uint32(head[3:]))+1)
		}
		hung <- struct{}{}
		io.Copy(io.Discard, from)
	})
	set := open(t, publisher(nil), "amqp://guest:guest@"+l.Addr().String()+"/?queue=any&wiki=a:")
	<-hung
	closeSoon(t, set)
}
