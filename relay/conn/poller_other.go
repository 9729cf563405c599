//go:build !linux

package conn

import "errors"

// poller is for Linux. Elsewhere every connection keeps a goroutine.
type poller struct{}

func openPoller(func(*Conn, bool), func()) (*poller, error) { return nil, errors.ErrUnsupported }

func (*poller) close()                 {}
func (*poller) poll(func(*Conn, bool)) {}
func (*poller) watch(*Conn) error      { return errors.ErrUnsupported }
func (*poller) forget(*Conn)           {}
