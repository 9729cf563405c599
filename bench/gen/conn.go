//go:build linux

package gen

import "crypto/tls"

// State is how far a connection is.
type State uint8

// The states of a connection, in their order.
const (
	Closed State = iota
	Connecting
	Handshaking
	Open  // the handshake is done
	Ready // and all that comes before the first message, for a subscriber its subscription
)

// Kind is what a connection is there for.
type Kind uint8

// The kinds of connections.
const (
	Subscriber Kind = iota
	Publisher       // as long as there is something to publish
	Drainer         // a subscriber whose bytes are only counted: see [Engine.Drain]
	ShortWS         // connects, publishes one message, closes
	ShortHTTP       // the same with one HTTP request
)

// Subscribes reports whether the connection subscribes to its room.
func (k Kind) Subscribes() bool { return k == Subscriber || k == Drainer }

// Conn is one connection of a generator. Fields in upper case are for its owner and the protocol.
type Conn struct {
	Kind  Kind
	Room  int    // that it subscribes or publishes to
	ID    int    // tells it from the others of its engine
	Token string // of protocols that have them
	Step  int    // how many answers the protocol has had; 0 when it begins
	Mute  bool   // does not read
	Got   uint32 // stamped messages
	Asked uint32 // messages that it published and that will be answered
	Told  uint32 // such answers
	Short uint32 // number of the message that a short-lived publisher sends

	Began int64 // time of the last attempt to connect
	Retry int64 // time of the next, for whoever keeps a list of them

	fd       int
	slot     int32
	turn     int32 // counts the sockets that it has had, so that an event of an old one is told apart
	state    State
	answered bool // a short-lived publisher's message was taken; a subscriber has seen the probe
	hint     int  // where the stamp was in the last message
	last     uint32
	partial  []byte    // of a frame or an answer
	unsent   []byte    // not yet accepted by the kernel
	secure   *tls.Conn // of a [Crowd]
}

// State returns how far the connection is.
func (c *Conn) State() State { return c.state }

// Unsent returns how many bytes wait until the kernel takes them.
func (c *Conn) Unsent() int { return len(c.unsent) }
