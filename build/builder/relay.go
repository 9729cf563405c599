package builder

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// platforms are those that a release has a relay for.
var platforms = []struct{ os, arch string }{{"linux", "amd64"}, {"linux", "arm64"}}

// Relay builds bin/websocket-relay for this machine or, for a release,
// bin/websocket-relay-OS-ARCH for every platform. They are static: they run
// on any distribution.
func (b *Builder) Relay() error {
	if !b.Release {
		return b.relay(runtime.GOOS, runtime.GOARCH, "websocket-relay")
	}
	for _, p := range platforms {
		if err := b.relay(p.os, p.arch, relayName(p.os, p.arch)); err != nil {
			return err
		}
	}
	return nil
}

func relayName(goos, arch string) string { return "websocket-relay-" + goos + "-" + arch }

func (b *Builder) relay(goos, arch, name string) error {
	version, err := b.Version()
	if err != nil {
		return err
	}
	module, err := b.goTool(nil, "list", "-m")
	if err != nil {
		return err
	}
	// The go command takes -o as relative to its own folder, which is Root.
	out := filepath.Join("bin", name)
	tmp := out + ".new"
	env := []string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + arch, "GOFLAGS=-buildvcs=false"}
	if _, err := b.goTool(env, "build", "-trimpath", "-ldflags", "-s -w -buildid= -X "+module+"/relay/config.Version="+version, "-o", tmp, "./relay"); err != nil {
		return err
	}
	if err := checkStatic(b.path(tmp)); goos == "linux" && err != nil {
		return err
	}
	if goos == runtime.GOOS && arch == runtime.GOARCH {
		if err := checkVersion(b.path(tmp), version); err != nil {
			return err
		}
	}
	if err := os.Chmod(b.path(tmp), 0o755); err != nil {
		return err
	}
	// Renamed, because a relay that runs holds the old file open for execution.
	if err := os.Rename(b.path(tmp), b.path(out)); err != nil {
		return err
	}
	b.logf("built %s", out)
	return nil
}

// checkVersion asks the relay itself, because the linker says nothing when it
// is to set a variable that does not exist.
func checkVersion(name, version string) error {
	abs, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	out, err := exec.Command(abs, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", name, err)
	}
	if !slices.Contains(strings.Fields(string(out)), version) {
		return fmt.Errorf("%s --version says %q, want %s", name, out, version)
	}
	return nil
}

func checkStatic(name string) error {
	f, err := elf.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static: it asks for a loader", name)
		}
	}
	return nil
}
