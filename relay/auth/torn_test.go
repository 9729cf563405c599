package auth

import (
	"path/filepath"
	"testing"
	"time"
)

// A disk that was full for a moment leaves half a line, which must not swallow the next.
func TestRevocationAfterAFailedWriteIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked.jsonl")
	r, _, err := OpenRevocations(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.file.WriteString(`{"wiki":"a:","user":"ha`)
	r.file.Close()
	now := time.Now()
	first, second := Revocation{Wiki: "a:", User: "first"}, Revocation{Wiki: "a:", User: "second"}
	if r.Add(first, now) == nil {
		t.Error("a write that failed is no error")
	}
	if err := r.Add(second, now); err != nil {
		t.Fatal(err)
	}
	r.Close()
	r, skipped, err := OpenRevocations(path, nil)
	if err != nil || skipped != 0 || !r.Has(first, now) || !r.Has(second, now) {
		t.Errorf("%d lines lost, %v", skipped, err)
	}
	r.Close()
}
