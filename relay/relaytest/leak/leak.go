// Package leak finds goroutines that a package's tests leave behind.
package leak

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

// Patience is how long a test waits for what must come; it bounds a failure and measures nothing.
const Patience = 10 * time.Second

// Main is for TestMain: it runs the tests, and ends with 1 when they leave goroutines behind. While fuzzing it does not look: the fuzzer has its own.
func Main(m interface{ Run() int }) {
	before := runtime.NumGoroutine()
	code := m.Run()
	if fuzz := flag.Lookup("test.fuzz"); fuzz != nil && fuzz.Value.String() != "" {
		os.Exit(code)
	}
	for end := time.Now().Add(Patience); code == 0 && runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", stacks[:runtime.Stack(stacks, true)])
			code = 1
		}
	}
	os.Exit(code)
}
