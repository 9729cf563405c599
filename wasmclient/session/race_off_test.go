//go:build !race

package session_test

const herdSize = 10_000
