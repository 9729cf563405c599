package ingress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// field is the member of a stream's entry that holds the envelope.
const field = "envelope"

// pollTime is how long Redis holds an answer back until there is an entry. With [answerTimeout] it is how long a Redis that hangs goes unnoticed.
var pollTime = 2 * time.Second // a variable for the tests

// consumerLife is how long a consumer of our group that has nothing in hand is left in Redis after it was last heard of.
const consumerLife = time.Hour

// claimAfter is how long an entry may be in the hands of another consumer before it is taken over: that of a relay which is gone. A variable for the tests.
var claimAfter = time.Minute

var quiet = sync.OnceFunc(logging.Disable) // the library would write to standard error

// redisClient returns a client that connects when it is first asked, and tries nothing twice: that is the session's job.
func (s *Source) redisClient() *redis.Client {
	quiet()
	db, _ := strconv.Atoi(s.Vhost)
	o := &redis.Options{Addr: s.Address, Username: s.User, Password: s.Password, DB: db, Protocol: 2, PoolSize: 2, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: answerTimeout, ReadTimeout: answerTimeout, WriteTimeout: answerTimeout, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}}
	if s.Scheme == "rediss" {
		host, _, _ := net.SplitHostPort(s.Address)
		o.TLSConfig = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	return redis.NewClient(o)
}

// bury puts a poisoned message where an operator finds it. It may do so twice when Redis breaks down meanwhile.
func (in *input) bury(ctx context.Context, client *redis.Client, id, envelope, reason string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := within(ctx)
	defer cancel()
	values := []any{"reason", in.clean(reason), "id", id, "bytes", len(envelope), field, envelope[:min(len(envelope), DeadBytes)]}
	err := client.XAdd(ctx, &redis.XAddArgs{Stream: in.source.dead(), MaxLen: DeadMost, Approx: true, Values: values}).Err()
	if err != nil {
		return fmt.Errorf("keep a poisoned message in %s: %w", in.source.dead(), err)
	}
	in.poisoned(id, reason, in.source.dead())
	return nil
}

// stream reads a Redis stream as a consumer of a group.
type stream struct {
	*input
	settledIDs []string // published or buried, and not acknowledged yet: also when Redis was away meanwhile
}

func (q *stream) close() {}

func (q *stream) session(ctx context.Context) error {
	client, reader := q.source.redisClient(), q.source.redisClient()
	defer client.Close()
	defer reader.Close()
	defer context.AfterFunc(ctx, func() { reader.Close() })() // an answer that is held back is not waited for
	if err := q.begin(ctx, client); err != nil {
		return err
	}
	claimed := time.Time{}
	for id := "0"; ctx.Err() == nil; { // first what this consumer was given, in a life before perhaps, and has not acknowledged
		if time.Since(claimed) > claimAfter {
			if err := q.claim(ctx, client); err != nil {
				return err
			}
			claimed = time.Now()
		}
		entries, err := q.read(ctx, reader, id)
		if err != nil {
			return err
		}
		q.up() // not before: a user may be allowed to connect only
		if len(entries) == 0 {
			id = ">"
		}
		if err := q.take(ctx, client, entries); err != nil {
			return err
		}
		q.works()
	}
	return ctx.Err()
}

// begin acknowledges what is left from the last session, and makes the group. It begins with all that the stream has.
func (q *stream) begin(ctx context.Context, client *redis.Client) error {
	if err := q.acknowledge(ctx, client); err != nil {
		return err
	}
	ctx, cancel := within(ctx)
	defer cancel()
	err := client.XGroupCreateMkStream(ctx, q.source.Name, q.source.Group, "0").Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") && !strings.HasPrefix(err.Error(), "NOPERM") { // perhaps it is there already
		return fmt.Errorf("make the group %q of the stream: %w", q.source.Group, err)
	}
	return nil
}

// read returns what is there: with the id "0" of what was not acknowledged, with ">" of what nobody has had.
func (q *stream) read(ctx context.Context, reader *redis.Client, id string) ([]redis.XMessage, error) {
	wait := pollTime
	if id != ">" {
		wait = -1
	}
	ctx, cancel := context.WithTimeout(ctx, pollTime+answerTimeout)
	defer cancel()
	streams, err := reader.XReadGroup(ctx, &redis.XReadGroupArgs{Group: q.source.Group, Consumer: q.o.Consumer, Streams: []string{q.source.Name, id}, Count: batch,
		Block: wait}).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errTimeout
	case err != nil:
		return nil, fmt.Errorf("read the stream: %w", err)
	case len(streams) == 0:
		return nil, nil
	}
	return streams[0].Messages, nil
}

