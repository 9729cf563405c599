package ingress

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// How long is waited before a queue is tried again, and before the relay is offered again what it did not take. Half of it is by chance.
const (
	retryLeast = 100 * time.Millisecond
	laterMost  = 2 * time.Second
)

var retryMost = 30 * time.Second // a variable for the tests

// The states of a source.
const (
	Connected    = "connected"
	Disconnected = "disconnected" // and tried again
	Waiting      = "waiting"      // the relay does not take what there is
)

// State is how a source is. The numbers count messages since the relay started.
type State struct {
	Source    string `json:"source"`
	Wiki      string `json:"wiki"`
	State     string `json:"state"`
	Problem   string `json:"problem,omitempty"`
	Published uint64 `json:"published"` // those among them that came twice were delivered once
	Poisoned  uint64 `json:"poisoned"`
	Lost      uint64 `json:"lost"`    // poisoned, and kept nowhere; or removed from a stream before they were read
	Ignored   uint64 `json:"ignored"` // of a feed: what is no recent change
	Retries   uint64 `json:"retries"` // how often the queue was lost or could not be reached
}

// worker takes messages out of one kind of queue.
type worker interface {
	// session connects and works until that breaks off, or ctx ends.
	session(ctx context.Context) error
	close()
}

// input is a source at work.
type input struct {
	source Source
	o      *Options
	worker worker

	mu     sync.Mutex
	state  State
	worked bool // since the last time that it was asked
}

func (in *input) open() error {
	in.state = State{Source: in.source.String(), Wiki: in.source.Wiki, State: Disconnected, Problem: "not connected yet"}
	switch in.source.Kind {
	case Stream:
		in.worker = &stream{input: in}
	case Channel:
		in.worker = &channel{in}
	case Queue:
		in.worker = &queue{in}
	default:
		f, err := openFeed(in)
		if err != nil {
			return err
		}
		in.worker = f
	}
	return nil
}

func (in *input) close() { in.worker.close() }

// run works until ctx ends.
func (in *input) run(ctx context.Context) {
	retry := backoff{least: retryLeast, most: retryMost}
	for {
		err := in.worker.session(ctx)
		if ctx.Err() != nil {
			return
		}
		in.down(err)
		if in.hasWorked() {
			retry.reset()
		}
		if !retry.wait(ctx) {
			return
		}
	}
}

// push publishes messages in their order, each as often as it takes. Whenever some are done or refused settle gets them with their verdicts. The error is
// settle's or, when ctx has ended before all were settled, its cause.
func (in *input) push(ctx context.Context, messages []Message, settle func(at int, verdicts []Verdict) error) error {
	later := backoff{least: retryLeast, most: laterMost}
	for at := 0; at < len(messages); {
		verdicts := in.o.Publisher.Publish(in.source.Wiki, messages[at:])
		n := 0
		for n < len(verdicts) && verdicts[n].Result != Later {
			n++
		}
		if n > 0 {
			in.published(verdicts[:n])
			if err := settle(at, verdicts[:n]); err != nil {
				return err
			}
			in.works()
			later.reset()
		}
		if at += n; at == len(messages) {
			break
		}
		in.hold(verdicts[n].Reason)
		if !later.wait(ctx) {
			return context.Cause(ctx)
		}
	}
	in.up()
	return nil
}

// up is called when the source has been reached and when the relay takes what comes.
func (in *input) up() {
	in.mu.Lock()
	before := in.state.State
	in.state.State, in.state.Problem = Connected, ""
	in.mu.Unlock()
	if before == Disconnected {
		in.o.Log.Info("taking messages from a queue", "source", in.state.Source, "wiki", in.source.Wiki)
	}
}

func (in *input) down(err error) {
	problem := in.explain(err)
	in.mu.Lock()
	in.state.State, in.state.Problem = Disconnected, problem
	in.state.Retries++
	in.mu.Unlock()
	in.o.Warn("ingress "+in.state.Source, "no messages come from a queue; it is tried again and again", "source", in.state.Source, "error", problem)
}

func (in *input) hold(reason string) {
	reason = in.clean(reason)
	in.mu.Lock()
	in.state.State, in.state.Problem = Waiting, reason
	in.mu.Unlock()
	in.o.Warn("ingress later "+in.state.Source, "messages wait in a queue, because the relay does not take them now", "source", in.state.Source,
		"wiki", in.source.Wiki, "reason", reason)
}

func (in *input) published(verdicts []Verdict) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, v := range verdicts {
		if v.Result == Done {
			in.state.Published++
		}
	}
}

// poisoned counts and logs what cannot be published, and where it is now.
func (in *input) poisoned(id, reason, where string) {
	in.count(&in.state.Poisoned, 1)
	in.o.Warn("poisoned "+in.state.Source, "a message of a queue cannot be published", "source", in.state.Source, "id", in.clean(id),
		"reason", in.clean(reason), "kept in", where)
}

func (in *input) count(n *uint64, more int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	*n += uint64(more)
}

// works says that the session has achieved something: what goes wrong next is tried again at once.
func (in *input) works() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.worked = true
}

func (in *input) hasWorked() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	worked := in.worked
	in.worked = false
	return worked
}

func (in *input) snapshot() State {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.state
}

// refusals are words by which servers say that they do not know who we are.
var refusals = []string{"WRONGPASS", "NOAUTH", "invalid password", "username or password not allowed", "ACCESS_REFUSED - Login"}

// explain says for the operator what went wrong.
func (in *input) explain(err error) string {
	text := cmp.Or(err, errLost).Error()
	for _, refusal := range refusals {
		if strings.Contains(text, refusal) {
			text = `user or password are wrong: they belong into the URL in "ingress" of the configuration file (` + text + ")"
			break
		}
	}
	return in.clean(text)
}

// textBytes is how much of a text of others is logged and shown.
const textBytes = 300

// clean makes a text of others fit to be shown: short, and without the source's secrets.
func (in *input) clean(text string) string {
	for _, secret := range []string{in.source.Password, in.source.Prefix} {
		if secret != "" && in.source.User != secret {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return head(text, textBytes)
}

// head returns the beginning of a text, as UTF-8.
func head(text string, most int) string {
	if len(text) > most {
		for most > 0 && !utf8.RuneStart(text[most]) {
			most--
		}
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// within returns a context for one question to a queue. It goes on when the relay ends, so that what was published is acknowledged.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
}

// answerTimeout is how long a queue may take to answer; it bounds the relay's end too.
// A variable for the tests.
var answerTimeout = 3 * time.Second

var errTimeout = errors.New("no answer within " + answerTimeout.String())

// backoff is a waiting time that doubles.
type backoff struct{ least, most, last time.Duration }

func (b *backoff) reset() { b.last = 0 }

// next returns for how long to wait: between a half of a time that doubles and all of it.
func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, b.least), b.most)
	return b.last/2 + rand.N(b.last/2+1)
}

// wait waits and reports whether ctx has not ended meanwhile.
func (b *backoff) wait(ctx context.Context) bool {
	t := time.NewTimer(b.next())
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
