// Package dropin knows which files make the folder that a wiki's owner drops
// into extensions/.
package dropin

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// folders are taken whole; those marked optional may be missing.
var folders = []struct {
	name     string
	optional bool
}{{"includes", false}, {"i18n", false}, {"maintenance", true}, {"sql", false}, {"resources/dist", false}}

var files = []string{"extension.json", "WebSocket.php"}

// Files returns the files that run, as sorted slash-separated names relative
// to root: PHP, messages, what extension.json names, the generated scripts,
// and the relays of these names below bin/. Something missing is an error.
func Files(root string, relays []string) ([]string, error) {
	found := make(map[string]bool)
	for _, name := range files {
		found[name] = true
	}
	for _, name := range relays {
		found[path.Join("bin", name)] = true
	}
	for _, folder := range folders {
		names, err := walk(root, folder.name)
		if err != nil && !folder.optional {
			return nil, err
		}
		for _, name := range names {
			found[name] = true
		}
	}
	resources, err := moduleFiles(root)
	if err != nil {
		return nil, err
	}
	for _, name := range resources {
		found[name] = true
	}
	names := make([]string, 0, len(found))
	for name := range found {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			return nil, fmt.Errorf("the drop-in folder needs %s (not built yet?): %w", name, err)
		}
		names = append(names, name)
	}
	sort.Strings(names)
	return names, nil
}

// Mode returns the permissions of a file of the drop-in folder.
func Mode(name string) fs.FileMode {
	if strings.HasPrefix(name, "bin/") {
		return 0o755
	}
	return 0o644
}

// Copy makes the drop-in folder of the project in root at target, readable
// for every user.
func Copy(root, target string, relays []string) error {
	names, err := Files(root, relays)
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		to := filepath.Join(target, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, Mode(name)); err != nil {
			return err
		}
	}
	return nil
}

func walk(root, folder string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(root), folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && !strings.HasSuffix(name, ".new") {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// moduleFiles returns the files that ResourceModules of extension.json name,
// and what stands beside a style sheet and may be part of it.
func moduleFiles(root string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(root, "extension.json"))
	if err != nil {
		return nil, err
	}
	var manifest struct {
		Paths   map[string]string         `json:"ResourceFileModulePaths"`
		Modules map[string]map[string]any `json:"ResourceModules"`
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return nil, fmt.Errorf("extension.json: %w", err)
	}
	var names []string
	for _, module := range manifest.Modules {
		base := manifest.Paths["localBasePath"]
		if own, ok := module["localBasePath"].(string); ok {
			base = own
		}
		for _, key := range []string{"scripts", "styles", "packageFiles", "debugScripts", "skinStyles", "templates"} {
			for _, text := range texts(module[key]) {
				names = append(names, path.Join(base, text))
				if ext := path.Ext(text); ext == ".less" || ext == ".css" {
					names = append(names, beside(root, path.Join(base, path.Dir(text)))...)
				}
			}
		}
	}
	return names, nil
}

// beside returns the style sheets and images of a folder.
func beside(root, folder string) []string {
	var names []string
	for _, pattern := range []string{"*.less", "*.css", "*.svg", "*.png", "*.gif"} {
		matches, _ := fs.Glob(os.DirFS(root), path.Join(folder, pattern))
		names = append(names, matches...)
	}
	return names
}

// texts returns the file names in a value of extension.json: one, a list, a
// map of lists, or objects whose "name" or "file" it is. A virtual file, which
// has content or a callback, is none.
func texts(value any) []string {
	var all []string
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			all = append(all, texts(item)...)
		}
	case map[string]any:
		if name, ok := v["name"].(string); ok {
			if file, ok := v["file"].(string); ok {
				return []string{file}
			}
			if len(v) == 1 {
				return []string{name}
			}
			return nil
		}
		for key, item := range v {
			if strings.Contains(path.Base(key), ".") { // "style.css": { "media": "screen" }
				all = append(all, key)
				continue
			}
			all = append(all, texts(item)...)
		}
	}
	return all
}
