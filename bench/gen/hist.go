package gen

import "math/bits"

const (
	steps  = 64 // to each power of two, so that a quantile is at most 1.6 % low
	powers = 48
)

// Hist is a histogram of durations in nanoseconds whose steps grow with the values.
type Hist struct {
	N       uint64 // how many values it has
	Longest int64
	counts  [steps * powers]uint64
}

// Add takes one value; a negative one counts as zero.
func (h *Hist) Add(ns int64) {
	ns = max(ns, 0)
	h.Longest = max(h.Longest, ns)
	h.N++
	h.counts[bucket(uint64(ns))]++
}

// Quantile returns the q-quantile, 0 ≤ q ≤ 1, in milliseconds; 0 when there is no value.
func (h *Hist) Quantile(q float64) float64 {
	if h.N == 0 {
		return 0
	}
	want := min(uint64(q*float64(h.N)), h.N-1)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen > want {
			return float64(lowest(i)) / 1e6
		}
	}
	return float64(h.Longest) / 1e6
}

// Reset forgets all values.
func (h *Hist) Reset() { *h = Hist{} }

func bucket(v uint64) int {
	if v < steps {
		return int(v)
	}
	shift := bits.Len64(v) - bits.Len(steps)
	return min((shift+1)*steps+int(v>>shift)-steps, steps*powers-1)
}

// lowest returns the smallest value of a bucket.
func lowest(i int) int64 {
	if i < steps {
		return int64(i)
	}
	return int64(i%steps+steps) << (i/steps - 1)
}