// take publishes entries and acknowledges them, and keeps in mind what it could not acknowledge. Poison that could not be kept stays in the stream.
func (q *stream) take(ctx context.Context, client *redis.Client, entries []redis.XMessage) error {
	if len(entries) == 0 {
		return nil
	}
	entries = q.withoutTrimmed(entries)
	messages := make([]Message, len(entries))
	for i, e := range entries {
		envelope, _ := e.Values[field].(string)
		messages[i] = Message{Envelope: []byte(envelope), Key: q.source.keyOf(e.ID)}
	}
	err := q.push(ctx, messages, func(at int, verdicts []Verdict) error {
		var failed error
		for i, v := range verdicts {
			e := entries[at+i]
			if v.Result == Refused && failed == nil {
				failed = q.bury(ctx, client, e.ID, string(messages[at+i].Envelope), q.reason(e, v))
			}
			if v.Result == Done || failed == nil {
				q.settledIDs = append(q.settledIDs, e.ID)
			}
		}
		return errors.Join(failed, q.acknowledge(ctx, client))
	})
	if err != nil {
		return err
	}
	return q.acknowledge(ctx, client) // also what was trimmed
}

// reason says what is wrong with an entry.
func (q *stream) reason(e redis.XMessage, v Verdict) string {
	if _, ok := e.Values[field]; ok {
		return v.Reason
	}
	names := make([]string, 0, len(e.Values))
	for name := range e.Values {
		names = append(names, head(name, 32))
	}
	slices.Sort(names)
	return fmt.Sprintf("no field %q, but %q", field, names)
}

// withoutTrimmed leaves out what was removed from the stream before it was read: only its id has come.
func (q *stream) withoutTrimmed(entries []redis.XMessage) []redis.XMessage {
	kept := entries[:0]
	for _, e := range entries {
		if e.Values == nil {
			q.settledIDs = append(q.settledIDs, e.ID)
			continue
		}
		kept = append(kept, e)
	}
	q.trimmed(len(entries) - len(kept))
	return kept
}

func (q *stream) trimmed(n int) {
	if n > 0 {
		q.count(&q.state.Lost, n)
		q.o.Warn("trimmed "+q.state.Source, "entries were removed from a stream before they could be published", "source", q.state.Source, "entries", n)
	}
}

func (q *stream) acknowledge(ctx context.Context, client *redis.Client) error {
	if len(q.settledIDs) == 0 {
		return nil
	}
	ctx, cancel := within(ctx)
	defer cancel()
	if err := client.XAck(ctx, q.source.Name, q.source.Group, q.settledIDs...).Err(); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	q.settledIDs = q.settledIDs[:0]
	return nil
}

// claim takes over what relays of other names have had in hand for long, and forgets those that have nothing and are gone.
func (q *stream) claim(ctx context.Context, client *redis.Client) error {
	for start := "-"; start != "0-0" && ctx.Err() == nil; {
		question, cancel := within(ctx)
		entries, next, gone, err := client.XAutoClaimWithDeleted(question, &redis.XAutoClaimArgs{Stream: q.source.Name, Group: q.source.Group, Consumer: q.o.Consumer,
			MinIdle: claimAfter, Start: start, Count: batch}).Result()
		cancel()
		if err != nil {
			return fmt.Errorf("take over what other relays have left: %w", err)
		}
		q.trimmed(len(gone))
		if err := q.take(ctx, client, entries); err != nil {
			return err
		}
		start = next
	}
	question, cancel := within(ctx)
	defer cancel()
	others, _ := client.XInfoConsumers(question, q.source.Name, q.source.Group).Result() // without it they stay
	for _, other := range others {
		if other.Name != q.o.Consumer && other.Pending == 0 && other.Idle > consumerLife {
			client.XGroupDelConsumer(question, q.source.Name, q.source.Group, other.Name)
		}
	}
	return nil
}

// channel listens to a Redis channel.
type channel struct{ *input }

func (q *channel) close() {}

func (q *channel) session(ctx context.Context) error {
	client := q.source.redisClient()
	defer client.Close()
	opening, cancel := within(ctx)
	defer cancel()
	sub := client.Subscribe(opening, q.source.Name)
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { sub.Close() })()
	for asked := false; ctx.Err() == nil; {
		message, err := sub.ReceiveTimeout(ctx, answerTimeout)
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout() && !asked:
			if err := sub.Ping(ctx); err != nil {
				return err
			}
			asked = true
			continue
		case errors.As(err, &late) && late.Timeout():
			return errTimeout
		case err != nil:
			return err
		}
		q.works()
		asked = false
		switch m := message.(type) {
		case *redis.Subscription:
			q.up()
		case *redis.Message:
			if err := q.take(ctx, client, m.Payload); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (q *channel) take(ctx context.Context, client *redis.Client, payload string) error {
	return q.push(ctx, []Message{{Envelope: []byte(payload)}}, func(_ int, verdicts []Verdict) error {
		if verdicts[0].Result == Refused && q.bury(ctx, client, "", payload, verdicts[0].Reason) != nil {
			q.count(&q.state.Lost, 1) // nobody has it any more
			q.poisoned("", verdicts[0].Reason, "nowhere")
		}
		return nil
	})
}
