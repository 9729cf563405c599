package engine_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire/codec"
)

// killMe names the journal that a process is to write into until it is killed.
const killMe = "ENGINE_TEST_KILL_ME"

// TestKilledProcess has processes publish and killed with SIGKILL: every message that was acknowledged is there, once, in order, and the next process
// takes over at once.
func TestKilledProcess(t *testing.T) {
	if path := os.Getenv(killMe); path != "" {
		publishForEver(t, path)
	}
	o := inFolder(t)
	e := open(t, o)
	e.Declare("a:", "1")
	start := at(e, page, nil).Now
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[uint64]string{}
	for range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
		child.Env = append(os.Environ(), killMe+"="+o.Journal)
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ { // to the end, so also what it says while it is being killed
			var offset uint64
			var text string
			if _, err := fmt.Sscan(lines.Text(), &offset, &text); err != nil {
				t.Fatalf("%q: %v", lines.Text(), err)
			}
			if acknowledged[offset] != "" {
				t.Fatalf("offset %d is given twice", offset)
			}
			acknowledged[offset] = text
			if n == 2000 {
				child.Process.Kill()
			}
		}
		child.Wait()
	}
	e = open(t, o)
	e.Declare("a:", "1")
	var m engine.Missed
	e.At(page, endless, after(start), func(found engine.Missed) { m = found })
	last := uint64(0)
	for _, message := range m.Messages {
		if message.Offset <= last {
			t.Errorf("offset %d after %d", message.Offset, last)
		}
		last = message.Offset
		if want, ok := acknowledged[last]; ok && want != string(message.Msg) {
			t.Errorf("offset %d: %s, was %s", last, message.Msg, want)
		}
		delete(acknowledged, last)
	}
	if !m.All || len(acknowledged) > 0 || len(m.Messages) < 6000 {
		t.Errorf("%d messages, all: %t, %d that were acknowledged are gone", len(m.Messages), m.All, len(acknowledged))
	}
}

var endless = engine.History{Count: 1 << 20, Seconds: 3600}

func publishForEver(t *testing.T, path string) {
	e := open(t, engine.Options{Journal: path})
	e.Declare("a:", "1")
	var publishers sync.WaitGroup
	for p := range 4 {
		publishers.Go(func() {
			for n := 0; ; n++ {
				text := strconv.Itoa(p) + "/" + strconv.Itoa(n)
				m := &engine.Message{Key: page, Keep: endless, Message: codec.Message{Envelope: codec.Envelope{Type: page.Type, Msg: []byte(text)}}}
				if _, err := e.Publish(m, ignore); err != nil {
					fmt.Println(err)
				}
				os.Stdout.WriteString(strconv.FormatUint(m.Offset, 10) + " " + text + "\n") // one write: a line is whole
			}
		})
	}
	publishers.Wait()
}
