//go:build !linux

package conn

import "net"

func plainFD(net.Conn) int { return -1 }

func sendNow(int, []byte) (int, error) { return 0, nil }
