package session

// An alarm runs a function on the session's goroutine once, after some milliseconds, unless it is stopped or started again before.
type alarm struct {
	s      *Session
	cancel func() // nil: it does not run
	// round tells a timer that fired from one that has been stopped while its event was on the way.
	round int
}

func (a *alarm) start(ms int, f func()) {
	a.stop()
	round := a.round
	a.cancel = a.s.config.After(ms, func() {
		a.s.post(func() {
			if a.round == round {
				a.stop()
				f()
			}
		})
	})
}

func (a *alarm) stop() {
	a.round++
	if a.cancel != nil {
		a.cancel()
		a.cancel = nil
	}
}

func (a *alarm) running() bool { return a.cancel != nil }
