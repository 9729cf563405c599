//go:build !linux

package command

import "os"

// Gone returns nil: elsewhere than on Linux the next write finds out.
func Gone(*os.File) func(stop <-chan struct{}) <-chan struct{} { return nil }
