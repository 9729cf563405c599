package conn

// What a goroutine needs on its stack: one that looks at a handshake or at a token, and one that reads what a peer has sent.
const (
	tokenRoom = 12 << 10
	readRoom  = 4 << 10
)

// MakeRoom lets the stack of a goroutine that looks at tokens grow at once, while next to nothing is on it. By and by, in the depth of a JSON decoder, it
// would be copied several times and every frame be found again, which was a sixth of what a connection costs.
//
//go:noinline
func MakeRoom() {
	var room [tokenRoom]byte
	touch(room[:])
}

// makeReadRoom is MakeRoom for a goroutine that reads: a tenth of what a pong costs.
//
//go:noinline
func makeReadRoom() {
	var room [readRoom]byte
	touch(room[:])
}

//go:noinline
func touch([]byte) {}
