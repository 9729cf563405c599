package ingress

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net"
	"sync"
	"time"
)

// DeadMost and DeadBytes bound what is kept of poisoned messages: how many of a source, and how much of the text of each.
const (
	DeadMost  = 1000
	DeadBytes = 64 << 10
)

// batch is how many messages of a source the relay has in hand, at most: their size is bounded by the queue only.
const batch = 16

// Message is what came out of a queue.
type Message struct {
	Envelope []byte // JSON; whoever gets it may keep it
	Key      string // the message's key, when the envelope has none; "": nothing names it
}

// Result is what became of a message.
type Result uint8

// The results of a publish.
const (
	Done    Result = iota // published now, or known to have been
	Refused               // for good: it is poisoned
	Later                 // not now
)

// Verdict is what a [Publisher] says of a message.
type Verdict struct {
	Result Result
	Reason string // of Refused and Later, for the operator; it may cite the message
}

// Publisher publishes what a wiki says.
type Publisher interface {
	// Publish publishes messages in their order and returns a verdict on each. Behind one that must come later none is published, so that all that
	// follow get [Later] too. It must not panic, whatever the messages are.
	Publish(wiki string, messages []Message) []Verdict
}

// Options are what the sources have in common.
type Options struct {
	Publisher Publisher
	Consumer  string // names this relay to Redis. Whoever takes its place must have the same name; another relay at the same stream another
	Log       *slog.Logger
	Warn      func(about, message string, attrs ...any) // logs a warning, but those about the same thing only now and then
	// Sockets are UDP sockets by [Source.Address] that this relay was handed. What no source wants is closed.
	Sockets map[string]net.PacketConn
}

// Set is sources at work.
type Set struct {
	inputs []*input
	cancel context.CancelFunc
	loops  sync.WaitGroup
	once   sync.Once
	log    *slog.Logger
}

// Open starts taking messages. A queue that is not there is tried again and again; the error is of a UDP address that cannot be listened on.
func Open(sources []Source, o Options) (*Set, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Set{cancel: cancel, log: o.Log}
	for _, source := range sources {
		in := &input{source: source, o: &o}
		if err := in.open(); err != nil {
			s.Close()
			closeSockets(o.Sockets)
			return nil, err
		}
		s.inputs = append(s.inputs, in)
	}
	closeSockets(o.Sockets)
	for _, in := range s.inputs {
		s.loops.Go(func() { in.run(ctx) })
	}
	return s, nil
}

func closeSockets(sockets map[string]net.PacketConn) {
	for _, socket := range sockets {
		socket.Close()
	}
}

// closeMost bounds [Set.Close]: a relay that takes this one's place waits for it, and for longer. A variable for the tests.
var closeMost = 5 * time.Second

// Close ends all sources when each has acknowledged what it has published, or after five seconds: what a queue that hangs gets no answer for it gives to the
// next relay. A second call does nothing more.
func (s *Set) Close() {
	s.once.Do(func() {
		s.cancel()
		ended := make(chan struct{})
		go func() { // ends with the last source
			s.loops.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(closeMost):
			s.log.Warn("a queue hangs: it is not known whether what was published last is acknowledged")
		}
		for _, in := range s.inputs {
			in.close()
		}
	})
}

// Sockets returns the UDP sockets by [Source.Address], for another process to go on with. They are valid until Close.
func (s *Set) Sockets() map[string]*net.UDPConn {
	sockets := make(map[string]*net.UDPConn)
	for _, in := range s.inputs {
		if f, ok := in.worker.(*feed); ok {
			sockets[in.source.Address] = f.socket
		}
	}
	return sockets
}

// States returns how each source is.
func (s *Set) States() []State {
	states := make([]State, len(s.inputs))
	for i, in := range s.inputs {
		states[i] = in.snapshot()
	}
	return states
}

// keyOf returns the key of a message that a queue knows by id; "" when it has none.
func (s *Source) keyOf(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Scheme + "\x00" + s.Vhost + "\x00" + s.Name + "\x00" + id))
	return "q." + base64.RawURLEncoding.EncodeToString(sum[:16])
}
