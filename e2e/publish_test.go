package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// TestSendFromPHP: a web request, a maintenance script and a job reach the page.
func TestSendFromPHP(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{
				Version: version, Server: "nginx", Extensions: []string{fooData(t)}, Settings: `wfLoadExtension( 'FooData' );
$wgRunJobsAsync = false; $wgJobRunRate = 0;
class FooJob extends Job { public function __construct( $title, $params ) { parent::__construct( 'fooJob', $title, $params ); }
	public function run() { WebSocket::send( 'FooDataChanged', [ 'from' => 'job' ] ); return true; } }
$wgJobClasses['fooJob'] = FooJob::class;`,
			})
			tab := connect(t, browser(t), w, "Main_Page")
			settle(t, w, 2)
			w.Edit(t, "From the web", "Text.")
			tab.WaitFor(`fooMessages.includes( 'From the web has been changed' )`)
			script := func(code string) {
				t.Helper()
				file := w.Dir + "/tmp/script.php"
				if err := os.WriteFile(file, []byte("<?php\n"+code), 0o644); err != nil {
					t.Fatal(err)
				}
				w.Maintenance(t, fmt.Sprintf("require %q;\n", file), "eval")
			}
			script(`WebSocket::send( 'FooDataChanged', 'a script' );`)
			tab.WaitFor(`fooMessages.includes( 'a script' )`)
			script(`JobQueueGroup::class; \MediaWiki\MediaWikiServices::getInstance()->getJobQueueGroup()->push( new FooJob( Title::newMainPage(), [] ) );`)
			w.Maintenance(t, "", "runJobs", "--type", "fooJob")
			tab.WaitFor(`fooMessages.some( ( m ) => m.from === 'job' )`)
		})
	}
}

// TestSavesWithoutRelay: with the relay stopped, frozen, or at an address that never answers, a save goes through. How much longer it takes is measured
// by make bench.
func TestSavesWithoutRelay(t *testing.T) {
	t.Parallel()
	t.Run("stopped", func(t *testing.T) {
		w := wikitest.Start(t, wikitest.Options{Server: "php", Settings: "$wgWebSocketAutostart = false;"})
		w.Edit(t, "Saved", "Text.")
	})
	t.Run("frozen", func(t *testing.T) {
		w := wikitest.Start(t, wikitest.Options{Server: "php", Settings: "$wgWebSocketPublishTimeout = 0.1;"})
		w.Get(t, "/index.php/Main_Page")
		pid := w.WaitRelay(t).PID
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
		for i := range 3 {
			w.Edit(t, "Saved", fmt.Sprintf("Text %d.", i))
		}
		if log := w.Log(); !strings.Contains(log, "did not answer within 0.1 s") {
			t.Errorf("the log does not say that the relay took too long:\n%s", log)
		}
	})
	t.Run("black hole", func(t *testing.T) {
		port, open := blackHole(t)
		open()
		w := wikitest.Start(t, wikitest.Options{Server: "php", Settings: fmt.Sprintf("$wgWebSocketPublishTimeout = 0.1; $wgWebSocketRelay = '127.0.0.1:%d';", port)})
		w.Edit(t, "Saved", "Text.")
		if !strings.Contains(w.Log(), fmt.Sprint(port)) {
			t.Errorf("the log does not name the relay that does not answer:\n%s", w.Log())
		}
	})
}

// blackHole returns a port that refuses connections and, once open was called, does not answer them: its queue is full, and nobody accepts.
func blackHole(t testing.TB) (port int, open func()) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port = name.(*syscall.SockaddrInet4).Port
	return port, func() {
		if err := syscall.Listen(fd, 0); err != nil {
			t.Fatal(err)
		}
		for fullQueue(port) == "" {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}
	}
}

// fullQueue returns the kernel's line about a listening port when its queue, of a backlog of 0, is full.
func fullQueue(port int) string {
	table, _ := os.ReadFile("/proc/net/tcp")
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) && fields[3] == "0A" && strings.HasSuffix(fields[4], "00000001") {
			return line
		}
	}
	return ""
}
