package builder

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"mediawiki-websocket/build/dropin"
)

// Package writes release/WebSocket-VERSION.tar.gz from what has been built,
// and returns its name. Equal content gives equal bytes: the files are
// sorted, belong to root, and carry the time of the last commit or of
// SOURCE_DATE_EPOCH.
func (b *Builder) Package() (string, error) {
	version, err := b.Version()
	if err != nil {
		return "", err
	}
	files, err := dropin.Files(b.Root, b.relayNames())
	if err != nil {
		return "", err
	}
	files = append(files, "COPYING", "README.md")
	sort.Strings(files)
	mtime, err := b.sourceTime()
	if err != nil {
		return "", err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range files {
		data, err := os.ReadFile(b.path(name))
		if err != nil {
			return "", err
		}
		header := &tar.Header{
			Name: path.Join("WebSocket", name), Size: int64(len(data)),
			Mode: int64(dropin.Mode(name)), ModTime: mtime, Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(header); err != nil {
			return "", fmt.Errorf("pack %s: %w", name, err)
		}
		if _, err := w.Write(data); err != nil {
			return "", fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	zipped, err := compress(archive.Bytes())
	if err != nil {
		return "", err
	}
	out := b.path("release", "WebSocket-"+version+".tar.gz")
	if err := writeFile(out, zipped, 0o644); err != nil {
		return "", err
	}
	b.logf("packed %s: %d files, %d bytes", filepath.Join("release", filepath.Base(out)), len(files), len(zipped))
	return out, nil
}

func (b *Builder) relayNames() []string {
	if !b.Release {
		return []string{"websocket-relay"}
	}
	var names []string
	for _, p := range platforms {
		names = append(names, relayName(p.os, p.arch))
	}
	return names
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
