package conn

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Quotas gives each wiki a token bucket of its own, so that what is done in one wiki's name is taken from no other's, and no wiki waits for
// another's. The wikis are the registered ones, and "" for connections that belong to none.
type Quotas struct{ by sync.Map } // wiki id to *rate.Limiter

// Allow takes n from the wiki's bucket, which is full at first, and reports whether there was so much.
func (q *Quotas) Allow(wiki string, r Rate, n int) bool {
	l, known := q.by.Load(wiki)
	if !known {
		l, _ = q.by.LoadOrStore(wiki, rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst))
	}
	return l.(*rate.Limiter).AllowN(time.Now(), n)
}
