package config

import "path/filepath"

// DefaultControl returns the path of the control socket of a relay that was not told one, "" for none.
func DefaultControl(getenv func(string) string) string {
	if dir := getenv("RUNTIME_DIRECTORY"); dir != "" {
		return filepath.Join(dir, "control.sock")
	}
	return ""
}

// ReadFile returns what a configuration file alone says, for programs that talk to the relay: paths stand as they are written there, and nothing is
// checked but the file itself.
func ReadFile(path string) (*Config, error) {
	c := Default()
	return c, c.readFile(path)
}
