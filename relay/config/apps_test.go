package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestApps(t *testing.T) {
	c := parse(t, nil, "--app", "chat=/websocket/chat,/b", "--app", "chat=/c", "--app", "logview=/admin/log-view", "--log-file", "access=/var/log/access.log",
		"--log-file", "error=e=1.log", "--log-tokens", write(t, "\n first token \r\nsecond\n\n"), "--app", "notify=/notify", "--notify-secrets", write(t, "s1\ns2"))
	here, err := filepath.Abs("e=1.log")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Apps["chat"], []string{"/websocket/chat", "/b", "/c"}) || !slices.Equal(c.Apps["notify"], []string{"/notify"}) || len(c.Apps) != 3 ||
		!maps.Equal(c.LogFiles, map[string]string{"access": "/var/log/access.log", "error": here}) || c.LogRefresh != time.Second ||
		!slices.Equal(c.LogTokens, []string{"first token", "second"}) || !slices.Equal(c.NotifySecrets, []string{"s1", "s2"}) {
		t.Errorf("%+v", c)
	}
	file := write(t, `{"open":true,"apps":{"chat":["/a"],"notify":["/n"],"logview":["/l"]},"notifySecrets":["s"],"logFiles":{"a":"/a.log","b":"/b.log"},
		"logRefresh":0,"logTokens":["t"]}`)
	c = parse(t, nil, "--config", file, "--app", "chat=/b", "--log-file", "a=/c.log", "--log-refresh", "250")
	if !slices.Equal(c.Apps["chat"], []string{"/b"}) || !slices.Equal(c.Apps["notify"], []string{"/n"}) || c.LogRefresh != 250*time.Millisecond ||
		!maps.Equal(c.LogFiles, map[string]string{"a": "/c.log", "b": "/b.log"}) || !slices.Equal(c.LogTokens, []string{"t"}) {
		t.Errorf("%+v", c)
	}
	if c = parse(t, nil, "--config", file); c.LogRefresh != 0 {
		t.Errorf("refresh %v, want none", c.LogRefresh)
	}
}

func TestAppsThatWillNotDo(t *testing.T) {
	secrets, empty := write(t, "a secret word"), write(t, " \n\n")
	for want, args := range map[string][]string{
		`"talk" is no app; there are notify, chat, logview`: {"--app", "talk=/x"},
		"it is not NAME=URL":                     {"--app", "/x"},
		"it is not NAME=PATH":                    {"--log-file", "access="},
		"the app chat: /websocket is the":        {"--app", "chat=/websocket"},
		"the app chat: /api/publish is the":      {"--app", "chat=/api/publish"},
		"the app chat: /metrics is the":          {"--app", "chat=/metrics"},
		`"/websocket:1729" is no path`:           {"--app", "chat=/websocket:1729"},
		`"/" is no path`:                         {"--app", "chat=/"},
		`"/a/" is no path`:                       {"--app", "chat=/a/"},
		`"/a/../b" is no path`:                   {"--app", "chat=/a/../b"},
		`"/a//b" is no path`:                     {"--app", "chat=/a//b"},
		`"a" is no path`:                         {"--app", "chat=a"},
		`"/{x}" is no path`:                      {"--app", "chat=/{x}"},
		`"" is no path`:                          {"--app", "chat=/a,"},
		"/a is taken already":                    {"--app", "chat=/a,/a"},
		"the app notify: /a is taken already":    {"--app", "chat=/a", "--app", "notify=/a"},
		"of /a and /a/connect one is below":      {"--app", "chat=/a", "--app", "notify=/a/connect"},
		"the app notify needs --notify-secrets":  {"--app", "notify=/a"},
		"add --app notify=/notify":               {"--notify-secrets", secrets},
		"add --app logview=":                     {"--log-file", "a=/a.log"},
		"the file is empty; it has one a line":   {"--app", "notify=/a", "--notify-secrets", empty},
		"no such file":                           {"--app", "notify=/a", "--notify-secrets", empty + "x"},
		"the one in place 2 is there twice":      {"--app", "notify=/a", "--notify-secrets", write(t, "a secret word\na secret word")},
		`--log-file "a" is there twice`:          {"--app", "logview=/a", "--log-file", "a=/a", "--log-file", "a=/b"},
		`"chat.example" is no origin`:            {"--app-origin", "chat.example"},
		`"https://chat.example/" is no origin`:   {"--app-origin", "https://chat.example/"},
		`"*" is no origin`:                       {"--config", write(t, `{"appOrigins":["*"]}`)},
		`"appOrigins" is not a list of`:          {"--config", write(t, `{"appOrigins":"https://chat.example"}`)},
		"forwards /websocket/log, too, and":      {"--app", "logview=/websocket/log", "--log-file", "a=/a"},
		"--log-refresh is not a whole number":    {"--log-refresh", "1s"},
		"milliseconds from 0 to 86400000":        {"--log-refresh", "-1"},
		`"apps" is not an object of lists`:       {"--config", write(t, `{"apps":{"chat":"/a"}}`)},
		`"logFiles" is not an object of paths`:   {"--config", write(t, `{"logFiles":["a"]}`)},
		`"notifySecrets" is not a list of`:       {"--config", write(t, `{"notifySecrets":[""]}`)},
		`"logTokens" is not a list of`:           {"--config", write(t, `{"logTokens":"x"}`)},
		`"logRefresh" is not a whole number of `: {"--config", write(t, `{"logRefresh":"1000"}`)},
	} {
		_, err := config.Parse(append([]string{"--open"}, args...), func(string) string { return "" })
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret word") {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}

func TestOriginsOfApps(t *testing.T) {
	file := write(t, `{"apps":{"chat":["/chat"]},"appOrigins":["https://chat.example"]}`)
	if c := parse(t, nil, "--config", file); !slices.Equal(c.AppOrigins, []string{"https://chat.example"}) {
		t.Errorf("%q", c.AppOrigins)
	}
	c := parse(t, nil, "--config", file, "--app-origin", "http://b.example:8080", "--app-origin", "https://c.example")
	if !slices.Equal(c.AppOrigins, []string{"http://b.example:8080", "https://c.example"}) {
		t.Errorf("%q", c.AppOrigins)
	}
}

// Apps need no wiki.
func TestAppsAlone(t *testing.T) {
	if c := parse(t, nil, "--app", "chat=/chat"); len(c.Wikis) != 0 || c.Open {
		t.Errorf("%+v", c)
	}
}
