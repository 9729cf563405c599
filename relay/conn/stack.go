package conn

// stackRoom is what a goroutine needs that looks at a handshake or at a token.
const stackRoom = 12 << 10

// MakeRoom lets the stack of a goroutine grow at once, while next to nothing is on it. By and by, in the depth of a JSON decoder, it would be copied
// several times and every frame be found again, which was a sixth of what a connection costs.
//
//go:noinline
func MakeRoom() {
	var room [stackRoom]byte
	touch(&room)
}

//go:noinline
func touch(*[stackRoom]byte) {}
