package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/relay/relaytest"
)

// shelled is a relay with the wiki a:, private, and a shell that finds the program as $W, in a folder with its configuration and control socket.
type shelled struct {
	dir, address string
}

const shellKey = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="

func withShell(t *testing.T, wikis string) *shelled {
	t.Helper()
	s := &shelled{t.TempDir(), freePort(t)}
	s.file(t, "config.json", `{"control":"`+s.dir+`/control.sock","drainSeconds":0.01,"wikis":{`+wikis+`}}`)
	daemon(t, s.dir, s.address, "--config", filepath.Join(s.dir, "config.json"))
	return s
}

const wikiA = `"a:":{"key":"` + shellKey + `","origins":["https://a.example"],"private":true,"types":[
	{"pattern":"a:Chat","send":"user","read":"right:chat","history":{"count":10,"seconds":3600}},{"pattern":"a:Secret","token":true},{"pattern":"a:Users","send":"user","read":"user"}]}`

func (s *shelled) file(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command returns a shell that is to run a script.
func (s *shelled) command(script string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", "set -o pipefail; "+script)
	cmd.Dir = s.dir
	cmd.Env = []string{"W=" + program, "URL=ws://" + s.address + "/", "PATH=" + os.Getenv("PATH")}
	return cmd
}

// run runs a script to its end.
func (s *shelled) run(t *testing.T, script string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := s.command(script)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Start(); e != nil {
		t.Fatal(e)
	}
	late := time.AfterFunc(2*relaytest.Patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	cmd.Wait()
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

// good runs a script that must succeed, and returns what it prints.
func (s *shelled) good(t *testing.T, script string) string {
	t.Helper()
	code, out, text := s.run(t, script)
	if code != 0 || text != "" {
		t.Fatalf("%s: exit %d, %s%s", script, code, out, text)
	}
	return out
}

// listening is a script in the background that contains "listen --verbose".
type listening struct {
	*exec.Cmd
	out  *bufio.Reader
	says *bufio.Reader // standard error
}

// listen starts a script and returns when it listens.
func (s *shelled) listen(t *testing.T, script string) *listening {
	t.Helper()
	l := &listening{Cmd: s.command(script)}
	out, err := l.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	says, err := l.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(2*relaytest.Patience, func() { l.Process.Kill() })
	t.Cleanup(func() { late.Stop() })
	l.out, l.says = bufio.NewReader(out), bufio.NewReader(says)
	if line, _ := l.says.ReadString('\n'); !strings.Contains(line, "listening to ") {
		rest, _ := io.ReadAll(l.says)
		t.Fatalf("%s: %s%s", script, line, rest)
	}
	return l
}

// line returns the next message.
func (l *listening) line(t *testing.T) (m struct {
	Type, Epoch string
	Msg         json.RawMessage
	User        string
	Wiki        bool
	Offset      int
}) {
	t.Helper()
	text, err := l.out.ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(text), &m)
	}
	if err != nil {
		t.Fatalf("%q %v", text, err)
	}
	return m
}

// end waits for the end and returns the exit code and what else was said.
func (l *listening) end(t *testing.T) (code int, says string) {
	t.Helper()
	text, _ := io.ReadAll(l.says)
	l.Wait()
	return l.ProcessState.ExitCode(), string(text)
}

func TestMessagesThroughPipes(t *testing.T) {
	s := withShell(t, wikiA)
	l := s.listen(t, `exec $W listen a:Chat a:Secret a:Users --config config.json --count 7 --verbose`)
	s.good(t, `$W send a:Chat 'a text with "quotes"' --config config.json`)
	s.good(t, `echo '{"n": 12345678901234567890, "html": "<b>&"}' | $W send --json a:Secret --control control.sock -`)
	s.good(t, `printf 'two\nlines\n' | $W send a:Users - --config config.json`)
	s.good(t, `printf '1\n[2]\n"3"' | $W send a:Chat - --json --lines --config config.json`)
	s.good(t, `$W send --config config.json -- a:Chat --json`)
	for _, want := range []string{`"a text with \"quotes\""`, `{"n":12345678901234567890,"html":"<b>&"}`, `"two\nlines"`, `1`, `[2]`, `"3"`, `"--json"`} {
		if m := l.line(t); string(m.Msg) != want || !m.Wiki || m.Offset == 0 || m.Epoch == "" {
			t.Errorf("%+v, want %s", m, want)
		}
	}
	if code, says := l.end(t); code != 0 || says != "" {
		t.Errorf("exit %d, %s", code, says)
	}
}

func TestListenEnds(t *testing.T) {
	s := withShell(t, wikiA)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		l := s.listen(t, `exec $W listen a:Chat --config config.json --verbose`)
		l.Process.Signal(signal)
		if code, says := l.end(t); code != 0 || says != "" {
			t.Errorf("%s: exit %d, %s", signal, code, says)
		}
	}
	// No further message comes after the one that head has taken.
	l := s.listen(t, `$W listen a:Chat --config config.json --verbose | head -1`)
	s.good(t, `$W send a:Chat first --config config.json`)
	if m := l.line(t); string(m.Msg) != `"first"` {
		t.Errorf("%+v", m)
	}
	if code, says := l.end(t); code != 0 || says != "" {
		t.Errorf("head: exit %d, %s", code, says)
	}
	if code, out, text := s.run(t, `$W listen a:Users --config config.json --timeout 50ms`); code != 0 || out+text != "" {
		t.Errorf("--timeout: exit %d, %s%s", code, out, text)
	}
	if code, _, text := s.run(t, `$W listen a:Users --config config.json --timeout 50ms --count 2`); code != 1 || !strings.Contains(text, "2 more messages") {
		t.Errorf("--count: exit %d, %s", code, text)
	}
}

