package wire

import "time"

// Limits bound what one connection may ask for. Sizes are in bytes.
// A zero field is not "no limit": start from [DefaultLimits].
type Limits struct {
	FrameBytes     int // one frame or message of a connection; past it: close 1009
	PublishBytes   int // the body of POST /api/publish; past it: 413
	TypeBytes      int // a type
	ClientBytes    int // a client id
	Types          int // subscriptions of a connection
	Clients        int // clients of a connection
	Recipients     int // ids in "to"
	PublishBatch   int // messages in one publish
	Depth          int // nesting of JSON
	OutboxBytes    int // bytes waiting for a slow connection, more than PublishBytes, so that one publish cuts nobody off; past it: close 4000
	ConnectTimeout time.Duration
	PingInterval   time.Duration // silence after which the relay pings
	PingTimeout    time.Duration // silence after which the connection ends with 4002
	WriteTimeout   time.Duration // a blocked write that makes no headway ends the connection with 4000
}

// DefaultLimits are the limits of a relay whose configuration names none.
func DefaultLimits() Limits {
	return Limits{
		FrameBytes:     64 << 10,
		PublishBytes:   1 << 20,
		TypeBytes:      255,
		ClientBytes:    64,
		Types:          512,
		Clients:        128,
		Recipients:     128,
		PublishBatch:   1024,
		Depth:          32,
		OutboxBytes:    1<<20 + 256<<10,
		ConnectTimeout: 10 * time.Second,
		PingInterval:   25 * time.Second,
		PingTimeout:    60 * time.Second,
		WriteTimeout:   5 * time.Second,
	}
}
