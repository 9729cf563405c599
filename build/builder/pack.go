package builder

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mediawiki-websocket/build/dropin"
)

// Package writes release/WebSocket-VERSION.tar.gz from what has been built
// for a release, and returns its name. Equal content gives equal bytes: the
// files are sorted, belong to root, and carry the time of the last commit or
// of SOURCE_DATE_EPOCH.
func (b *Builder) Package() (string, error) {
	version, err := b.Version()
	if err != nil {
		return "", err
	}
	contents, err := b.contents()
	if err != nil {
		return "", err
	}
	mtime, err := b.sourceTime()
	if err != nil {
		return "", err
	}
	archive, err := archive(contents, mtime)
	if err != nil {
		return "", err
	}
	zipped, err := compress(archive)
	if err != nil {
		return "", err
	}
	out := b.path("release", "WebSocket-"+version+".tar.gz")
	if err := writeFile(out, zipped, 0o644); err != nil {
		return "", err
	}
	b.logf("packed %s: %d files, %d bytes", filepath.Join("release", filepath.Base(out)), len(contents), len(zipped))
	return out, nil
}

// contents returns all files of a release.
func (b *Builder) contents() (map[string][]byte, error) {
	var relays []string
	for _, p := range platforms {
		relays = append(relays, relayName(p.os, p.arch))
	}
	names, err := dropin.Files(b.Root, relays)
	if err != nil {
		return nil, err
	}
	docs, err := b.documentation()
	if err != nil {
		return nil, err
	}
	contents := make(map[string][]byte)
	for _, name := range append(names, docs...) {
		if contents[name], err = os.ReadFile(b.path(name)); err != nil {
			return nil, fmt.Errorf("a release needs %s: %w", name, err)
		}
	}
	contents["LIBRARIES.txt"], err = b.licenses()
	return contents, err
}

// archive makes a tar archive in which everything is below WebSocket/.
func archive(contents map[string][]byte, mtime time.Time) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		header := &tar.Header{
			Name: path.Join("WebSocket", name), Size: int64(len(contents[name])),
			Mode: int64(dropin.Mode(name)), ModTime: mtime, Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
		if _, err := w.Write(contents[name]); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

var image = regexp.MustCompile(`!\[[^\]]*\]\(([^):]+)\)`)

// documentation returns the files that are for reading: README.md and the
// pictures in it, the licence, the service's unit, the types for editors.
func (b *Builder) documentation() ([]string, error) {
	readme, err := os.ReadFile(b.path("README.md"))
	if err != nil {
		return nil, err
	}
	names := []string{"COPYING", "README.md"}
	for _, m := range image.FindAllSubmatch(readme, -1) {
		names = append(names, string(m[1]))
	}
	for _, pattern := range []string{"contrib/*", "resources/*.d.ts"} {
		found, err := fs.Glob(os.DirFS(b.Root), pattern)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	return names, nil
}

// sourceTime is the time that packed files carry: SOURCE_DATE_EPOCH (see
// reproducible-builds.org) or that of the last commit, or 1970.
func (b *Builder) sourceTime() (time.Time, error) {
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		cmd := exec.Command("git", "log", "-1", "--format=%ct")
		cmd.Dir = b.Root
		out, err := cmd.Output()
		if err != nil {
			// Not a checkout, or one without commits.
			return time.Unix(0, 0), nil
		}
		seconds = strings.TrimSpace(string(out))
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(n, 0), nil
}
