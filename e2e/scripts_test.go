package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// script is a program of testdata/scripts and the language's own program that runs it, by its path where another of that name may come first.
type script struct{ program, file string }

var (
	perl   = script{"/usr/bin/perl", "foo.pl"}
	php    = script{"/usr/bin/php", "foo.php"}
	python = script{"/usr/bin/python3", "foo.py"}
	node   = script{"node", "foo.js"}
	curl   = script{"/bin/sh", "foo.sh"}
)

// languages are those whose scripts open a WebSocket.
var languages = map[string]script{"Perl": perl, "PHP": php, "Python": python, "Node": node}

// What the scripts and the page say: text of all sorts, and 60 KiB of it, which takes some more in the JSON of those that escape what is not ASCII.
var (
	fooText = `Foo's "data" has changed: Größe 5 µm, 数据, 🎉, \ and </script>`
	fooLong = strings.Repeat("ä"+strings.Repeat("0123456789", 11)+"12345678", 512)
)

// scriptTime is how long a script may take that does not stay.
const scriptTime = 60 * time.Second

// publishKey is the wiki's key of the tests, which the wiki has in its settings and curl in a file.
var publishKey = base64.StdEncoding.EncodeToString([]byte("the key of the wiki for scripts!"))

// command returns the command that runs the script. Debian's Node finds Debian's modules by itself; others are told where they are.
func (s script) command(ctx context.Context, environment []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, append([]string{"testdata/scripts/" + s.file}, args...)...)
	cmd.Env = slices.Concat(os.Environ(), []string{"NODE_PATH=/usr/share/nodejs"}, environment)
	return cmd
}

// environment has the wiki's relay among the programs, and the wiki's certificate, if there is one, among those that the languages trust.
func environment(w *wikitest.Wiki) []string {
	vars := []string{"PATH=" + filepath.Join(w.Root(), "extensions/WebSocket/bin") + ":" + os.Getenv("PATH")}
	for _, name := range []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"} {
		if w.Options.TLS {
			vars = append(vars, name+"="+w.CertFile)
		}
	}
	return vars
}

// run runs a script to its end, with a token if there is one, and returns what it printed.
func (s script) run(t *testing.T, w *wikitest.Wiki, token string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTime)
	defer cancel()
	cmd := s.command(ctx, append(environment(w), "WEBSOCKET_TOKEN="+token), args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", s.file, err, out)
	}
	return string(out)
}

// running is a script that stays.
type running struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all that it printed is here

	mu    sync.Mutex
	lines []string
}

// start starts a script that stays until it is killed, at the latest when the test ends.
func (s script) start(t *testing.T, environment []string, args ...string) *running {
	t.Helper()
	r := &running{cmd: s.command(context.Background(), environment, args...), done: make(chan struct{})}
	var said strings.Builder
	r.cmd.Stderr = &said
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		t.Fatalf("start %s: %v", s.file, err)
	}
	go r.read(out) // until the script ends
	t.Cleanup(func() {
		r.kill()
		if said.Len() != 0 {
			t.Errorf("%s: %s", s.file, &said)
		}
	})
	return r
}

func (r *running) read(out io.Reader) {
	defer close(r.done)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		r.mu.Lock()
		r.lines = append(r.lines, line)
		r.mu.Unlock()
	}
}

// kill ends the script at once, without a chance to say goodbye to the relay.
func (r *running) kill() {
	r.cmd.Process.Kill() // an error: it has ended
	<-r.done
	r.cmd.Wait()
}

