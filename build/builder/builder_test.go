package builder_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/build/builder"
)

// project is a small project that builds.
var project = map[string]string{
	"go.mod":                   "module fixture\n\ngo 1.26\n",
	"README.md":                "read me ![picture](docs/a.png) ![elsewhere](https://example.org/b.png) [link](c.md)\n",
	"docs/a.png":               "png",
	"contrib/relay.service":    "[Unit]\n",
	"resources/webSocket.d.ts": "export {};\n",
	"COPYING":                  "copy\n",
	"WebSocket.php":            "<?php\n",
	"includes/Hooks.php":       "<?php\n",
	"i18n/en.json":             `{"@metadata":{},"websocket-desc":"Live pages"}`,
	"i18n/qqq.json":            `{"@metadata":{},"websocket-desc":"Description"}`,
	"extension.json": `{"version":"1.2.3",
		"ResourceFileModulePaths":{"localBasePath":"resources"},
		"ResourceModules":{
			"ext.websocket":{"packageFiles":["dist/ext.websocket.js",{"name":"config.json","config":["X"]}]},
			"ext.websocket.live":{"packageFiles":["dist/ext.websocket.live.js"],"styles":{"ext.websocket.live/live.less":{"media":"screen"}}}}}`,
	"relay/main.go":                            "package main\n\nimport (\n\t\"fmt\"\n\n\t\"fixture/relay/config\"\n)\n\nfunc main() { fmt.Println(\"relay\", config.Version) }\n",
	"relay/config/config.go":                   "package config\n\nvar Version = \"dev\"\n",
	"wasmclient/main.go":                       "package main\n\nimport \"syscall/js\"\n\nfunc main() { js.Global().Set(\"x\", 1) }\n",
	"resources/ext.websocket/index.js":         "import { y } from './part.js';\nwindow.x = async () => y?.z ?? 1_000;\n",
	"resources/ext.websocket/part.js":          "export const y = { z: `it's` };\n",
	"resources/ext.websocket.live/index.js":    "mw.x = /10n/;\n",
	"resources/ext.websocket.live/live.less":   "@import 'part.less';\n",
	"resources/ext.websocket.live/part.less":   "a { b: c }\n",
	"resources/ext.websocket.polling/index.js": "mw.y = 1;\n",
	"sql/tables.json":                          "[]\n",
	"sql/sqlite/tables-generated.sql":          "CREATE\n",
	"resources/worker/index.js":                "import 'wasm_exec';\nself.go = new Go();\n",
}

