package ingress

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	frameSize = 128 << 10 // of AMQP, as RabbitMQ has it
	// openTimeout bounds the opening of a connection, and again of the queue: the library would wait for ever. The relay's end interrupts both. RabbitMQ waits
	// three seconds before it says that a password is wrong.
	openTimeout = 10 * time.Second
)

var heartbeat = 5 * time.Second // a broker that is silent for three of them is gone; a variable for the tests

var errLost = errors.New("the connection was lost")

// queue consumes an AMQP queue.
type queue struct{ *input }

func (q *queue) close() {}

func (q *queue) session(ctx context.Context) error {
	conn, err := q.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { conn.CloseDeadline(time.Now().Add(answerTimeout)) }()
	ctx, deliveries, err := q.consume(ctx, conn)
	if err != nil {
		return err
	}
	q.up()
	grave := &grave{input: q.input, conn: conn}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case d, ok := <-deliveries:
			if !ok {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			if err := q.take(ctx, grave, more(deliveries, d)); err != nil {
				return err
			}
			q.works()
		}
	}
}

// consume begins to take messages. The context ends with ctx, and when the broker gives the messages to somebody else: its cause says why.
func (q *queue) consume(ctx context.Context, conn *amqp.Connection) (context.Context, <-chan amqp.Delivery, error) {
	setup, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	stop := hangUpAfter(setup, conn)
	defer stop()
	ch, err := q.declared(conn, q.source.Name, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := ch.Qos(batch, 0, false); err != nil {
		return nil, nil, fmt.Errorf("say how many messages may be under way: %w", err)
	}
	ended, cancelled := ch.NotifyClose(make(chan *amqp.Error, 1)), ch.NotifyCancel(make(chan string, 1))
	// Exclusive: two relays at one queue would each get a part of the messages, and their order would be lost.
	deliveries, err := ch.Consume(q.source.Name, "", false, true, false, false, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("consume the queue (another relay may do so already): %w", err)
	}
	if !stop() { // just then
		return nil, nil, context.Cause(setup)
	}
	ctx, lost := context.WithCancelCause(ctx)
	go func() { lost(whyEnded(ended, cancelled)) }() // ends with the connection
	return ctx, deliveries, nil
}

// hangUpAfter ends the connection with ctx, unless stop is called before.
func hangUpAfter(ctx context.Context, conn *amqp.Connection) (stop func() bool) {
	return context.AfterFunc(ctx, func() { conn.CloseDeadline(time.Now()) })
}

// more returns what has come with the first.
func more(deliveries <-chan amqp.Delivery, first amqp.Delivery) []amqp.Delivery {
	all := []amqp.Delivery{first}
	for len(all) < batch {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return all
			}
			all = append(all, d)
		default:
			return all
		}
	}
	return all
}

// whyEnded returns when no messages come any more, and says why.
func whyEnded(ended <-chan *amqp.Error, cancelled <-chan string) error {
	err := (*amqp.Error)(nil)
	select {
	case _, ok := <-cancelled:
		if ok {
			return errors.New("the queue was deleted")
		}
		err = <-ended // both are closed
	case err = <-ended:
	}
	if err == nil {
		return errLost
	}
	return err
}

