package builder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// budgets are what a reader may have to download, in bytes after gzip -9.
var budgets = []struct {
	pattern string
	limit   int
}{
	{"ext.websocket.js", 6 << 10},
	{"ext.websocket.live.js", 4 << 10},
	{"ext.websocket.polling.js", 3 << 10},
	{"client-*.wasm", 624 << 10},
}

// CheckSizes prints how large the scripts and the browser client are, and
// fails when one is over its budget.
func (b *Builder) CheckSizes() error {
	var names []string
	for _, pattern := range []string{"ext.*.js", "worker-*.js", "client-*.wasm"} {
		found, err := filepath.Glob(b.dist(pattern))
		if err != nil {
			return err
		}
		names = append(names, found...)
	}
	var errs []error
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		zipped, err := compress(data)
		if err != nil {
			return err
		}
		base := filepath.Base(name)
		line := fmt.Sprintf("%-24s %8d bytes, %7d gzip", base, len(data), len(zipped))
		if limit := budgetOf(base); limit > 0 {
			line += fmt.Sprintf(" of at most %d", limit)
			if len(zipped) > limit {
				errs = append(errs, fmt.Errorf("%s is over its budget: %d bytes after gzip, allowed are %d", base, len(zipped), limit))
			}
		}
		b.logf("%s", line)
	}
	for _, budget := range budgets {
		if _, err := b.only(budget.pattern); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func budgetOf(name string) int {
	for _, budget := range budgets {
		if ok, _ := filepath.Match(budget.pattern, name); ok {
			return budget.limit
		}
	}
	return 0
}

// forbidden packages are large, and the browser has what they do.
var forbidden = []string{"encoding/json", "fmt", "net/http", "reflect", "time"}

// CheckImports fails when the browser client pulls in a forbidden package
// that a program with nothing but syscall/js does not pull in.
func (b *Builder) CheckImports() error {
	bare, err := b.goTool(wasmEnv, "list", "-deps", "syscall/js")
	if err != nil {
		return err
	}
	used, err := b.goTool(wasmEnv, "list", "-deps", "./wasmclient")
	if err != nil {
		return err
	}
	allowed := make(map[string]bool)
	for _, p := range strings.Fields(bare) {
		allowed[p] = true
	}
	var bad []string
	for _, p := range strings.Fields(used) {
		i := sort.SearchStrings(forbidden, p)
		if i < len(forbidden) && forbidden[i] == p && !allowed[p] {
			bad = append(bad, p)
		}
	}
	sort.Strings(bad)
	if len(bad) > 0 {
		return fmt.Errorf("wasmclient pulls in %s; `GOOS=js GOARCH=wasm go list -deps -f '{{.ImportPath}}: {{.Imports}}' ./wasmclient` shows by which way",
			strings.Join(bad, ", "))
	}
	return nil
}