// newProject makes that project, with some files changed, in a folder.
func newProject(t *testing.T, changes map[string]string) (*builder.Builder, *strings.Builder) {
	t.Helper()
	root := t.TempDir()
	for _, files := range []map[string]string{project, changes} {
		for name, text := range files {
			name = filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	log := new(strings.Builder)
	return &builder.Builder{Root: root, Log: log}, log
}

func run(t *testing.T, b *builder.Builder, command string) {
	t.Helper()
	if err := b.Run(command); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

// fails runs a command that must fail with an error that names all of want.
func fails(t *testing.T, b *builder.Builder, command string, want ...string) {
	t.Helper()
	err := b.Run(command)
	if err == nil {
		t.Fatalf("%s succeeded, want an error about %s", command, want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", command, err, w)
		}
	}
}

func dist(t *testing.T, b *builder.Builder) map[string]string {
	t.Helper()
	files := make(map[string]string)
	entries, err := os.ReadDir(filepath.Join(b.Root, "resources", "dist"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(b.Root, "resources", "dist", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

func hash10(data string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(data)))[:10] }

func TestAll(t *testing.T) {
	b, log := newProject(t, map[string]string{
		"resources/dist/client-0000000000.wasm":    "old",
		"resources/dist/client-0000000000.wasm.gz": "old",
		"resources/dist/worker-0000000000.js":      "old",
	})
	run(t, b, "all")
	run(t, b, "check")
	files := dist(t, b)
	if len(files) != 7 {
		t.Errorf("dist holds %d files, want 7: the old ones must go", len(files))
	}
	manifest := files["manifest.php"]
	for name, data := range files {
		switch {
		case strings.HasPrefix(name, "client-") && strings.HasSuffix(name, ".wasm"):
			if name != "client-"+hash10(data)+".wasm" {
				t.Errorf("%s is not named after its content", name)
			}
			if !strings.Contains(manifest, "'wasm' => '"+name+"'") {
				t.Errorf("manifest.php does not name %s: %s", name, manifest)
			}
			r, err := gzip.NewReader(strings.NewReader(files[name+".gz"]))
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(r); err != nil || string(plain) != data {
				t.Errorf("%s.gz does not hold %s (%v)", name, name, err)
			}
		case strings.HasPrefix(name, "worker-"):
			if name != "worker-"+hash10(data)+".js" || !strings.Contains(manifest, "'worker' => '"+name+"'") {
				t.Errorf("%s is not named after its content, or not in manifest.php", name)
			}
			if !strings.Contains(data, "importObject") || strings.Contains(data, "async ") {
				t.Errorf("%s lacks wasm_exec.js or is not ES2016", name)
			}
		}
	}
	if js := files["ext.websocket.js"]; strings.Contains(js, "?.") || strings.Contains(js, "import ") {
		t.Errorf("ext.websocket.js is not one ES2016 script: %s", js)
	}
	if !strings.Contains(manifest, "'version' => '1.2.3'") {
		t.Errorf("manifest.php lacks the version: %s", manifest)
	}
	if !strings.Contains(log.String(), " gzip of at most 638976") || !strings.Contains(log.String(), " gzip of at most 6144") {
		t.Errorf("the sizes were not printed: %s", log)
	}
}

func TestBudget(t *testing.T) {
	b, log := newProject(t, nil)
	run(t, b, "assets")
	run(t, b, "wasm")
	random := rand.New(rand.NewSource(1))
	var script []byte
	for size := 0; size <= 6144; { // grows by a byte or two each time
		if size == 6144 {
			log.Reset()
			run(t, b, "check")
			if !strings.Contains(log.String(), "6144 gzip of at most 6144") {
				t.Fatalf("not at the limit: %s", log)
			}
		}
		script = append(script, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[random.Intn(52)])
		if size < 5000 {
			script = append(script, script[len(script)-1]+1)
		}
		size = gzipSize(t, script)
		if err := os.WriteFile(filepath.Join(b.Root, "resources", "dist", "ext.websocket.js"), script, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fails(t, b, "check", "ext.websocket.js is over its budget: 6145 bytes after gzip, allowed are 6144")
}

func gzipSize(t *testing.T, data []byte) int {
	t.Helper()
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Len()
}

func TestForbiddenImport(t *testing.T) {
	b, _ := newProject(t, map[string]string{
		"wasmclient/main.go": "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(1) }\n",
	})
	fails(t, b, "all", "wasmclient pulls in fmt, reflect, time")
}

func TestBigIntInPageScript(t *testing.T) {
	b, _ := newProject(t, map[string]string{"resources/ext.websocket/part.js": "export const y = 10n;\n"})
	fails(t, b, "assets", "part.js:1:17", "ig integer literals")
	b, _ = newProject(t, nil)
	run(t, b, "assets")
	run(t, b, "wasm")
	name := filepath.Join(b.Root, "resources", "dist", "ext.websocket.js")
	if err := os.WriteFile(name, []byte("x='10n';\n  y=10n"), 0o644); err != nil {
		t.Fatal(err)
	}
	fails(t, b, "check", "resources/dist/ext.websocket.js:2:5", "BigInt literal 10n")
}

func TestMessages(t *testing.T) {
	b, _ := newProject(t, map[string]string{
		"i18n/en.json":  `{"a":"A","b":"B","c":" "}`,
		"i18n/qqq.json": `{"a":"about A","c":"about C","d":"about D"}`,
		"i18n/de.json":  `{"a":"A","e":"E"}`,
	})
	run(t, b, "assets")
	run(t, b, "wasm")
	fails(t, b, "check", "qqq.json: b is not documented", "en.json: c is empty", "qqq.json: d is not in en.json", "de.json: e is not in en.json")
}

func TestMistakes(t *testing.T) {
	b, _ := newProject(t, nil)
	fails(t, b, "wsam", `unknown command "wsam"`, "package")
	fails(t, b, "check", "run make build")
	b, _ = newProject(t, map[string]string{"extension.json": `{"version":"1.2"}`})
	fails(t, b, "all", `version "1.2" is not of the form`)
	b, _ = newProject(t, map[string]string{"relay/config/config.go": "package config\n\nconst Version = \"dev\"\n"})
	fails(t, b, "relay", `says "relay dev\n", want 1.2.3`)
	b, _ = newProject(t, map[string]string{"resources/worker/index.js": "import './none.js';\n"})
	fails(t, b, "assets", "resources/worker/index.js:1:7", "none.js")
}

func TestPackage(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	var archives [2][]byte
	for i := range archives {
		b, _ := newProject(t, nil)
		run(t, b, "package")
		data, err := os.ReadFile(filepath.Join(b.Root, "release", "WebSocket-1.2.3.tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		archives[i] = data
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two builds in two folders gave two archives")
	}
	names := map[string]int64{}
	last := ""
	for header := range entries(t, archives[0]) {
		if header.Name < last || header.Uid != 0 || header.Gid != 0 || header.Uname != "" || !header.ModTime.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("entry not as it should be: %+v", header)
		}
		last = header.Name
		names[header.Name] = header.Mode
	}
	for name, mode := range map[string]int64{
		"README.md": 0o644, "docs/a.png": 0o644, "contrib/relay.service": 0o644, "resources/webSocket.d.ts": 0o644, "COPYING": 0o644, "LIBRARIES.txt": 0o644, "extension.json": 0o644, "WebSocket.php": 0o644, "includes/Hooks.php": 0o644,
		"i18n/en.json": 0o644, "i18n/qqq.json": 0o644, "resources/dist/ext.websocket.js": 0o644, "resources/dist/manifest.php": 0o644,
		"resources/ext.websocket.live/live.less": 0o644, "resources/ext.websocket.live/part.less": 0o644,
		"resources/dist/ext.websocket.polling.js": 0o644, "sql/tables.json": 0o644, "sql/sqlite/tables-generated.sql": 0o644,
		"bin/websocket-relay-linux-amd64": 0o755, "bin/websocket-relay-linux-arm64": 0o755,
	} {
		if got, ok := names["WebSocket/"+name]; !ok || got != mode {
			t.Errorf("%s: in the archive %t, mode %o, want %o", name, ok, got, mode)
		}
	}
	if len(names) != 24 {
		t.Errorf("the archive holds %d files, want 24: %v", len(names), names)
	}
}

// entries reads the heads of all files in an archive.
func entries(t *testing.T, archive []byte) func(yield func(*tar.Header) bool) {
	return func(yield func(*tar.Header) bool) {
		z, err := gzip.NewReader(bytes.NewReader(archive))
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(z); ; {
			header, err := r.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !yield(header) {
				return
			}
		}
	}
}

func TestPackageNamesWhatIsMissing(t *testing.T) {
	b, _ := newProject(t, nil)
	if err := os.Remove(filepath.Join(b.Root, "README.md")); err != nil {
		t.Fatal(err)
	}
	fails(t, b, "package", "README.md")
}
