package server

// PollsWaiting returns how many polls wait for frames.
func (s *Server) PollsWaiting() (n int) {
	for _, f := range s.fallbacks.all() {
		if p, ok := f.out.(*polled); ok {
			p.mu.Lock()
			if p.waiting != nil {
				n++
			}
			p.mu.Unlock()
		}
	}
	return n
}

// LimitFiles makes the relay believe that it may open so many files. It is to be called before anybody connects.
func (s *Server) LimitFiles(n int) {
	s.files.mu.Lock()
	defer s.files.mu.Unlock()
	s.files.max = n
}

// FallbacksKept returns how many connections over plain HTTP are known, those included that have ended.
func (s *Server) FallbacksKept() int { return len(s.fallbacks.all()) }

// FramesHeld returns how many bytes of frames wait for polls.
func (s *Server) FramesHeld() int {
	s.fallbacks.mu.Lock()
	defer s.fallbacks.mu.Unlock()
	return s.fallbacks.held
}
