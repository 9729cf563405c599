package session

// In milliseconds.
const (
	firstWindow = 500
	lastWindow  = 30_000
	// asleepWindow is for a browser that nobody looks at or that is offline: it still comes back by itself, but relays and wikis that
	// restart are not asked by all background tabs at once.
	asleepWindow = 5 * 60_000
	// lasting is how long a connection must hold before the loss of it counts as the first.
	lasting = 10_000
	// floodPause is how long a browser stays away at least after it was closed for sending too fast: what its pages do will not have changed sooner.
	floodPause = 5_000
)

// attempts counts failed attempts and says how long to wait for the next: "full jitter", a random part of a window that doubles each time
// (Brooker, Exponential Backoff And Jitter, 2015). The first wait is random too: whoever loses a relay loses it with thousands of others.
type attempts int

// Wait returns how many milliseconds a client without a session waits before another attempt, when so many have failed in a row; random is in [0, 1).
func Wait(failed int, random float64) int {
	a := attempts(failed)
	return a.next(random, false)
}

// next returns milliseconds.
func (a *attempts) next(random float64, asleep bool) int {
	window := lastWindow
	if *a < 6 {
		window = min(firstWindow<<*a, lastWindow)
	}
	*a++
	if asleep {
		window = asleepWindow
	}
	return int(random * float64(window))
}
