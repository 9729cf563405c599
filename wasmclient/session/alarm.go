package session

import "time"

// An alarm runs a function on the session's goroutine once, after some time, unless it is stopped or started again before.
type alarm struct {
	post  func(func())
	timer *time.Timer
	// round tells a timer that fired from one that has been stopped while its event was on the way.
	round int
}

func (a *alarm) start(after time.Duration, f func()) {
	a.stop()
	round := a.round
	a.timer = time.AfterFunc(after, func() {
		a.post(func() {
			if a.round == round {
				a.stop()
				f()
			}
		})
	})
}

func (a *alarm) stop() {
	a.round++
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

func (a *alarm) running() bool { return a.timer != nil }
