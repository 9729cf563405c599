package wikitest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mediawiki-websocket/build/dropin"
)

// ProjectRoot returns the folder that holds go.mod.
func ProjectRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside the project")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// up puts up a wiki.
func up(o Options) (*Wiki, error) {
	o = o.withDefaults()
	root, err := ProjectRoot()
	if err != nil {
		return nil, err
	}
	// Not a test's own folder: its long name would not fit into the address of a Unix socket.
	dir, err := publicTempDir("wiki-")
	if err != nil {
		return nil, err
	}
	w := &Wiki{Options: o, Dir: dir, Port: freePorts(1), RelayPort: freePorts(2)}
	scheme := "http"
	if o.TLS {
		scheme = "https"
		w.CertFile, w.KeyFile = filepath.Join(dir, "tls/cert.pem"), filepath.Join(dir, "tls/key.pem")
	}
	w.URL = fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, w.Port, o.ScriptPath)
	args, err := w.upArgs()
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	end := []string{filepath.Join(root, "testbed/wiki-down.sh"), dir, "--rm"}
	if os.Getenv("E2E_KEEP") != "" {
		end = end[:2]
	}
	w.guard, err = newGuard(end...)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	out, err := exec.Command(filepath.Join(root, "testbed/wiki-up.sh"), args...).CombinedOutput()
	if err != nil {
		w.down()
		return nil, fmt.Errorf("wiki-up.sh %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	if err := w.keepSecrets(); err != nil {
		w.down()
		return nil, err
	}
	return w, nil
}

// usual are settings of each wiki that loads the extension: a log of the relay,
// and patience, which keeps a busy machine from losing the message that a test
// waits for: after a relay took longer than this PHP leaves it alone for a
// while.
func (w *Wiki) usual() string {
	return fmt.Sprintf("$wgWebSocketPublishTimeout = 10;\n$wgWebSocketLog = '%s';\n", w.relayLog())
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *string
		value string
	}{{&o.Version, "1.43"}, {&o.Server, "php"}, {&o.Name, "testwiki"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	return o
}

func (w *Wiki) upArgs() ([]string, error) {
	o := w.Options
	args := []string{o.Version, o.Server, strconv.Itoa(w.Port), w.Dir, "--name", o.Name, "--relay-port", strconv.Itoa(w.RelayPort)}
	if o.ScriptPath != "" {
		args = append(args, "--script-path", o.ScriptPath)
	}
	if o.Rewrite != "" {
		args = append(args, "--rewrite", o.Rewrite)
	}
	if o.Workers > 0 {
		args = append(args, "--workers", strconv.Itoa(o.Workers))
	}
	if o.TLS {
		args = append(args, "--tls")
	}
	for _, setting := range o.PHPIni {
		args = append(args, "--ini", setting)
	}
	load := ""
	switch o.Load {
	case "":
		load = "wfLoadExtension( 'WebSocket' );\n"
	case "include":
		load = "include \"$IP/extensions/WebSocket/WebSocket.php\";\n"
	case "none":
	default:
		return nil, fmt.Errorf("unknown Load %q: \"\", \"include\" or \"none\"", o.Load)
	}
	if load != "" {
		load += w.usual()
		folder, err := extension(!o.NoRelayBinary)
		if err != nil {
			return nil, err
		}
		args = append(args, "--ext", folder)
	}
	for _, e := range o.Extensions {
		args = append(args, "--ext", e)
	}
	settings := filepath.Join(w.Dir, "test.php")
	if err := os.WriteFile(settings, []byte("<?php\n"+load+o.Settings+"\n"), 0o644); err != nil {
		return nil, err
	}
	return append(args, "--settings", settings), nil
}

// down stops the wiki and its relay and removes its folder. With E2E_KEEP set
// the folder stays.
func (w *Wiki) down() {
	w.guard.release()
	w.gone.Store(true)
}

// A guard is a process that runs a command when it is told to, and also when
// the test's process ends in any other way: it waits for the end of its input.
type guard struct {
	input io.Closer
	cmd   *exec.Cmd
	once  sync.Once
}

func newGuard(command ...string) (*guard, error) {
	cmd := exec.Command("sh", append([]string{"-c", `cat >/dev/null; exec "$@"`, "guard"}, command...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C ends the test, not the guard
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guard{input: input, cmd: cmd}, nil
}

func (g *guard) release() {
	g.once.Do(func() {
		g.input.Close()
		if err := g.cmd.Wait(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", g.cmd, err)
		}
	})
}

// scratch is a folder for what the whole run needs. Main removes it.
var scratch struct {
	sync.Mutex
	dir   string
	guard *guard
	// extensions are copies of the drop-in folder, with and without the
	// relay, in a place where the web server's user may read them.
	extensions map[bool]string
}

// scratchDir returns a folder of that name; scratch must be locked.
func scratchDir(name string) (string, error) {
	if scratch.dir == "" {
		dir, err := publicTempDir("wikitest-")
		if err != nil {
			return "", err
		}
		// Again after a second, for what a dying browser still writes.
		scratch.guard, err = newGuard("sh", "-c", `rm -rf "$0" 2>/dev/null || { sleep 1; rm -rf "$0"; }`, dir)
		if err != nil {
			return "", err
		}
		scratch.dir = dir
	}
	dir := filepath.Join(scratch.dir, name)
	return dir, os.Mkdir(dir, 0o755)
}

func removeScratch() {
	if scratch.guard != nil {
		scratch.guard.release()
	}
}

func extension(relay bool) (string, error) {
	scratch.Lock()
	defer scratch.Unlock()
	if dir, ok := scratch.extensions[relay]; ok {
		return dir, nil
	}
	root, err := ProjectRoot()
	if err != nil {
		return "", err
	}
	var relays []string
	if relay {
		relays = []string{"websocket-relay"}
	}
	dir, err := scratchDir(fmt.Sprintf("WebSocket-relay-%t", relay))
	if err != nil {
		return "", err
	}
	if err := dropin.Copy(root, dir, relays); err != nil {
		return "", err
	}
	if scratch.extensions == nil {
		scratch.extensions = make(map[bool]string)
	}
	scratch.extensions[relay] = dir
	return dir, nil
}

// publicTempDir makes a temporary folder that every user may enter.
func publicTempDir(prefix string) (string, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// AddWiki puts up a second wiki at URL/path under the same web server, with
// the same extension and relay. It lives as long as the first.
func (w *Wiki) AddWiki(t testing.TB, path, name, settings string) *Wiki {
	t.Helper()
	root, err := ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := extension(!w.Options.NoRelayBinary)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.Dir, name+".php")
	text := "<?php\nwfLoadExtension( 'WebSocket' );\n" + w.usual() + settings + "\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(root, "testbed/wiki-add.sh"), w.Dir, path, name, "--ext", folder, "--settings", file).CombinedOutput()
	if err != nil {
		t.Fatalf("wiki-add.sh: %v\n%s", err, out)
	}
	second := &Wiki{
		Options: w.Options, URL: strings.TrimSuffix(w.URL, w.Options.ScriptPath) + "/" + strings.Trim(path, "/"),
		Dir: w.Dir, Port: w.Port, RelayPort: w.RelayPort, CertFile: w.CertFile, KeyFile: w.KeyFile, guard: w.guard, added: true,
	}
	second.Options.ScriptPath = "/" + strings.Trim(path, "/")
	second.Options.Name, second.Options.Settings = name, settings
	if err := second.keepSecrets(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		second.checkSecrets(t)
		second.gone.Store(true)
	})
	return second
}
