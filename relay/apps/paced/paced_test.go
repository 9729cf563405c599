package paced_test

import (
	"testing"

	"mediawiki-websocket/relay/apps/paced"
)

// peer is somebody who takes in what is sent only when the test says so.
type peer struct {
	paced.Queue
	frames, missed int
	bytes          int
	order          []int // items of each frame, -n for n that were missed
}

func newPeer() *peer {
	p := new(peer)
	p.Send = func(data []byte) {
		p.frames++
		p.bytes += len(data)
		p.order = append(p.order, int(data[0]))
	}
	p.Missed = func(n int) {
		p.missed += n
		p.order = append(p.order, -n)
	}
	return p
}

func frame(id byte, size, items int) paced.Frame {
	data := make([]byte, size)
	data[0] = id
	return paced.Frame{Data: data, Items: items}
}

func TestPeerThatTakesEverything(t *testing.T) {
	p := newPeer()
	for i := range 10000 {
		p.Put(frame(1, 30<<10, 100))
		p.Ack(i + 1)
	}
	if p.frames != 10000 || p.missed != 0 {
		t.Errorf("%d frames, %d missed", p.frames, p.missed)
	}
}

// TestSlowPeerFillsTheMemory: it gets what the window holds, then the newest, and is told how many items it has missed.
func TestSlowPeerFillsTheMemory(t *testing.T) {
	p := newPeer()
	const all = 20000
	for range all {
		p.Put(frame(1, 30<<10, 100))
	}
	if p.bytes > 512<<10 {
		t.Errorf("%d bytes are sent that nobody has taken in", p.bytes)
	}
	before := p.frames
	for acked := 0; acked < p.frames; {
		acked = p.frames
		p.Ack(acked)
	}
	if kept := (p.frames - before) * 30 << 10; kept > 8<<20 {
		t.Errorf("%d bytes have waited", kept)
	}
	if p.frames*100+p.missed != all*100 {
		t.Errorf("%d items have come and %d were missed, of %d", p.frames*100, p.missed, all*100)
	}
	if p.order[before] >= 0 {
		t.Error("what was missed is not told in its place")
	}
}

// TestManySmallFramesFillTheMemory: they are bounded by their number, too.
func TestManySmallFramesFillTheMemory(t *testing.T) {
	p := newPeer()
	for range 100_000 {
		p.Put(frame(1, 1, 1))
	}
	if p.frames > 1<<10 {
		t.Errorf("%d frames are sent that nobody has taken in", p.frames)
	}
}

// TestFrameLargerThanTheWindow comes all the same, alone.
func TestFrameLargerThanTheWindow(t *testing.T) {
	p := newPeer()
	p.Put(frame(1, 600<<10, 1))
	p.Put(frame(2, 1, 1))
	if p.frames != 1 {
		t.Errorf("%d frames", p.frames)
	}
	p.Ack(1)
	if p.frames != 2 {
		t.Errorf("%d frames", p.frames)
	}
}

// TestAckOfWhatWasNeverSent opens no window.
func TestAckOfWhatWasNeverSent(t *testing.T) {
	p := newPeer()
	p.Ack(1 << 40)
	p.Ack(-1)
	for range 1000 {
		p.Put(frame(1, 30<<10, 1))
	}
	if p.bytes > 512<<10 {
		t.Errorf("%d bytes are sent that nobody has taken in", p.bytes)
	}
}
