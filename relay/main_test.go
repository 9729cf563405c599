package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
)

// program is the built relay.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "websocket-relay-test")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "websocket-relay")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the relay: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// run runs the relay, with an empty environment as a web server may give it, until it ends.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*relaytest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{}
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); e != nil && !errors.As(e, new(*exec.ExitError)) {
		t.Fatal(e)
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

var lastPort = 22900

// freePort returns an address whose port is free and is not one that the kernel gives to outgoing connections.
func freePort(t *testing.T) string {
	t.Helper()
	for lastPort < 23900 {
		lastPort++
		address := fmt.Sprintf("127.0.0.1:%d", lastPort)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// daemon starts a relay in the background, which the test's end ends, and returns its pid.
func daemon(t *testing.T, dir, address string, args ...string) int {
	t.Helper()
	args = append([]string{"--daemon", "--listen", address, "--control", filepath.Join(dir, "control.sock"), "--log", filepath.Join(dir, "log")}, args...)
	if code, out, stderr := run(t, args...); code != 0 || out+stderr != "" {
		t.Fatalf("%d %s%s", code, out, stderr)
	}
	pid := pidIn(t, dir)
	t.Cleanup(func() { end(t, pid) })
	return pid
}

func pidIn(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "relay.lock"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// end ends the process and waits until it is gone.
func end(t *testing.T, pid int) {
	t.Helper()
	syscall.Kill(pid, syscall.SIGTERM)
	await(t, "end of the relay", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(relaytest.Patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nobody could connect": {nil, "--control"},
		"unknown flag":         {[]string{"--lisen", "x"}, "lisen"},
		"argument":             {[]string{"--open", "x"}, `"x"`},
		"no port":              {[]string{"--open", "--listen", "127.0.0.1"}, "HOST:PORT"},
		"port 65536":           {[]string{"--open", "--listen", "127.0.0.1:65536"}, "65535"},
		"foreign address":      {[]string{"--open", "--listen", "192.0.2.1:1729"}, "192.0.2.1:1729"},
		"half a certificate":   {[]string{"--open", "--tls-cert", "x"}, "--tls-key"},
		"no certificate":       {[]string{"--open", "--tls-cert", dir + "/none", "--tls-key", dir + "/none"}, "/none"},
		"bad certificate":      {[]string{"--open", "--listen", freePort(t), "--tls-cert", file("c", "x"), "--tls-key", file("k", "x")}, "certificate"},
		"long socket path":     {[]string{"--control", "/" + strings.Repeat("x", 107)}, "107"},
		"no folder for log":    {[]string{"--open", "--log", dir + "/none/log"}, "/none/log"},
		"no file":              {[]string{"--config", dir + "/none"}, "/none"},
		"not JSON":             {[]string{"--config", file("1", "{")}, "JSON"},
		"unknown key":          {[]string{"--config", file("2", `{"Listen":"x"}`)}, `unknown key "Listen"`},
		"number":               {[]string{"--config", file("3", `{"types":"5"}`)}, `"types"`},
		"zero":                 {[]string{"--config", file("4", `{"frameBytes":0}`)}, `"frameBytes"`},
		"time":                 {[]string{"--config", file("5", `{"pingSeconds":-1}`)}, `"pingSeconds"`},
		"wiki id":              {[]string{"--config", file("6", `{"wikis":{"my:db:":{}}}`)}, "my:db:"},
		"origin":               {[]string{"--config", file("7", `{"wikis":{"a:":{"key":"`+strings.Repeat("A", 43)+`=","origins":["https://w/x"]}}}`)}, "write https://w"},
		"daemon, no folder":    {[]string{"--daemon", "--open", "--listen", freePort(t), "--log", dir + "/none/log"}, "/none/log"},
	} {
		code, out, text := run(t, c.args...)
		if code != 2 || out != "" || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "websocket-relay: ") || !strings.Contains(text, c.says) {
			t.Errorf("%s: exit %d, %s%s, want 2 and %q", name, code, out, text, c.says)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	code, out, text := run(t, "--help")
	for _, flag := range []string{"--listen", "--tls-cert", "--tls-key", "--control", "--config", "--log", "--open", "--daemon", "--version", "--state", "Example"} {
		if !strings.Contains(out, flag) {
			t.Errorf("--help does not tell of %s", flag)
		}
	}
	if code != 0 || text != "" {
		t.Errorf("exit %d, %s", code, text)
	}
	if code, out, _ := run(t, "--version"); code != 0 || !strings.HasPrefix(out, "websocket-relay ") {
		t.Errorf("exit %d, %s", code, out)
	}
}

func TestDaemon(t *testing.T) {
	dir, address := t.TempDir(), freePort(t)
	pid := daemon(t, dir, address)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("it does not listen when its start has returned: %v", err)
	}
	c.Close()
	if sid, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, uintptr(pid), 0, 0); errno != 0 || int(sid) != pid {
		t.Errorf("session %d of %d: %v", sid, pid, errno)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); cwd != "/" {
		t.Errorf("works in %s: %v", cwd, err)
	}
	code, _, text := run(t, "--listen", address, "--control", filepath.Join(dir, "control.sock"), "--daemon")
	if code != 3 || !strings.Contains(text, fmt.Sprintf("(pid %d)", pid)) {
		t.Errorf("second: exit %d, %s", code, text)
	}
	code, _, text = run(t, "--listen", address, "--open", "--daemon")
	if code != 3 || !strings.Contains(text, "another relay") {
		t.Errorf("same port: exit %d, %s", code, text)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	await(t, "end", func() bool { _, err := net.Dial("tcp", address); return err != nil })
	if again := daemon(t, dir, address); again == pid {
		t.Error("the killed relay lives")
	}
}

// A web server's listening socket must not live on in the relay, or the server could not start again.
func TestDaemonInheritsNothing(t *testing.T) {
	dir, address := t.TempDir(), freePort(t)
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := held.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--daemon", "--listen", address, "--control", filepath.Join(dir, "control.sock"))
	cmd.Env, cmd.ExtraFiles = []string{}, []*os.File{file, file, file}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := pidIn(t, dir)
	defer end(t, pid)
	file.Close()
	held.Close()
	if l, err := net.Listen("tcp", held.Addr().String()); err != nil {
		t.Errorf("the relay holds a socket of the program that started it: %v", err)
	} else {
		l.Close()
	}
	for fd := range 3 {
		if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); target != "/dev/null" {
			t.Errorf("descriptor %d is %s %v", fd, target, err)
		}
	}
}

func TestTwoStartedAtOnce(t *testing.T) {
	for range 5 {
		dir, address := t.TempDir(), freePort(t)
		type result struct {
			code int
			text string
		}
		results := make(chan result)
		const n = 4
		for range n {
			go func() {
				cmd := exec.Command(program, "--daemon", "--listen", address, "--control", filepath.Join(dir, "control.sock"))
				cmd.Env = []string{}
				var text bytes.Buffer
				cmd.Stderr = &text
				cmd.Run()
				results <- result{cmd.ProcessState.ExitCode(), text.String()}
			}()
		}
		lives := 0
		for range n {
			switch r := <-results; {
			case r.code == 0:
				lives++
			case r.code != 3 || !strings.Contains(r.text, "a relay (pid "):
				t.Errorf("exit %d, %s", r.code, r.text)
			}
		}
		if lives != 1 {
			t.Errorf("%d relays live, want 1", lives)
		}
		end(t, pidIn(t, dir))
	}
}

func TestLogIsReopened(t *testing.T) {
	dir, address := t.TempDir(), freePort(t)
	pid := daemon(t, dir, address)
	log := filepath.Join(dir, "log")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(pid, syscall.SIGHUP)
	await(t, "new log", func() bool { _, err := os.Stat(log); return err == nil })
	if info, _ := os.Stat(log); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	end(t, pid)
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), "relay ended") {
		t.Errorf("%s %v", text, err)
	}
}

func TestConfigurationFileAndFlags(t *testing.T) {
	dir, address := t.TempDir(), freePort(t)
	config := filepath.Join(dir, "config.json")
	key := "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="
	os.WriteFile(config, []byte(`{"listen":"192.0.2.1:1","control":"`+dir+`/control.sock","log":"`+dir+`/log","drainSeconds":0.01,"types":1,
		"wikis":{"my:":{"key":"`+key+`","origins":["https://w.example"]}}}`), 0o600)
	cmd := exec.Command(program, "--daemon", "--config", "config.json", "--listen", address)
	cmd.Env, cmd.Dir = []string{}, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	pid := pidIn(t, dir)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "control.sock"))
	}}}
	answer, err := client.Get("http://relay/api/stats")
	if err != nil {
		t.Fatal(err)
	}
	stats, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if !strings.Contains(string(stats), `"my:":{`) {
		t.Errorf("%s", stats)
	}
	arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	environment, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	end(t, pid)
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	for _, text := range [][]byte{arguments, environment, log, stats} {
		if bytes.Contains(text, []byte(key)) || bytes.Contains(text, []byte("secretsecret")) {
			t.Errorf("the key is to be seen: %s", text)
		}
	}
}
