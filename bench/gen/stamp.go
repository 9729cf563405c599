package gen

import (
	"bytes"
	"math/rand/v2"
)

// A stamp stands at the beginning of each payload: a mark, 16 hexadecimal digits of time and 8 of the message's number. The generator finds it in
// whatever a peer wraps around the payload.
var mark = []byte("@@")

const (
	timeDigits   = 16
	numberDigits = 8
	stampBytes   = 2 + timeDigits + numberDigits

	// MinPayload is the size in bytes of the smallest payload.
	MinPayload = stampBytes
	// MaxPayload is the size in bytes of the largest.
	MaxPayload = 64 << 10
)

const hexDigits = "0123456789abcdef"

// filler makes payloads that look like nothing, so that they neither repeat nor need escapes.
var filler = func() []byte {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	r := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, MaxPayload)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return b
}()

// AppendPayload appends a payload of size bytes, from [MinPayload] to [MaxPayload], that is sent at the time at (of [Now]; 0 for a probe) and has that
// number.
func AppendPayload(b []byte, at int64, number uint32, size int) []byte {
	b = append(b, mark...)
	for shift := 4 * (timeDigits - 1); shift >= 0; shift -= 4 {
		b = append(b, hexDigits[at>>shift&15])
	}
	for shift := 4 * (numberDigits - 1); shift >= 0; shift -= 4 {
		b = append(b, hexDigits[number>>shift&15])
	}
	return append(b, filler[stampBytes:size]...)
}

var digitOf = func() (values [256]byte) {
	for i := range hexDigits {
		values[hexDigits[i]] = byte(i)
	}
	return values
}()

// findStamp returns where in b a stamp is, or -1. It looks at hint first, which is where it was the last time.
func findStamp(b []byte, hint int) int {
	if hint+stampBytes <= len(b) && b[hint] == mark[0] && b[hint+1] == mark[1] {
		return hint
	}
	i := bytes.Index(b, mark)
	if i < 0 || i+stampBytes > len(b) {
		return -1
	}
	return i
}

// readStamp reads the stamp at the beginning of b.
func readStamp(b []byte) (at int64, number uint32) {
	for _, d := range b[2 : 2+timeDigits] {
		at = at<<4 | int64(digitOf[d])
	}
	for _, d := range b[2+timeDigits : stampBytes] {
		number = number<<4 | uint32(digitOf[d])
	}
	return at, number
}