func TestListenFromOutside(t *testing.T) {
	s := withShell(t, wikiA)
	s.file(t, "token", s.good(t, `$W token --config config.json --user Ann --rights chat`))
	l := s.listen(t, `exec $W listen a:Chat --url $URL --token-file token --verbose`)
	s.good(t, `WEBSOCKET_TOKEN=$($W token --control control.sock --user Bob --life 60s) $W send a:Chat hello --url $URL`)
	m := l.line(t)
	if m.User != "Bob" || m.Wiki || string(m.Msg) != `"hello"` {
		t.Errorf("%+v", m)
	}
	s.good(t, `$W send a:Chat later --config config.json`)
	again := l.line(t)
	l.Process.Signal(syscall.SIGINT)
	l.end(t)
	text := s.good(t, `$W listen a:Chat --url $URL --token-file token --count 1 --since `+m.Epoch+`:`+jsonText(m.Offset))
	if !strings.Contains(text, `"offset":`+jsonText(again.Offset)) {
		t.Errorf("since %d: %s", m.Offset, text)
	}
	if code, _, text := s.run(t, `$W listen a:Chat --url $URL --since other:1 --token-file token --timeout 1s`); code != 0 || !strings.Contains(text, "may have been missed") {
		t.Errorf("exit %d, %s", code, text)
	}
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestListenSurvivesTheRelay(t *testing.T) {
	s := withShell(t, wikiA)
	l := s.listen(t, `exec $W listen a:Chat a:Users --config config.json --verbose`)
	s.good(t, `$W send a:Chat 1 --json --config config.json`)
	l.line(t)
	syscall.Kill(pidIn(t, s.dir), syscall.SIGKILL)
	if line, _ := l.says.ReadString('\n'); !strings.Contains(line, "connection lost") {
		t.Error(line)
	}
	daemon(t, s.dir, s.address, "--config", filepath.Join(s.dir, "config.json"))
	s.good(t, `$W send a:Chat 2 --json --config config.json`)
	if m := l.line(t); string(m.Msg) != "2" {
		t.Errorf("%+v", m)
	}
	said := ""
	for err := error(nil); err == nil && !strings.Contains(said, "messages of a:Users may have been missed"); {
		var line string
		line, err = l.says.ReadString('\n')
		said += line
	}
	l.Process.Signal(syscall.SIGINT)
	if code, says := l.end(t); code != 0 || !strings.Contains(said, "messages of a:Users may have been missed") || strings.Contains(said+says, "messages of a:Chat") {
		t.Errorf("exit %d, %s%s", code, said, says)
	}
}

func TestStatsAndTokens(t *testing.T) {
	s := withShell(t, wikiA+`,"b:":{"key":"`+base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))+`"}`)
	s.good(t, `$W send a:Chat x --config config.json`)
	table := s.good(t, `RUNTIME_DIRECTORY=$PWD $W stats`)
	for _, want := range []string{"published    1\n", "connections  0\n", "a:    0            0        private\n", "b:    0            0"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	var stats struct {
		Published int
		Wikis     map[string]any
	}
	text := s.good(t, `$W stats --json --control control.sock`)
	if err := json.Unmarshal([]byte(text), &stats); err != nil || stats.Published != 1 || len(stats.Wikis) != 2 || strings.Count(text, "\n") != 1 {
		t.Errorf("%s %v", text, err)
	}
	s.file(t, "key", shellKey+"\n")
	for _, from := range []string{"--config config.json", "--control control.sock", "--key-file key"} {
		if code := s.good(t, `curl -s -o /dev/null -w '%{http_code}' http://`+s.address+`/api/publish -H 'Content-Type: application/json' -d '{"messages":[{"type":"a:T","msg":1}]}' \
			-H "Authorization: Bearer $($W token --for publish --wiki a: `+from+`)"`); code != "200" {
			t.Errorf("a publish token by %s: %s", from, code)
		}
	}
	if text := s.good(t, `$W token --for subscribe --type a:Secret --control control.sock`); strings.Count(text, ".") != 2 {
		t.Error(text)
	}
}

