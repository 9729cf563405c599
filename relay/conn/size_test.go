package conn

import (
	"testing"
	"unsafe"
)

// Most connections of a relay say nothing most of the time. The memory that one takes is this, rounded up to what the allocator gives: 576 bytes, of which
// eight are its own in objects of more than 512 that hold pointers (Go 1.22), and then 640.
func TestIdleConnectionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); size > 568 {
		t.Errorf("a connection takes %d bytes, more than 568", size)
	}
}
