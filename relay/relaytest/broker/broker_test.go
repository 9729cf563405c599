package broker_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest/broker"
	"mediawiki-websocket/relay/relaytest/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// child is set in the environment of a process that starts a server and is killed.
const child = "BROKER_TEST_CHILD"

// TestServerEndsWithItsTests: also when those are killed, or run out of time, and nobody is left to end it.
func TestServerEndsWithItsTests(t *testing.T) {
	if os.Getenv(child) != "" {
		s := broker.Redis(t, "")
		os.Stdout.WriteString(s.Address + "\n")
		select {} // until it is killed
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsTests$")
	cmd.Env = append(os.Environ(), child+"=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, _, err := bufio.NewReader(out).ReadLine()
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil || len(address) == 0 {
		t.Fatalf("%s %v", address, err)
	}
	for end := time.Now().Add(leak.Patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", string(address))
		if err != nil {
			return
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatalf("a Redis at %s is left behind", address)
		}
	}
}
