package report

import (
	"cmp"
	"slices"
)

// cell is one number of some measurements: those that agree with what is not zero here.
type cell struct {
	Key
	value string
}

func (c *cell) has(r *Row) bool {
	_, ok := r.Values[c.value]
	return ok && r.Scenario == c.Scenario && r.Peer == c.Peer && (c.Variant == "" || r.Variant == c.Variant) &&
		(c.N == 0 || r.N == c.N) && (c.Size == 0 || r.Size == c.Size) && (c.Window == 0 || r.Window == c.Window)
}

// spread is a number that was measured several times.
type spread struct {
	median, least, most float64
	disturbed           bool // there is none that was not
	known               bool // there is one
}

// of returns a cell's numbers. Measurements that were disturbed count only where there are no others.
func (c *cell) of(rows []Row) spread {
	return choose(rows, c.has, func(r *Row) (float64, bool) { return r.Values[c.value], r.Disturbed })
}

// over returns a's numbers, each divided by b's of the same run.
func over(rows []Row, a, b *cell) spread {
	return choose(rows, a.has, func(r *Row) (float64, bool) {
		same := b.of(slices.DeleteFunc(slices.Clone(rows), func(other Row) bool { return other.Run != r.Run }))
		if !same.known || same.median == 0 {
			return 0, true
		}
		return r.Values[a.value] / same.median, r.Disturbed || same.disturbed
	})
}

func choose(rows []Row, has func(*Row) bool, number func(*Row) (n float64, disturbed bool)) spread {
	var clean, all []float64
	for i := range rows {
		if !has(&rows[i]) {
			continue
		}
		n, disturbed := number(&rows[i])
		if all = append(all, n); !disturbed {
			clean = append(clean, n)
		}
	}
	s := spread{known: len(all) > 0, disturbed: len(clean) == 0}
	if s.disturbed {
		clean = all
	}
	if !s.known {
		return s
	}
	slices.SortFunc(clean, cmp.Compare)
	n := len(clean)
	s.median, s.least, s.most = (clean[(n-1)/2]+clean[n/2])/2, clean[0], clean[n-1]
	return s
}
