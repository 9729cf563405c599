package wire

// Limits bound the sizes that both ends of the protocol know. Sizes are in bytes; the relay's package conn adds those of time and number that
// only it has to keep. A zero field is not "no limit": start from [DefaultLimits].
type Limits struct {
	FrameBytes   int // one frame or message of a connection; past it: close 1009
	PublishBytes int // the body of POST /api/publish; past it: 413
	TypeBytes    int // a type
	ClientBytes  int // a client id
	Types        int // subscriptions of a connection
	Clients      int // clients of a connection
	Recipients   int // ids in "to"
	PublishBatch int // messages in one publish
	Depth        int // nesting of JSON
}

// KeyBytes is the longest key of a message, see [CheckKey].
const KeyBytes = 64

// DefaultLimits are the limits of a relay whose configuration names none.
func DefaultLimits() Limits {
	return Limits{
		FrameBytes:   64 << 10,
		PublishBytes: 1 << 20,
		TypeBytes:    255,
		ClientBytes:  64,
		Types:        512,
		Clients:      128,
		Recipients:   128,
		PublishBatch: 1024,
		Depth:        32,
	}
}
