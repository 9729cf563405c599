package builder_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mediawiki-websocket/build/builder"
)

// Whoever slips something into a released program is found out by those who build the same source elsewhere: another folder and an empty build
// cache give the same bytes.
func TestReleaseHoldsWhatTheSourceDoesNot(t *testing.T) {
	here := buildCopy(t)
	t.Setenv("GOCACHE", t.TempDir())
	if there := buildCopy(t); !maps.Equal(here, there) || len(here) != 3 {
		t.Errorf("two builds of one source: %v and %v", here, there)
	}
}

// buildCopy builds the relay and the browser client from a copy of this project, and returns the SHA-256 of each file by name.
func buildCopy(t *testing.T) map[string]string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "extension.json", "relay", "wasmclient"} {
		source, target := filepath.Join("..", "..", name), filepath.Join(root, name)
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
	sums := make(map[string]string)
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
	return sums
}
