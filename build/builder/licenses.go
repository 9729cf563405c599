package builder

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// licenses returns the licences of Go and of the libraries that are linked
// into the relay and the browser client. They ask to be passed on.
func (b *Builder) licenses() ([]byte, error) {
	goroot, err := b.goTool(nil, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{"Go": goroot}
	const format = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}"
	for _, target := range []struct {
		env []string
		pkg string
	}{{nil, "./relay"}, {wasmEnv, "./wasmclient"}} {
		list, err := b.goTool(target.env, "list", "-deps", "-f", format, target.pkg)
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(list, "\n") {
			if module, dir, ok := strings.Cut(line, "\t"); ok {
				dirs[module] = dir
			}
		}
	}
	var text strings.Builder
	text.WriteString("The relay and the browser client contain the following.\n")
	for _, module := range slices.Sorted(maps.Keys(dirs)) {
		files, err := filepath.Glob(filepath.Join(dirs[module], "LICEN[SC]E*"))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s has no licence in %s, and may not be passed on without", module, dirs[module])
		}
		for _, file := range files {
			license, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&text, "\n%s\n%s\n\n%s", module, strings.Repeat("-", len(module)), license)
		}
	}
	return []byte(text.String()), nil
}
