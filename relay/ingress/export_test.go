package ingress

import "time"

// ClaimAfter sets how long an entry may be in the hands of another consumer; no source may be open.
func ClaimAfter(d time.Duration) { claimAfter = d }

// RetryMost sets how long is waited at most before a queue is tried again; no source may be open.
func RetryMost(d time.Duration) { retryMost = d }

// CloseMost sets for how long Close waits.
func CloseMost(d time.Duration) { closeMost = d }

// Timeouts sets how long an AMQP broker may be silent, times three, and how long Redis may hold an answer back and take to answer; no source may be open. It
// returns what was set.
func Timeouts(beat, poll, answer time.Duration) (time.Duration, time.Duration, time.Duration) {
	beat, heartbeat = heartbeat, beat
	poll, pollTime = pollTime, poll
	answer, answerTimeout = answerTimeout, answer
	return beat, poll, answer
}

// Backoff returns what waiting times follow one another.
func Backoff(least, most time.Duration, n int) []time.Duration {
	b := backoff{least: least, most: most}
	times := make([]time.Duration, n)
	for i := range times {
		times[i] = b.next()
	}
	return times
}
