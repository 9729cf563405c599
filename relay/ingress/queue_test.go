package ingress_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/ingress"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/broker"
)

// producer publishes to a queue with confirmations, and connects anew as often as it takes.
type producer struct {
	t     *testing.T
	s     *broker.Server
	queue string
	conn  *amqp.Connection
	ch    *amqp.Channel
}

// produce makes a queue of the test's own.
func produce(t *testing.T, s *broker.Server) *producer {
	p := &producer{t: t, s: s, queue: strings.ReplaceAll(t.Name(), "/", "-")}
	t.Cleanup(func() {
		if p.conn != nil {
			p.conn.Close()
		}
	})
	return p
}

func (p *producer) open() (err error) {
	if p.conn != nil {
		p.conn.CloseDeadline(time.Now().Add(time.Second))
	}
	if p.conn, err = amqp.Dial("amqp://guest:guest@" + p.s.Address + "/"); err != nil {
		p.conn = nil
		return err
	}
	if p.ch, err = p.conn.Channel(); err == nil {
		err = p.ch.Confirm(false)
	}
	if err == nil {
		_, err = p.ch.QueueDeclare(p.queue, true, false, false, false, nil)
	}
	return err
}

// try publishes a message and reports whether the broker has it.
func (p *producer) try(id, text string) error {
	if p.conn == nil || p.conn.IsClosed() || p.ch == nil || p.ch.IsClosed() {
		if err := p.open(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Second)
	defer cancel()
	c, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, "", p.queue, true, false, amqp.Publishing{MessageId: id, DeliveryMode: amqp.Persistent, Body: []byte(text)})
	if err != nil {
		return err
	}
	if ok, err := c.WaitContext(ctx); err != nil || !ok {
		return fmt.Errorf("not confirmed: %v", err)
	}
	return nil
}

func (p *producer) add(id, text string) {
	p.t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = p.try(id, text); err == nil {
			return
		}
	}
	p.t.Errorf("add: %v", err)
}

func (p *producer) url() string {
	return "amqp://guest:guest@" + p.s.Address + "/?wiki=a:&queue=" + p.queue
}

// left returns how many messages wait in a queue; those that are not acknowledged do not count.
func (p *producer) left(queue string) int {
	p.t.Helper()
	q, err := p.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return q.Messages
}

