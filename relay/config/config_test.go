package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/wire"
)

func parse(t *testing.T, env map[string]string, args ...string) *config.Config {
	t.Helper()
	c, err := config.Parse(args, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFlagsWinOverTheFileAndTheFileOverTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.json")
	os.WriteFile(file, []byte(`{"listen":"127.0.0.1:1","control":"/file/c","log":"/file/log","open":true}`), 0o600)
	env := map[string]string{"RUNTIME_DIRECTORY": "/run/r", "STATE_DIRECTORY": "/state"}
	c := parse(t, env, "--config", file, "--log", "/flag/log", "--open=false")
	if c.Listen != "127.0.0.1:1" || c.Control != "/file/c" || c.Log != "/flag/log" || c.State != "/state/wikis.json" || c.Open {
		t.Errorf("%+v", c)
	}
	if c = parse(t, env); c.Control != "/run/r/control.sock" || c.Listen != "127.0.0.1:1729" {
		t.Errorf("%+v", c)
	}
	if c = parse(t, nil, "--control", "x/c.sock"); c.State != filepath.Join(filepath.Dir(c.Control), "wikis.json") || !filepath.IsAbs(c.Control) {
		t.Errorf("%+v", c)
	}
	if c = parse(t, nil, "--open"); c.Control != "" || c.State != "" || c.Limits != conn.DefaultLimits() {
		t.Errorf("%+v", c)
	}
}

func TestWhereHistoryIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	for _, row := range []struct {
		file string
		args []string
		want string
	}{
		{`{}`, []string{"--control", "/run/r/c.sock"}, "/run/r/history.log"},
		{`{}`, []string{"--state", "/state/wikis.json"}, "/state/history.log"},
		{`{}`, nil, ""},
		{`{"history":"/file/h"}`, nil, "/file/h"},
		{`{"history":""}`, []string{"--state", "/state/wikis.json"}, ""},
		{`{"history":"/file/h"}`, []string{"--history", "/flag/h"}, "/flag/h"},
		{`{"history":"/file/h"}`, []string{"--state", "/state/wikis.json", "--history", ""}, ""},
	} {
		os.WriteFile(file, []byte(row.file), 0o600)
		if c := parse(t, nil, append(row.args, "--open", "--config", file)...); c.History != row.want || c.HistoryBytes != 64<<20 {
			t.Errorf("%s %v: %q %d", row.file, row.args, c.History, c.HistoryBytes)
		}
	}
	for value, want := range map[string]int{"1": 1, "1073741824": 1 << 30, "0": -1, "1073741825": -1} {
		os.WriteFile(file, []byte(`{"open":true,"historyBytes":`+value+`}`), 0o600)
		c, err := config.Parse([]string{"--config", file}, func(string) string { return "" })
		if want < 0 != (err != nil) || want > 0 && c.HistoryBytes != want {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestEveryLimitCanBeSet(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	os.WriteFile(file, []byte(`{"open":true,"frameBytes":1,"publishBytes":2,"typeBytes":3,"clientBytes":4,"types":5,"clients":6,"recipients":7,"publishBatch":8,
		"depth":9,"outboxBytes":10,"connectSeconds":0.5,"pingSeconds":12,"pingTimeoutSeconds":13,"writeSeconds":14,"drainSeconds":15,
		"fragments":16,"messageSeconds":17,"bytesPerSecond":18,"bytesBurst":19,"messagesPerSecond":20,"messagesBurst":21,"commandsPerSecond":22,
		"commandsBurst":23,"pingsPerSecond":0.5,"pingsBurst":25,"replaysPerSecond":30,"replaysBurst":31,
		"wikiPublishesPerSecond":26,"wikiPublishesBurst":27,"wikiMessagesPerSecond":28,"wikiMessagesBurst":29,"compressBytes":30}`), 0o600)
	c := parse(t, nil, "--config", file)
	want := conn.Limits{
		Limits:      wire.Limits{FrameBytes: 1, PublishBytes: 2, TypeBytes: 3, ClientBytes: 4, Types: 5, Clients: 6, Recipients: 7, PublishBatch: 8, Depth: 9},
		OutboxBytes: 10, CompressBytes: 30, Fragments: 16, ConnectTimeout: time.Second / 2, MessageTimeout: 17 * time.Second, PingInterval: 12 * time.Second,
		PingTimeout: 13 * time.Second, WriteTimeout: 14 * time.Second,
		Bytes: conn.Rate{PerSecond: 18, Burst: 19}, Messages: conn.Rate{PerSecond: 20, Burst: 21}, Commands: conn.Rate{PerSecond: 22, Burst: 23},
		Pings: conn.Rate{PerSecond: 0.5, Burst: 25}, Replays: conn.Rate{PerSecond: 30, Burst: 31}, WikiPublishes: conn.Rate{PerSecond: 26, Burst: 27}, WikiMessages: conn.Rate{PerSecond: 28, Burst: 29},
	}
	if c.Limits != want || c.Drain != 15*time.Second {
		t.Errorf("%+v %s", c.Limits, c.Drain)
	}
}

func TestCompressionIsAWholeNumberFromZero(t *testing.T) {
	for value, want := range map[string]int{"0": 0, "1": 1, "256": 256, "1073741824": 1 << 30, "-1": -1, "1073741825": -1, "0.5": -1, `"256"`: -1, "true": -1} {
		file := filepath.Join(t.TempDir(), "config.json")
		os.WriteFile(file, []byte(`{"open":true,"compressBytes":`+value+`}`), 0o600)
		c, err := config.Parse([]string{"--config", file}, func(string) string { return "" })
		switch {
		case want < 0 && (err == nil || !strings.Contains(err.Error(), `"compressBytes" is not a whole number from 0 to 2^30`)):
			t.Errorf("%s: %v", value, err)
		case want >= 0 && (err != nil || c.Limits.CompressBytes != want):
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestLargeBatchesWouldNeverBeTaken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	os.WriteFile(file, []byte(`{"open":true,"publishBatch":10,"wikiPublishesBurst":9}`), 0o600)
	_, err := config.Parse([]string{"--config", file}, func(string) string { return "" })
	if err == nil || !strings.Contains(err.Error(), "wikiPublishesBurst is 9, less than publishBatch, 10") {
		t.Error(err)
	}
}
