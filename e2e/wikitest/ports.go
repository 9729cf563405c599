package wikitest

import (
	"fmt"
	"math/rand"
	"net"
	"sync"
)

// Each test process has a block of ports to itself, outside the range that
// the kernel takes for outgoing connections. A block belongs to who holds the
// abstract Unix socket of its name, which the kernel frees with the process.
const (
	firstPort = 20000
	blockSize = 100
	blocks    = 100
)

var ports struct {
	sync.Mutex
	lock net.Listener
	base int
	next int
}

// freePorts returns the first of n free ports in a row.
func freePorts(n int) int {
	ports.Lock()
	defer ports.Unlock()
	if ports.lock == nil {
		takeBlock()
	}
	for range blockSize {
		if ports.next+n > blockSize {
			ports.next = 0
		}
		first := ports.base + ports.next
		ports.next += n
		if allFree(first, n) {
			return first
		}
	}
	panic(fmt.Sprintf("no free ports from %d on", ports.base))
}

func takeBlock() {
	for _, block := range rand.Perm(blocks) {
		lock, err := net.Listen("unix", fmt.Sprintf("@wikitest-ports-%d", block))
		if err == nil {
			ports.lock, ports.base = lock, firstPort+block*blockSize
			return
		}
	}
	panic("all blocks of ports are taken")
}

func allFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