// TestRabbitMQIsKilledInASeries: everything arrives, once and in order, although RabbitMQ is killed and started again.
func TestRabbitMQIsKilledInASeries(t *testing.T) {
	const all = 60
	s := broker.RabbitMQ(t)
	p := produce(t, s)
	p.add("before", envelope(`"before"`))
	r := start(t, nil, p.url())
	c := listen(t, r)
	expect(t, c, `"before"`)
	done := make(chan struct{})
	go func() { // ends with the series
		defer close(done)
		for n := range all {
			p.add(fmt.Sprint("id ", n), envelope(n))
		}
	}()
	expect(t, c, series(0, all/2)...)
	s.Kill()
	await(t, r, "notice", func(a ready, st ingress.State) bool {
		return a.Status == "degraded" && st.State == ingress.Disconnected
	})
	s.Start(t)
	expect(t, c, series(all/2, all)...)
	<-done
	c.ExpectNothing()
	connected(t, r)
	c.CloseNow()
	r.Close() // and what is not acknowledged would be there again
	if n := p.left(p.queue); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// TestRabbitMQThatHangs: that is noticed and told, and when it goes on, so does the series.
func TestRabbitMQThatHangs(t *testing.T) {
	hurry(t)
	s := broker.RabbitMQ(t)
	p := produce(t, s)
	p.add("1", envelope(1))
	r := start(t, nil, p.url())
	c := listen(t, r)
	expect(t, c, "1")
	s.Stop()
	await(t, r, "notice", func(a ready, st ingress.State) bool {
		return a.Status == "degraded" && st.State == ingress.Disconnected
	})
	s.Continue()
	p.add("2", envelope(2))
	expect(t, c, "2")
	connected(t, r)
}

// TestPoisonInAQueue: what cannot be published, whatever it is, ends no relay and holds nothing up. It is kept with the reason.
func TestPoisonInAQueue(t *testing.T) {
	t.Parallel()
	s := broker.RabbitMQ(t)
	p := produce(t, s)
	for i, bad := range poison {
		p.add(fmt.Sprint(i), bad.payload)
	}
	p.add("good", envelope(`"good"`))
	r := start(t, nil, p.url())
	c := listen(t, r)
	expect(t, c, `"good"`)
	c.ExpectNothing()
	await(t, r, "end", func(_ ready, st ingress.State) bool { return st.Published == 1 && int(st.Poisoned) == len(poison) })
	c.CloseNow() // who does not answer the relay's end holds it up
	r.Close()
	for i, bad := range poison {
		d, ok, err := p.ch.Get(p.queue+".dead", true)
		if err != nil || !ok {
			t.Fatalf("%d: %v", i, err)
		}
		if reason, _ := d.Headers["x-reason"].(string); !strings.Contains(reason, bad.reason) || d.MessageId != fmt.Sprint(i) ||
			string(d.Body) != bad.payload[:min(len(bad.payload), ingress.DeadBytes)] || d.Headers["x-bytes"] != int64(len(bad.payload)) {
			t.Errorf("%.60q is kept with %v, want %q", bad.payload, d.Headers, bad.reason)
		}
	}
	if n := p.left(p.queue) + p.left(p.queue+".dead"); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// TestMessageOfAQueueComesTwice: a message that is in the queue twice, as after a producer's retry, is known by its id, or by the envelope's own key.
func TestMessageOfAQueueComesTwice(t *testing.T) {
	t.Parallel()
	s := broker.RabbitMQ(t)
	p := produce(t, s)
	for range 2 {
		p.add("same id", envelope(1))
		p.add("", `{"type":"a:News","msg":2,"key":"same-key"}`)
	}
	p.add("", envelope(3))
	r := start(t, nil, p.url())
	c := listen(t, r)
	expect(t, c, "1", "2", "3")
	c.ExpectNothing()
	r.Await(t, "repetition", func(s relaytest.Stats) bool { return s.Published == 3 && s.Repeated == 2 })
}

// TestWrongPasswordOfRabbitMQ: the operator is told what is wrong, and nobody the password.
func TestWrongPasswordOfRabbitMQ(t *testing.T) {
	t.Parallel()
	s := broker.RabbitMQ(t)
	r := start(t, nil, "amqp://guest:wrong-password@"+s.Address+"/?queue=any&wiki=a:")
	await(t, r, "explanation", func(a ready, st ingress.State) bool {
		return a.Status == "degraded" && st.State == ingress.Disconnected && strings.Contains(st.Problem, "user or password are wrong")
	})
	showsNo(t, r, "wrong-password")
}

// TestQueueIsDeletedOrTaken: the relay makes a queue that is not there, and two relays do not share one.
func TestQueueIsDeletedOrTaken(t *testing.T) {
	t.Parallel()
	s := broker.RabbitMQ(t)
	p := produce(t, s)
	r := start(t, nil, p.url())
	connected(t, r)
	p.add("1", envelope(1))
	c := listen(t, r)
	expect(t, c, "1")
	other := start(t, nil, p.url())
	await(t, other, "refusal", func(a ready, st ingress.State) bool {
		return strings.Contains(st.Problem, "another relay may do so already")
	})
	if _, err := p.ch.QueueDelete(p.queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	await(t, r, "notice", func(_ ready, st ingress.State) bool { return st.Retries > 0 })
	other.Close()
	connected(t, r)
	p.add("2", envelope(2))
	expect(t, c, "2")
}

// TestQuorumQueue: a replicated queue that an operator has made does as well, and gives back in order what was not acknowledged.
func TestQuorumQueue(t *testing.T) {
	t.Parallel()
	s := broker.RabbitMQ(t)
	p := produce(t, s)
	if err := p.open(); err != nil { // which makes a queue of the ordinary kind
		t.Fatal(err)
	}
	p.ch.QueueDelete(p.queue, false, false, false)
	if _, err := p.ch.QueueDeclare(p.queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		p.add(fmt.Sprint(n), envelope(n))
	}
	first := relaytest.Start(t, func(c *config.Config) { c.Ingress = sources(t, p.url()) }) // of no wiki: it acknowledges nothing
	await(t, first, "waiting", func(_ ready, st ingress.State) bool { return st.State == ingress.Waiting })
	first.Close()
	r := start(t, nil, p.url())
	expect(t, listen(t, r), series(0, 40)...)
}
