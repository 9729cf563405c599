// Package leak finds goroutines that a package's tests leave behind.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// Patience is how long a test waits for what must come; it bounds a failure and measures nothing.
const Patience = 10 * time.Second

// Main is for TestMain: it runs the tests, and ends with 1 when they leave goroutines behind.
func Main(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for end := time.Now().Add(Patience); code == 0 && runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", stacks[:runtime.Stack(stacks, true)])
			code = 1
		}
	}
	os.Exit(code)
}
