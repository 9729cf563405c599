package conn

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Quotas gives each wiki a token bucket of its own, so that what is done in one wiki's name is taken from no other's. The wikis are the registered
// ones, and "" for connections that belong to none.
type Quotas struct {
	mu sync.Mutex
	by map[string]*rate.Limiter
}

// Allow takes n from the wiki's bucket, which is full at first, and reports whether there was so much.
func (q *Quotas) Allow(wiki string, r Rate, n int) bool {
	q.mu.Lock()
	l := q.by[wiki]
	if l == nil {
		if q.by == nil {
			q.by = make(map[string]*rate.Limiter)
		}
		l = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
		q.by[wiki] = l
	}
	q.mu.Unlock()
	return l.AllowN(time.Now(), n)
}
