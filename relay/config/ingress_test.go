package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mediawiki-websocket/relay/config"
)

func TestIngress(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	os.WriteFile(file, []byte(`{"open":true,"ingress":["redis://:secret@h?stream=s&wiki=my:","udp://0.0.0.0:9?wiki=my:&from=10.0.0.1"]}`), 0o600)
	c := parse(t, nil, "--config", file)
	if len(c.Ingress) != 2 || c.Ingress[0].Password != "secret" || c.Ingress[1].Address != "0.0.0.0:9" {
		t.Errorf("%+v", c.Ingress)
	}
	c = parse(t, nil, "--config", file, "--ingress", "amqp://h?queue=q&wiki=my:", "--ingress", "udp://127.0.0.1:9?wiki=my:") // flags win
	if len(c.Ingress) != 2 || c.Ingress[0].Name != "q" || c.Ingress[1].Address != "127.0.0.1:9" {
		t.Errorf("%+v", c.Ingress)
	}
	if c = parse(t, nil, "--open"); c.Ingress != nil {
		t.Errorf("%+v", c.Ingress)
	}
}

// TestPasswordOfAQueueIsShown: a password on the command line is refused, and neither that nor any other mistake shows one.
func TestPasswordOfAQueueIsShown(t *testing.T) {
	for _, row := range []struct{ flag, file, says string }{
		{"redis://:secret@h?stream=s&wiki=my:", "", "does not belong on a command line"},
		{"redis://:secret word@h?stream=s&wiki=my:", "", "--ingress, number 1: not a URL"},
		{"", `["redis://:secret@h?stream=s"]`, `"ingress", number 1: "wiki" is missing`},
		{"", `["redis://h?stream=s&wiki=a:","redis://:secret@h:x?stream=s&wiki=my:"]`, `"ingress", number 2: not a URL`},
		{"", `["redis://:secret@h?stream=s&wiki=a:","redis://:secret@h?stream=s&wiki=b:"]`, "redis://h:6379/0?stream=s&group=relay is there twice"},
		{"", `"redis://:secret@h?stream=s&wiki=a:"`, `"ingress" is not a list of URLs`},
		{"", `[["redis://:secret@h"]]`, `"ingress" is not a list of URLs`},
	} {
		args := []string{"--open"}
		if row.flag != "" {
			args = append(args, "--ingress", row.flag)
		} else {
			file := filepath.Join(t.TempDir(), "config.json")
			os.WriteFile(file, []byte(`{"ingress":`+row.file+`}`), 0o600)
			args = append(args, "--config", file)
		}
		_, err := config.Parse(args, func(string) string { return "" })
		if err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", row, err)
		}
	}
}
