package builder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"mediawiki-websocket/build/jsscan"
)

// pageScripts are delivered by ResourceLoader: the file in resources/dist and
// where its source begins.
var pageScripts = []struct{ out, entry string }{
	{"ext.websocket.js", "resources/ext.websocket/index.js"},
	{"ext.websocket.live.js", "resources/ext.websocket.live/index.js"},
	{"ext.websocket.polling.js", "resources/ext.websocket.polling/index.js"},
}

const workerEntry = "resources/worker/index.js"

// The worker holds Go's wasm_exec.js, whose licence asks for this notice.
const workerBanner = "/* Contains wasm_exec.js, Copyright 2018 The Go Authors, under the BSD-style licence of Go: https://go.dev/LICENSE */"

// Assets bundles the scripts of the page and of the worker into
// resources/dist. Older workers are removed.
func (b *Builder) Assets() error {
	for _, s := range pageScripts {
		js, err := b.bundle(s.entry, "")
		if err != nil {
			return err
		}
		if err := checkSyntax("resources/dist/"+s.out, js); err != nil {
			return err
		}
		if err := writeFile(b.dist(s.out), js, 0o644); err != nil {
			return err
		}
		b.logf("built resources/dist/%s", s.out)
	}
	js, err := b.bundle(workerEntry, workerBanner)
	if err != nil {
		return err
	}
	name := "worker-" + shortHash(js) + ".js"
	if err := writeFile(b.dist(name), js, 0o644); err != nil {
		return err
	}
	if err := b.removeOthers("worker-*", name); err != nil {
		return err
	}
	b.logf("built resources/dist/%s", name)
	return b.writeManifest()
}

// bundle makes one minified script of a source file and all that it imports.
// `import 'wasm_exec'` imports the support code of the Go that compiles the
// browser client. A warning is an error.
func (b *Builder) bundle(entry, banner string) ([]byte, error) {
	goroot, err := b.goTool(nil, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	root, err := filepath.Abs(b.Root)
	if err != nil {
		return nil, err
	}
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{entry},
		AbsWorkingDir:     root,
		Bundle:            true,
		Format:            api.FormatIIFE,
		Platform:          api.PlatformBrowser,
		Target:            api.ES2016,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Charset:           api.CharsetASCII,
		LegalComments:     api.LegalCommentsNone,
		Banner:            map[string]string{"js": banner},
		Alias:             map[string]string{"wasm_exec": filepath.Join(goroot, "lib", "wasm", "wasm_exec.js")},
		LogLevel:          api.LogLevelSilent,
	})
	messages := append(result.Errors, result.Warnings...)
	if len(messages) > 0 {
		lines := api.FormatMessages(messages, api.FormatMessagesOptions{Kind: api.ErrorMessage})
		return nil, fmt.Errorf("bundle %s:\n%s", entry, strings.Join(lines, ""))
	}
	return result.OutputFiles[0].Contents, nil
}

// checkSyntax refuses what ResourceLoader's minifier breaks: it puts a space
// into BigInt literals and numeric separators, and with that the whole batch
// of modules that travels with the script is a syntax error.
func checkSyntax(name string, js []byte) error {
	var errs []error
	for _, f := range jsscan.Numbers(js) {
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s %s would not survive ResourceLoader", name, f.Line, f.Column, f.Kind, f.Text))
	}
	return errors.Join(errs...)
}

func (b *Builder) checkScripts() error {
	var errs []error
	for _, s := range pageScripts {
		js, err := os.ReadFile(b.dist(s.out))
		if err != nil {
			return fmt.Errorf("run make build: %w", err)
		}
		errs = append(errs, checkSyntax("resources/dist/"+s.out, js))
	}
	return errors.Join(errs...)
}
