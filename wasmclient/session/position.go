package session

import "slices"

// Since is what a tab has had of a type: everything up to a position or, when Epoch is "", up to a time. The zero value is a tab that wants nothing from
// before.
type Since struct {
	Epoch  string // says from which counting the offset is
	Offset uint64
	Time   int64 // Unix seconds, 0 with an Epoch
}

// covers reports whether a replay that begins after since has all that is missing to somebody who has had other.
func (since Since) covers(other Since) bool {
	return since.Epoch == other.Epoch && since.Time == other.Time && since.Offset <= other.Offset
}

// A listener is a tab that wants a type.
type listener struct {
	*member
	had     Since
	waiting bool // for the relay's answer, behind which comes what it has missed, and what came before that; nothing before that is for it
	served  bool // the answer is there, though perhaps not all that it has missed
}

// begin: it has had everything up to now.
func (l *listener) begin(typ string, now Since) {
	if l.waiting = false; now.Epoch != "" { // else it has nothing that a relay could begin from
		l.had = now
		l.Position(typ, now.Epoch, now.Offset)
	}
}

// take reports whether a message is new to it.
func (l *listener) take(epoch string, offset uint64) bool {
	if l.waiting || offset != 0 && l.had.Epoch != "" && offset <= l.had.Offset {
		return false
	}
	if offset != 0 && epoch != "" {
		l.had = Since{Epoch: epoch, Offset: offset}
	}
	return true
}

// suspend makes all tabs wait: the subscription has a gap.
func (sub *subscription) suspend() {
	for _, l := range sub.tabs {
		l.waiting, l.served = true, false
	}
}

// refuse: the relay does not have it.
func (sub *subscription) refuse() {
	sub.refused = true
	sub.suspend()
}

// since is where the next replay is to begin. It need not be enough for all: positions of another counting, and times, have a replay each.
func (sub *subscription) since() (since Since) {
	for _, l := range sub.tabs {
		if l.waiting && (since == Since{} || since.Epoch != "" && since.Epoch == l.had.Epoch && l.had.Offset < since.Offset) {
			since = l.had
		}
	}
	return since
}

// serve lets those tabs go on that the relay's answer is for, and reports whether another replay is needed for others.
func (s *Session) serve(sub *subscription, asked Since, f *Frame) (again bool) {
	now := Since{Epoch: f.Epoch, Offset: f.Offset}
	if sub.epoch != f.Epoch {
		sub.epoch, sub.last = f.Epoch, 0
	}
	sub.reached, sub.last = f.Offset, max(sub.last, f.Offset)
	s.replaying = sub
	for _, l := range sub.tabs {
		switch had := l.had; {
		case !l.waiting:
		case l.named > f.ID: // the relay did not know of it yet, and has left out what was for it
			again = true
		case had == Since{}:
			l.begin(sub.typ, now)
		case had.Epoch != "" && had.Epoch != f.Epoch, had == asked && !f.Recovered:
			l.begin(sub.typ, now)
			l.Missed(sub.typ)
		case f.Recovered && asked.covers(had):
			l.waiting, l.served = false, true
		default:
			again = true
		}
	}
	return again
}

// settle: a replay is complete as soon as the relay answers anything else.
func (s *Session) settle() {
	sub := s.replaying
	if s.replaying = nil; sub == nil {
		return
	}
	for _, l := range sub.tabs {
		if l.served && (l.had.Epoch == "" || l.had.Offset < sub.reached) {
			l.begin(sub.typ, Since{Epoch: sub.epoch, Offset: sub.reached})
		}
		l.served = false
	}
}

// resume is a tab that subscribes to what it has already, and says what it has had: what was posted to it in the meantime may have been lost on its way,
// or it wants more from before. It reports whether that takes a replay.
func (l *listener) resume(typ string, since Since) bool {
	switch had := l.had; {
	case since == Since{}, since == had:
		return false
	case since.Epoch != "":
		if had.Epoch == since.Epoch && had.Offset <= since.Offset {
			return false
		}
		l.had = since
	case l.waiting && had.Epoch != "": // two replays for one tab would not be in order
		l.Missed(typ)
		return false
	default:
		l.had = since
	}
	l.waiting, l.served = true, false
	return true
}

// listener returns the one of a tab, nil when it does not want the type.
func (sub *subscription) listener(m *member) *listener {
	i := slices.IndexFunc(sub.tabs, func(l *listener) bool { return l.member == m })
	if i < 0 {
		return nil
	}
	return sub.tabs[i]
}