// wait waits until the script has printed so many lines, and returns all of them.
func (r *running) wait(t *testing.T, n int) []string {
	t.Helper()
	var lines []string
	wikitest.Eventually(t, fmt.Sprintf("%d messages for %s", n, r.cmd.Args[1]), func() bool {
		select {
		case <-r.done:
			t.Fatalf("%s has ended", r.cmd.Args[1])
		default:
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		lines = slices.Clone(r.lines)
		return len(lines) >= n
	})
	return lines
}

// TestScripts: scripts in the usual languages, which know the original daemon's protocol and nothing else, talk with a page through the relay, by TLS on
// the next port and without; and curl publishes.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, o := range []wikitest.Options{
		{Version: "1.43", TLS: true, Settings: legacyTLS},
		{Version: "1.39"},
	} {
		o.Server, o.Load = "nginx", "include"
		o.Settings += fmt.Sprintf("$wgWebSocketPageBar = false;\n$wgWebSocketKey = '%s';\n", publishKey)
		t.Run(fmt.Sprintf("%s TLS %t", o.Version, o.TLS), func(t *testing.T) {
			w := wikitest.Start(t, o)
			page := connect(t, browser(t), w, "Main_Page")
			collect(page, "foo", `'FooDataChanged'`)
			settle(t, w, 1)
			socket, api := fmt.Sprintf("ws://127.0.0.1:%d", w.RelayPort), fmt.Sprintf("http://127.0.0.1:%d", w.RelayPort)
			if o.TLS {
				socket, api = fmt.Sprintf("wss://127.0.0.1:%d", w.RelayPort+1), fmt.Sprintf("https://127.0.0.1:%d", w.RelayPort+1)
			}
			for name, s := range languages {
				t.Run(name, func(t *testing.T) {
					tell(t, w, page, s, socket)
					converse(t, w, page, s, socket)
				})
			}
			t.Run("documented", func(t *testing.T) {
				script{perl.program, "documented.pl"}.run(t, w, "", socket)
				page.WaitFor(`foo.some( ( data ) => data.msg === 'Server-side Foo data has changed' )`)
			})
			t.Run("curl", func(t *testing.T) { publish(t, w, page, api) })
		})
	}
}

// tell runs a script that sends one message and ends.
func tell(t *testing.T, w *wikitest.Wiki, page *wikitest.Tab, s script, url string) {
	t.Helper()
	page.Run(`foo.length = 0`)
	if out := s.run(t, w, "", url, fooText); out != "" {
		t.Errorf("it printed %s", out)
	}
	page.WaitFor(`foo.length > 0`)
	want := fmt.Sprintf(`[{"type":"FooDataChanged","msg":%s,"from":"","to":""}]`, quote(fooText))
	got := wikitest.Eval[string](page, `JSON.stringify( foo.map( ( { type, msg, from, to, user, wiki } ) => ( { type, msg, from, to, user, wiki } ) ) )`)
	if got != want {
		t.Errorf("the page got %s, want %s", got, want)
	}
}

// converse runs a script with an id: the page hears it and answers, it gets what is for everybody and for itself and nothing else, and when it is killed it
// leaves nothing behind, so that the next one can have its id.
func converse(t *testing.T, w *wikitest.Wiki, page *wikitest.Tab, s script, url string) {
	t.Helper()
	before := w.Stats(t)
	id := "script-" + s.file
	for range 2 {
		page.Run(`foo.length = 0`)
		r := s.start(t, environment(w), url, fooLong, id)
		page.WaitFor(`foo.length > 0`)
		if !wikitest.Eval[bool](page, fmt.Sprintf(`foo.length === 1 && foo[ 0 ].msg === %s && foo[ 0 ].from === %q`, quote(fooLong), id)) {
			t.Errorf("the page got %.500s", wikitest.Eval[string](page, `JSON.stringify( foo )`))
		}
		page.Run(fmt.Sprintf(`webSocket.send( 'FooDataChanged', 'for another', [ 'another' ] );
			webSocket.send( 'Foo: größer', 'for everybody' );
			webSocket.send( 'FooDataChanged', { text: %s, list: [ 1, null ] }, %q );
			webSocket.send( 'FooDataChanged', %s, [ 'another', %q ] )`, quote(fooText), id, quote(fooLong), id))
		me := wikitest.Eval[string](page, `webSocket.clientID()`)
		for i, want := range []string{
			fmt.Sprintf(`{"type":"Foo: größer","msg":"for everybody","from":%q,"to":""}`, me),
			fmt.Sprintf(`{"type":"FooDataChanged","msg":{"text":%s,"list":[1,null]},"from":%q,"to":[%q]}`, quote(fooText), me, id),
			fmt.Sprintf(`{"type":"FooDataChanged","msg":%s,"from":%q,"to":["another",%q]}`, quote(fooLong), me, id),
		} {
			if got := r.wait(t, 3)[i]; !sameEnvelope(t, got, want) {
				t.Errorf("message %d is %.500s, want %.500s", i, got, want)
			}
		}
		r.kill()
		if lines := r.lines; len(lines) != 3 {
			t.Errorf("%d messages: %.500q", len(lines), lines)
		}
		wikitest.Eventually(t, "nothing of the killed script is left", func() bool {
			now := w.Stats(t)
			return now.Connections == before.Connections && now.Clients == before.Clients && now.Types == before.Types
		})
	}
}

