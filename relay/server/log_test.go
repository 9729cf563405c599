package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Who invents origins to be refused for must not fill the disk, nor hide what else there is to warn of.
func TestInventedOriginsShareALine(t *testing.T) {
	var out bytes.Buffer
	s := sampler{log: slog.New(slog.NewTextHandler(&out, nil))}
	s.warn("full", "no room")
	for i := range 3 * sampleMost {
		s.warn(fmt.Sprint("origin ", i), "forbidden origin")
	}
	s.warn("full", "no room")
	if n := strings.Count(out.String(), "forbidden origin"); n != sampleMost {
		t.Errorf("%d lines for invented origins, want %d", n, sampleMost)
	}
	if n := strings.Count(out.String(), "no room"); n != 1 {
		t.Errorf("%d lines about one thing within a minute", n)
	}
	if len(s.told) > sampleMost+1 {
		t.Errorf("%d things are remembered", len(s.told))
	}
}
