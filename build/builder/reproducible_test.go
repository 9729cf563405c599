package builder_test

import (
	"crypto/sha256"
	"fmt"
	"go/version"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mediawiki-websocket/build/builder"
)

// Whoever slips something into a released program is found out by those who build the same source elsewhere: another folder and an empty build
// cache give the same bytes.
func TestReleaseHoldsWhatTheSourceDoesNot(t *testing.T) {
	source, here := buildCopy(t, filepath.Join("..", ".."))
	t.Setenv("GOCACHE", t.TempDir())
	if _, there := buildCopy(t, source); !maps.Equal(here, there) || len(here) != 3 {
		t.Errorf("two builds of one source: %v and %v", here, there)
	}
}

// Go 1.26.6 mended holes of the standard library that the relay has in it. The line "go" in go.mod, other than "toolchain", binds every go command.
func TestReleaseIsBuiltByAnOldCompiler(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(data)
	if line == nil || version.Compare("go"+string(line[1]), "go1.26.6") < 0 {
		t.Errorf("go.mod says %q, and needs go 1.26.6 or newer", line)
	}
}

// buildCopy builds the relay and the browser client of a project in a copy of it, and returns the SHA-256 of each file by name.
func buildCopy(t *testing.T, project string) (root string, sums map[string]string) {
	t.Helper()
	root = t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "extension.json", "relay", "wasmclient"} {
		source, target := filepath.Join(project, name), filepath.Join(root, name)
		data, err := os.ReadFile(source)
		if err == nil {
			err = os.WriteFile(target, data, 0o600)
		} else {
			err = os.CopyFS(target, os.DirFS(source))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b := &builder.Builder{Root: root, Log: io.Discard}
	run(t, b, "wasm")
	run(t, b, "relay")
	sums = make(map[string]string)
	for _, pattern := range []string{"bin/*", "resources/dist/client-*"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sums[strings.TrimPrefix(file, root)] = fmt.Sprintf("%x", sha256.Sum256(data))
		}
	}
	return root, sums
}
