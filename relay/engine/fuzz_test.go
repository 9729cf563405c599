package engine_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"runtime"
	"testing"
	"time"

	"mediawiki-websocket/relay/engine"
)

// FuzzJournal opens any file: it must end, take no more memory than the file gives reason to, and leave a journal that works. So that the fuzzer gets beyond
// the sums, they are made good when it asks for that.
func FuzzJournal(f *testing.F) {
	content, _ := written(f, inFolder(f), true)
	e := open(f, inFolder(f))
	f.Add(content, false)
	f.Add(content, true)
	f.Add(content[:len(content)-7], true)
	f.Add(content[:40], false)
	e.Close()
	f.Fuzz(func(t *testing.T, content []byte, mend bool) {
		if content = bytes.Clone(content); mend {
			mendSums(content)
		}
		o, clock := withClock(leave(t, content))
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		e, err := engine.Open(o)
		runtime.ReadMemStats(&now)
		if took := now.TotalAlloc - before.TotalAlloc; took > 4<<20+uint64(64*len(content)) {
			t.Fatalf("%d bytes of memory for a file of %d", took, len(content))
		}
		if err != nil {
			if left, _ := os.ReadFile(o.Journal); !bytes.Equal(left, content) {
				t.Error("the file was refused, and changed")
			}
			return
		}
		at(e, page, after(at(e, page, nil).Now))
		e.Declare("a:", "fuzz")
		clock.Advance(time.Minute) // until that has settled
		publish(t, e, page, "x", keep)
		if err := e.Rewrite(); err != nil {
			t.Fatal(err)
		}
		now1 := at(e, page, nil).Now
		publish(t, e, page, "y", keep)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if e, err = engine.Open(o); err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		e.Declare("a:", "fuzz")
		if m := at(e, page, after(now1)); !m.All || len(m.Messages) != 1 || string(m.Messages[0].Msg) != "y" {
			t.Errorf("%+v", m)
		}
	})
}

// mendSums makes the sums of all records good.
func mendSums(content []byte) {
	table := crc32.MakeTable(crc32.Castagnoli)
	rest := content[min(bytes.IndexByte(content, '\n')+1, len(content)):]
	for len(rest) >= 13 {
		size := int(min(binary.LittleEndian.Uint32(rest), uint32(len(rest)-13)))
		binary.LittleEndian.PutUint32(rest, uint32(size))
		binary.LittleEndian.PutUint32(rest[5:], crc32.Checksum(rest[:5], table))
		binary.LittleEndian.PutUint32(rest[9:], crc32.Checksum(rest[13:13+size], table))
		rest = rest[13+size:]
	}
}
