//go:build linux

package host

import (
	"math"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

type cpuSet [16]uint64

// Near is the round trip of [RoundTrip] in nanoseconds below which both cores share a cache.
const Near = 150

// Cores returns how many cores this process could use if it were not pinned.
func Cores() int {
	var was, all cpuSet
	for i := range all {
		all[i] = math.MaxUint64
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	affinity(syscall.SYS_SCHED_GETAFFINITY, &was)
	affinity(syscall.SYS_SCHED_SETAFFINITY, &all)
	all = cpuSet{}
	affinity(syscall.SYS_SCHED_GETAFFINITY, &all)
	affinity(syscall.SYS_SCHED_SETAFFINITY, &was)
	n := 0
	for core := range 64 * len(all) {
		n += int(all[core/64] >> (core % 64) & 1)
	}
	return n
}

// Pinned reports whether this thread runs on that core only.
func Pinned(core int) bool {
	var set cpuSet
	affinity(syscall.SYS_SCHED_GETAFFINITY, &set)
	return set == only(core)
}

// Pin keeps this thread, and those that it starts, on one core.
func Pin(core int) {
	set := only(core)
	affinity(syscall.SYS_SCHED_SETAFFINITY, &set)
}

func only(core int) (set cpuSet) {
	set[core/64] = 1 << (core % 64)
	return set
}

func affinity(call uintptr, set *cpuSet) {
	syscall.RawSyscall(call, 0, unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
}

const (
	rounds  = 3000
	group   = 200       // the best group counts: ticks and switches are left out
	giveUp  = 100000000 // turns of waiting for a thread that never came
	failure = 1e9
)

// RoundTrip measures how long a cache line takes from this core to core 0 and back, in nanoseconds. A virtual machine's host may run its cores under
// one cache or under two, and change that at any time; what goes from the server's core to the generator's costs several times as much then. Each
// measurement carries this number, so that like is compared with like.
func RoundTrip() float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var line struct {
		_    [64]byte
		turn atomic.Uint32
		_    [64]byte
	}
	wait := func(want uint32) bool {
		for n := 0; line.turn.Load() != want; n++ {
			if n > giveUp {
				return false
			}
		}
		return true
	}
	up, done := make(chan struct{}), make(chan struct{})
	go func() { // ends with the last round
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		Pin(0)
		close(up)
		for i := uint32(0); i < rounds && wait(2*i+1); i++ {
			line.turn.Store(2*i + 2)
		}
	}()
	<-up
	best, begin := time.Duration(failure*group), time.Now()
	for i := uint32(0); i < rounds; i++ {
		line.turn.Store(2*i + 1)
		if !wait(2*i + 2) {
			return failure
		}
		if i%group == group-1 {
			best, begin = min(best, time.Since(begin)), time.Now()
		}
	}
	<-done
	return float64(best) / group
}

// Hasten lets this process, and those that it starts, go before others, if it may.
func Hasten() { syscall.Setpriority(syscall.PRIO_PROCESS, 0, -15) }

// ThreadSeconds returns the processor time that the calling thread has used.
func ThreadSeconds() float64 {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	syscall.Getrusage(thread, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
