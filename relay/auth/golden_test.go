package auth

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// What the wiki's side makes of declarations: the same file is what that side is tested with.
func TestWikiAndRelayDisagreeAboutAPolicy(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "wire", "testdata", "registration.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name, Wiki string
		Body       json.RawMessage
		Decides    map[string]*string // type to the pattern that decides, null for none
	}
	if err := json.Unmarshal(data, &rows); err != nil || len(rows) == 0 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		wiki, err := ParseWiki(row.Wiki, row.Body)
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		for typ, want := range row.Decides {
			got := wiki.policies.find(typ)
			if (got == nil) != (want == nil) || got != nil && got.Pattern != *want {
				t.Errorf("%s: %q is decided by %+v", row.Name, typ, got)
			}
		}
	}
}
