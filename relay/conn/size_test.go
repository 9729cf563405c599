package conn

import (
	"testing"
	"unsafe"
)

// Most connections of a relay say nothing most of the time. The memory that one takes is this, rounded up to what the allocator gives.
func TestIdleConnectionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); size > 576 {
		t.Errorf("a connection takes %d bytes, more than 576", size)
	}
}
