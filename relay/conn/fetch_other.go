//go:build !linux

package conn

import (
	"errors"
	"syscall"
)

var errAgain = errors.ErrUnsupported

// fetcher is for Linux.
type fetcher struct{ raw syscall.RawConn }

func (*fetcher) init()                   {}
func (*fetcher) of(*socket) error        { return nil }
func (*fetcher) now([]byte) (int, error) { return 0, errAgain }
