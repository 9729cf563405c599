package builder

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Check checks what has been built and what the build takes as it is:
// imports, sizes, syntax, messages.
func (b *Builder) Check() error {
	return errors.Join(b.CheckImports(), b.checkScripts(), b.CheckSizes(), b.CheckMessages())
}

// CheckMessages checks the interface texts: every English message has its
// documentation for translators in qqq.json, and no language has a message
// that English does not have.
func (b *Builder) CheckMessages() error {
	en, err := b.messages("en")
	if err != nil {
		return err
	}
	qqq, err := b.messages("qqq")
	if err != nil {
		return err
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(en)) {
		if strings.TrimSpace(en[key]) == "" {
			errs = append(errs, fmt.Errorf("i18n/en.json: %s is empty", key))
		}
		if strings.TrimSpace(qqq[key]) == "" {
			errs = append(errs, fmt.Errorf("i18n/qqq.json: %s is not documented", key))
		}
	}
	files, err := filepath.Glob(b.path("i18n", "*.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		language := strings.TrimSuffix(filepath.Base(file), ".json")
		messages, err := b.messages(language)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(messages)) {
			if _, ok := en[key]; !ok {
				errs = append(errs, fmt.Errorf("i18n/%s.json: %s is not in en.json", language, key))
			}
		}
	}
	return errors.Join(errs...)
}

// messages reads one language, without its @metadata.
func (b *Builder) messages(language string) (map[string]string, error) {
	name := filepath.Join("i18n", language+".json")
	raw, err := os.ReadFile(b.path(name))
	if err != nil {
		return nil, err
	}
	var entries map[string]any
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	messages := make(map[string]string)
	for key, value := range entries {
		if strings.HasPrefix(key, "@") {
			continue
		}
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("%s: %s is not a text", name, key)
		}
		messages[key] = text
	}
	return messages, nil
}
