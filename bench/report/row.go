// Package report turns measurements into a table of ratios.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
)

// MostOthers is the share of the server's core that other programs may have had in a measurement that counts.
const MostOthers = 0.08

// Row is one measurement.
type Row struct {
	Scenario  string             `json:"scenario"`
	Peer      string             `json:"peer"`
	Variant   string             `json:"variant,omitempty"` // of the scenario
	N         int                `json:"n,omitempty"`       // subscribers or connections
	Size      int                `json:"size,omitempty"`    // bytes of a payload
	Window    int                `json:"window,omitempty"`  // messages in flight; 0: at a fixed rate
	Run       int                `json:"run"`
	Disturbed bool               `json:"disturbed,omitempty"` // the cores did not share a cache, or other programs disturbed it
	Values    map[string]float64 `json:"values"`
}

// Key tells what was measured; rows with the same key are the same measurement, repeated.
type Key struct {
	Scenario, Peer, Variant string
	N, Size, Window         int
}

// Key returns the row's.
func (r *Row) Key() Key { return Key{r.Scenario, r.Peer, r.Variant, r.N, r.Size, r.Window} }

// Write writes the row as a line of JSON.
func (r *Row) Write(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Read reads lines of JSON until their end.
func Read(r io.Reader) (rows []Row, err error) {
	for d := json.NewDecoder(r); ; {
		var row Row
		switch err := d.Decode(&row); err {
		case nil:
			rows = append(rows, row)
		case io.EOF:
			return rows, nil
		default:
			return rows, err
		}
	}
}

// String returns the row as one line for whoever watches.
func (r *Row) String() string {
	head := fmt.Sprintf("%d %-9s %-12s %-8s", r.Run, r.Scenario, r.Peer, r.Variant)
	if r.Window > 0 {
		head += fmt.Sprintf(" n=%d size=%d window=%d", r.N, r.Size, r.Window)
	} else {
		head += fmt.Sprintf(" n=%d", r.N)
	}
	if r.Disturbed {
		head += " DISTURBED"
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		head += fmt.Sprintf(" %s=%.4g", name, r.Values[name])
	}
	return head
}
