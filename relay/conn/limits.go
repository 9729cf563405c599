package conn

import (
	"time"

	"mediawiki-websocket/relay/wire"
)

// Limits bound what one connection may take of the relay. A zero field is not "no limit": start from [DefaultLimits].
type Limits struct {
	wire.Limits
	OutboxBytes    int           // bytes waiting for a slow connection, more than PublishBytes, so that one publish cuts nobody off; past it: close 4000
	CompressBytes  int           // messages of so many bytes and more are compressed for who can inflate them; 0: none, and none are taken
	Fragments      int           // frames that make up one message; past it: close 1008
	ConnectTimeout time.Duration // until a connection of mode v1 has said who it is; past it: close 4001
	MessageTimeout time.Duration // from the first byte of a message to its last; past it: close 1008
	PingInterval   time.Duration // silence after which the relay pings
	PingTimeout    time.Duration // silence after which the connection ends with 4002
	WriteTimeout   time.Duration // a blocked write that makes no headway ends the connection with 4000
	Bytes          Rate          // what a connection may send, in bytes; past it: close 4003
	Messages       Rate          // messages that it may send; past it they are refused, and after as many refused ones: close 4003
	Commands       Rate          // text frames of any kind, in either mode; past it: close 4003
	Replays        Rate          // bytes of what was missed, and of who is there, that it may ask for; past it what was missed is told to be lost, and the rest refused
	WikiPublishes  Rate          // messages that one wiki may publish; past it: 429
	WikiMessages   Rate          // messages that the visitors of one wiki may send together; past it they are refused
	Pings          Rate          // pings and pongs of WebSocket and of the protocol together; past it: close 4003
}

// Rate is a token bucket: so many a second in the long run, and Burst at once.
type Rate struct {
	PerSecond float64
	Burst     int
}

// DefaultLimits are the limits of a relay whose configuration names none.
//
// A browser that comes back after a failure says all it has to say at once: up to 512 subscriptions and 128 clients, which are commands, with
// subscription tokens in them, and 100 messages that have waited. No burst is smaller than that.
func DefaultLimits() Limits {
	return Limits{
		Limits:         wire.DefaultLimits(),
		OutboxBytes:    1<<20 + 256<<10,
		Fragments:      128,
		ConnectTimeout: 10 * time.Second,
		MessageTimeout: 10 * time.Second,
		PingInterval:   25 * time.Second,
		PingTimeout:    60 * time.Second,
		WriteTimeout:   5 * time.Second,
		Bytes:          Rate{64 << 10, 1 << 20},
		Messages:       Rate{20, 120},
		Commands:       Rate{100, 1500},
		Replays:        Rate{64 << 10, 4 << 20},
		WikiPublishes:  Rate{5000, 50000},
		WikiMessages:   Rate{5000, 50000},
		Pings:          Rate{1, 10},
	}
}
