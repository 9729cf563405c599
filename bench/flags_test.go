//go:build linux

package main

import (
	"slices"
	"testing"
	"time"
)

func TestQuickLeavesWhatWasSaid(t *testing.T) {
	s, err := parse([]string{"-quick", "-runs", "2"})
	if err != nil || s.runs != 2 || s.idle != 15*time.Second || !slices.Equal(s.numbers, []int{100, 1000}) {
		t.Errorf("%+v %v", s, err)
	}
	s, err = parse([]string{"-n", "7", "-peer", "relay,climit", "-scenario", "rooms"})
	if err != nil || s.runs != 3 || !slices.Equal(s.numbers, []int{7}) || !slices.Equal(s.peers, []string{"relay", "climit"}) ||
		!slices.Equal(s.scenarios, []string{"rooms"}) {
		t.Errorf("%+v %v", s, err)
	}
	for _, bad := range [][]string{{"-n", "x"}, {"-scenario", "nothing"}, {"rest"}, {"-runs", "many"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
