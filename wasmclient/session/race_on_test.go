//go:build race

package session_test

// The race detector takes 8,128 goroutines; a browser has two, and one more for each socket.
const herdSize = 1_000
