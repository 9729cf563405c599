package session

import "time"

const (
	firstWindow = 500 * time.Millisecond
	lastWindow  = 30 * time.Second
	// asleepWindow is for a browser that nobody looks at or that is offline: it still comes back by itself, but relays and wikis that
	// restart are not asked by all background tabs at once.
	asleepWindow = 5 * time.Minute
	// lasting is how long a connection must hold before the loss of it counts as the first.
	lasting = 10 * time.Second
)

// attempts counts failed attempts and says how long to wait for the next: "full jitter", a random part of a window that doubles each time
// (Brooker, Exponential Backoff And Jitter, 2015). The first wait is random too: whoever loses a relay loses it with thousands of others.
type attempts int

func (a *attempts) next(random float64, asleep bool) time.Duration {
	window := lastWindow
	if *a < 6 {
		window = min(firstWindow<<*a, lastWindow)
	}
	*a++
	if asleep {
		window = asleepWindow
	}
	return time.Duration(random * float64(window))
}