// connect opens a connection. It is interrupted when ctx ends, and bounded in time.
func (q *queue) connect(ctx context.Context) (*amqp.Connection, error) {
	question, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(question, "tcp", q.source.Address)
	if err != nil {
		return nil, err
	}
	raw := conn
	stop := context.AfterFunc(question, func() { raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if q.source.Scheme == "amqps" {
		host, _, _ := net.SplitHostPort(q.source.Address)
		secure := tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(question); err != nil {
			conn.Close()
			return nil, err
		}
		conn = secure
	}
	c, err := amqp.Open(conn, amqp.Config{Vhost: q.source.Vhost, Heartbeat: heartbeat, FrameSize: frameSize, Locale: "en_US",
		SASL:       []amqp.Authentication{&amqp.PlainAuth{Username: q.source.User, Password: q.source.Password}},
		Properties: amqp.Table{"product": "websocket-relay", "connection_name": q.o.Consumer}})
	if err != nil {
		conn.Close()
		if question.Err() != nil && ctx.Err() == nil {
			err = errors.New("no answer within " + openTimeout.String())
		}
		return nil, err
	}
	if !stop() { // just then
		conn.SetDeadline(time.Time{})
	}
	return c, nil
}

// declared returns a channel on which a queue is known to be there. One that is not is made, and survives the broker; args are for that.
func (q *input) declared(conn *amqp.Connection, name string, args amqp.Table) (*amqp.Channel, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	_, err = ch.QueueDeclarePassive(name, true, false, false, false, nil)
	var answer *amqp.Error
	if err == nil {
		return ch, nil
	}
	if !errors.As(err, &answer) || answer.Code != amqp.NotFound {
		return nil, fmt.Errorf("look for the queue %q: %w", name, err)
	}
	if ch, err = conn.Channel(); err != nil { // the answer has closed the first
		return nil, err
	}
	if _, err = ch.QueueDeclare(name, true, false, false, false, args); err != nil {
		return nil, fmt.Errorf("make the queue %q: %w", name, err)
	}
	return ch, nil
}

// take publishes deliveries and acknowledges them. After an error only those are left that the relay has not taken, and poison that could not be kept.
func (q *queue) take(ctx context.Context, grave *grave, deliveries []amqp.Delivery) error {
	if ctx.Err() != nil { // others have them by now
		return context.Cause(ctx)
	}
	messages := make([]Message, len(deliveries))
	for i, d := range deliveries {
		messages[i] = Message{Envelope: d.Body, Key: q.source.keyOf(d.MessageId)}
	}
	return q.push(ctx, messages, func(at int, verdicts []Verdict) error {
		ours := deliveries[at : at+len(verdicts)]
		if !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Result == Refused }) {
			return acknowledged(ours[len(ours)-1].Ack(true)) // and all before it
		}
		var failed error
		for i, v := range verdicts {
			if v.Result == Refused && failed == nil {
				failed = grave.bury(ctx, &ours[i], v.Reason)
			}
			if v.Result == Refused && failed != nil {
				continue // it stays in the queue
			}
			if err := acknowledged(ours[i].Ack(false)); err != nil {
				return errors.Join(failed, err)
			}
		}
		return failed
	})
}

func acknowledged(err error) error {
	if err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// grave is the queue of poisoned messages, on a channel of its own: what is wrong there must not end the consumer's.
type grave struct {
	*input
	conn    *amqp.Connection
	ch      *amqp.Channel
	returns chan amqp.Return // what the broker has no queue for
}

// open makes the channel, and the queue if it is not there.
func (g *grave) open() (err error) {
	if g.ch, err = g.declared(g.conn, g.source.dead(), amqp.Table{"x-max-length": int32(DeadMost)}); err == nil {
		g.returns = g.ch.NotifyReturn(make(chan amqp.Return, 1))
		err = g.ch.Confirm(false)
	}
	return err
}

// bury puts a poisoned message where an operator finds it, and returns when the broker has it. It may do so twice when the broker breaks down meanwhile.
func (g *grave) bury(ctx context.Context, d *amqp.Delivery, reason string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	question, cancel := within(ctx)
	defer cancel()
	defer hangUpAfter(question, g.conn)()
	kept, err := g.keep(question, d, reason)
	if err == nil && !kept { // the queue was deleted
		g.ch.Close()
		if kept, err = g.keep(question, d, reason); err == nil && !kept {
			err = errors.New("there is no such queue")
		}
	}
	if err != nil {
		return fmt.Errorf("keep a poisoned message in %s: %w", g.source.dead(), err)
	}
	g.poisoned(d.MessageId, reason, g.source.dead())
	return nil
}

// keep reports whether a queue has the message. A broker confirms what it throws away, too.
func (g *grave) keep(ctx context.Context, d *amqp.Delivery, reason string) (bool, error) {
	if g.ch == nil || g.ch.IsClosed() {
		if err := g.open(); err != nil {
			return false, err
		}
	}
	confirmed, err := g.ch.PublishWithDeferredConfirmWithContext(ctx, "", g.source.dead(), true, false, amqp.Publishing{
		Headers:     amqp.Table{"x-reason": g.clean(reason), "x-bytes": int64(len(d.Body))},
		ContentType: d.ContentType, MessageId: d.MessageId, Timestamp: d.Timestamp, DeliveryMode: amqp.Persistent, Body: d.Body[:min(len(d.Body), DeadBytes)]})
	if err != nil {
		return false, err
	}
	if taken, err := confirmed.WaitContext(ctx); err != nil || !taken {
		return false, cmp.Or(err, errors.New("the broker refuses it"))
	}
	select {
	case <-g.returns: // it comes before the confirmation
		return false, nil
	default:
		return true, nil
	}
}