// What is typed wrong is answered with 2, in one line that says what to do; nothing shows the key.
func TestWrongCommands(t *testing.T) {
	s := withShell(t, wikiA+`,"b:":{"key":"`+base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))+`"}`)
	s.file(t, "key", shellKey)
	s.file(t, "open", shellKey)
	os.Chmod(filepath.Join(s.dir, "open"), 0o644)
	s.file(t, "short", shellKey[:20])
	s.file(t, "empty", "")
	for script, want := range map[string]struct {
		code int
		says string
	}{
		`$W send`:                                        {2, "TYPE MSG"},
		`$W send a:Chat`:                                 {2, "TYPE MSG"},
		`$W send a b c --config config.json`:             {2, "3 arguments"},
		`$W send a:Chat x`:                               {2, "--control PATH"},
		`$W send a:Chat -x --config config.json`:         {2, "--help"},
		`$W send a:Chat '{' --json --config config.json`: {2, "not JSON"},
		`$W send a:Chat x --lines --config config.json`:  {2, "--lines"},
		`printf '1\n{\n' | $W send a:Chat - --json --lines --config config.json`: {2, "line 2"},
		`$W send '' x --config config.json`:                                      {2, "TYPE"},
		`$W send Plain x --config config.json`:                                   {2, "one of: a: b:"},
		`$W send Plain x --wiki c: --config config.json`:                         {2, "--wiki c: is not registered"},
		`$W send a:Chat x --wiki b: --config config.json`:                        {1, "belongs to another wiki"},
		`$W send a:Chat x --control none.sock`:                                   {1, "is the relay running"},
		`$W send a:Chat x --control config.json`:                                 {1, "config.json"},
		`$W send a:Chat x --url $URL`:                                            {1, "private wiki"},
		`WEBSOCKET_TOKEN=x $W send a:Chat x --url $URL`:                          {1, "malformed"},
		`$W send a:Chat x --url ws://127.0.0.1:1/`:                               {1, "refused"},
		`$W send a:Chat x --url 127.0.0.1:1`:                                     {2, "ws://HOST:1729/"},
		`$W send a:Chat x --url $URL --control control.sock`:                     {2, "one of them"},
		`$W send a:Chat x --token-file token --config config.json`:               {2, "--url"},
		`$W send a:Chat x --token-file none --url $URL`:                          {2, "none"},
		`$W send a:Chat x --token-file empty --url $URL`:                         {2, "no token"},
		`head -c 1048577 /dev/zero | $W send a:Chat - --config config.json`:      {2, "more than a message"},
		`head -c 1000000 /dev/zero | $W send a:Chat - --config config.json`:      {1, "the relay refuses"},
		`$W listen`: {2, "TYPE..."},
		`$W listen a:Chat b:Chat --config config.json`:                                           {2, "two wikis"},
		`$W listen a:Chat --since yesterday --config config.json`:                                {2, "--since yesterday"},
		`$W listen a:Chat --count -1 --config config.json`:                                       {2, "--count"},
		`$W listen a:Chat --url $URL`:                                                            {1, "private wiki"},
		`WEBSOCKET_TOKEN=$($W token --wiki a: --config config.json) $W listen a:Chat --url $URL`: {1, "a:Chat: the relay refuses"},
		`$W stats x --config config.json`:                                                        {2, "1 arguments"},
		`$W stats`:                                                                               {2, "where is the relay"},
		`$W stats --config none`:                                                                 {2, "none"},
		`$W token`:                                                                               {2, "--key-file"},
		`$W token --config config.json`:                                                          {2, "one of: a: b:"},
		`$W token --config config.json --wiki c:`:                                                {2, "--wiki c:"},
		`$W token --config config.json --wiki a: --for root`:                                     {2, "root"},
		`$W token --config config.json --wiki a: --life 49h`:                                     {2, "172800 seconds"},
		`$W token --key-file key`:                                                                {2, "--wiki"},
		`$W token --key-file open --wiki a:`:                                                     {2, "everybody can read"},
		`$W token --key-file short --wiki a:`:                                                    {2, "32 bytes"},
		`$W token --key-file none --wiki a:`:                                                     {2, "none"},
		`$W sned a:Chat x`:                                                                       {2, `"sned" is neither a flag nor a command`},
	} {
		code, out, text := s.run(t, script)
		if code != want.code || out != "" || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "websocket-relay: ") || !strings.Contains(text, want.says) {
			t.Errorf("%s: exit %d, %q%q, want %d and %q", script, code, out, text, want.code, want.says)
		}
		if strings.Contains(text, shellKey[:20]) {
			t.Errorf("%s shows the key", script)
		}
	}
}