// sameEnvelope reports whether both are the same type, message, sender and recipients.
func sameEnvelope(t *testing.T, got, want string) bool {
	t.Helper()
	var texts []string
	for _, text := range []string{got, want} {
		var e struct{ Type, Msg, From, To any }
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatalf("%v: %.500s", err, text)
		}
		if e.To == nil { // everybody, as ""
			e.To = ""
		}
		plain, _ := json.Marshal(e) // it was JSON
		texts = append(texts, string(plain))
	}
	return texts[0] == texts[1]
}

// publish has curl say something as the wiki.
func publish(t *testing.T, w *wikitest.Wiki, page *wikitest.Tab, url string) {
	t.Helper()
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(publishKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fooText, fooLong} {
		page.Run(`foo.length = 0`)
		if out := curl.run(t, w, "", url, "testwiki:", keyFile, quote(text)); !strings.HasPrefix(out, `{"published":[{"offset":`) {
			t.Errorf("the relay answered %s", out)
		}
		page.WaitFor(`foo.length > 0`)
		if !wikitest.Eval[bool](page, fmt.Sprintf(`foo.length === 1 && foo[ 0 ].msg === %s && foo[ 0 ].wiki === true`, quote(text))) {
			t.Errorf("the page got %.500s", wikitest.Eval[string](page, `JSON.stringify( foo )`))
		}
	}
}

// quote returns a text as JSON, and as JavaScript.
func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(text) // a string
	return strings.TrimSuffix(b.String(), "\n")
}

// TestScriptsWithoutAccountSend: on a wiki that lets only users send, a script is heard with the token of one, and not without.
func TestScriptsWithoutAccountSend(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: `$wgWebSocketPageBar = false;
$wgGroupPermissions['*']['websocket-send'] = false;
$wgGroupPermissions['user']['websocket-send'] = true;
`})
	u := w.NewUser(t, "Foobot")
	page := connect(t, browser(t), w, "Main_Page")
	collect(page, "foo", `'FooDataChanged'`)
	settle(t, w, 1)
	token := goodToken(t, w, w.Login(t, u.Name, u.Password))
	for name, s := range map[string]script{"Perl": perl, "PHP": php, "Node": node} {
		t.Run(name, func(t *testing.T) {
			page.Run(`foo.length = 0`)
			url := fmt.Sprintf("ws://127.0.0.1:%d", w.RelayPort)
			s.run(t, w, "", url, "by nobody") // the relay has looked at it when the script ends
			s.run(t, w, token, url, fooText)
			page.WaitFor(`foo.length > 0`)
			want := fmt.Sprintf(`[[%s,"Foobot"]]`, quote(fooText))
			if got := wikitest.Eval[string](page, `JSON.stringify( foo.map( ( d ) => [ d.msg, d.user ] ) )`); got != want {
				t.Errorf("the page got %s, want %s", got, want)
			}
		})
	}
}

// TestScriptsThatListenStay: scripts that have nothing to say answer the relay's pings, and so stay for longer than one that does not.
func TestScriptsThatListenStay(t *testing.T) {
	r := relaytest.Start(t, func(cfg *config.Config) {
		cfg.Wikis = append(cfg.Wikis, relaytest.Wiki("testwiki:", "http://wiki.example", false))
		cfg.Limits.PingInterval, cfg.Limits.PingTimeout = 250*time.Millisecond, 3*time.Second
		cfg.Limits.Pings = conn.Rate{PerSecond: 100, Burst: 100}
	})
	var all []*running
	for _, s := range languages {
		all = append(all, s.start(t, nil, "ws://"+r.Addresses()[0].String(), "hello", s.file))
	}
	scriptsOnly := func(s relaytest.Stats) bool { return s.Clients == len(all) }
	r.Await(t, "the scripts are there", scriptsOnly)
	r.Mute = true
	r.Classic(t, "mute").ExpectClose(wire.ClosePingTimeout)
	r.Mute = false
	r.Await(t, "the scripts are left", scriptsOnly)
	r.Classic(t, "other").Send(`{"type":"Foo","msg":"still there?"}`)
	for _, script := range all {
		wikitest.Eventually(t, "the message for "+script.cmd.Args[1], func() bool {
			script.mu.Lock()
			defer script.mu.Unlock()
			return slices.ContainsFunc(script.lines, func(line string) bool { return strings.Contains(line, "still there?") })
		})
	}
}

// TestReadmeShowsTheScripts: what the README has of them is what the tests run.
func TestReadmeShowsTheScripts(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for file, language := range map[string]string{node.file: "js", curl.file: "sh"} {
		text, err := os.ReadFile("testdata/scripts/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(readme), "```"+language+"\n"+string(text)+"```\n") {
			t.Errorf("README.md does not show testdata/scripts/%s as it is", file)
		}
	}
}
