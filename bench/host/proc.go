//go:build linux

// Package host says what this machine is and does: its processors, memory and processes, from /proc.
package host

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

const (
	ticks     = 100 // a second, in /proc (USER_HZ)
	pageBytes = 4096
)

// CoreBusy returns for how many seconds a core was busy.
func CoreBusy(core int) float64 {
	busy, _ := cpuLine("cpu" + strconv.Itoa(core) + " ")
	return busy
}

// Stolen returns for how many seconds the machine below this one has taken its cores away.
func Stolen() float64 {
	_, stolen := cpuLine("cpu ")
	return stolen
}

func cpuLine(prefix string) (busy, stolen float64) {
	b, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); strings.HasPrefix(line, prefix) && len(f) > 8 {
			for _, i := range []int{1, 2, 3, 6, 7} { // all but idle, iowait and steal
				busy += number(f[i]) / ticks
			}
			return busy, number(f[8]) / ticks
		}
	}
	return 0, 0
}

// Slab returns the kernel's memory for its own objects, sockets among them, in bytes.
func Slab() int64 {
	b, _ := os.ReadFile("/proc/meminfo")
	return kilobytes(string(b), "Slab:")
}

// TCPBuffers returns the kernel's memory for what sockets have received or not yet sent, in bytes.
func TCPBuffers() int64 {
	b, _ := os.ReadFile("/proc/net/sockstat")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); strings.HasPrefix(line, "TCP:") {
			return int64(number(f[len(f)-1])) * pageBytes
		}
	}
	return 0
}

// Describe returns the machine in words: cores, processor, kernel.
func Describe() string {
	model := runtime.GOARCH
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strconv.Itoa(Cores()) + " cores, " + model + ", Linux " + strings.TrimSpace(string(release))
}

// RaiseFiles raises the limit of open files as far as it goes and returns it.
func RaiseFiles() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	soft := l.Cur
	l.Cur = l.Max
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return int(soft)
	}
	return int(l.Cur)
}

// statFields returns the fields of a stat file from the state on: the name before it may hold anything.
func statFields(path string) []string {
	b, _ := os.ReadFile(path)
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.Fields(rest)
}

// kilobytes returns the value of a line "name 123 kB" in bytes.
func kilobytes(text, name string) int64 {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			return int64(number(f[1])) * 1024
		}
	}
	return 0
}

func number(s string) float64 {
	n, _ := strconv.ParseFloat(s, 64)
	return n
}