func TestHelpOfCommands(t *testing.T) {
	s := withShell(t, wikiA)
	for _, name := range []string{"send", "listen", "stats", "token"} {
		if out := s.good(t, `$W `+name+` --help`); !strings.HasPrefix(out, "Usage: websocket-relay "+name) || !strings.Contains(out, "Example") {
			t.Errorf("%s --help: %s", name, out)
		}
		if out := s.good(t, `$W --help`); !strings.Contains(out, name) {
			t.Errorf("--help does not name %s", name)
		}
	}
}

// A relay that serves everybody has no wikis: then whoever can open the control socket is a visitor.
func TestCommandsWithoutAWiki(t *testing.T) {
	s := &shelled{t.TempDir(), freePort(t)}
	daemon(t, s.dir, s.address, "--open")
	l := s.listen(t, `exec $W listen News --control control.sock --count 2 --verbose`)
	s.good(t, `$W send News 1 --json --control control.sock && $W send News 2 --json --url $URL`)
	for _, want := range []string{"1", "2"} {
		if m := l.line(t); string(m.Msg) != want || m.Wiki {
			t.Errorf("%+v, want %s", m, want)
		}
	}
	if code, says := l.end(t); code != 0 || says != "" {
		t.Errorf("exit %d, %s", code, says)
	}
}
