package session

import "slices"

// tabPatience is how long a tab may take to answer before the next is asked, in milliseconds.
const tabPatience = 10_000

// A question is put to the tabs one after the other, the last that joined first: it is the most likely to be alive.
type question struct {
	s          *Session
	tab        string    // the client id of the tab that is asked, "" for none
	passed     []*member // those that have been asked
	patience   alarm
	put        func(*member)
	unanswered func() // nobody is left to ask
}

// ask begins with the last tab.
func (q *question) ask() {
	q.passed = nil
	q.next()
}

func (q *question) next() {
	q.over()
	for i := len(q.s.tabs) - 1; i >= 0; i-- {
		if m := q.s.tabs[i]; !slices.Contains(q.passed, m) {
			q.passed = append(q.passed, m)
			q.tab = m.client
			q.patience.start(tabPatience, q.next)
			q.put(m)
			return
		}
	}
	q.unanswered()
}

// over ends it: there is an answer, or no use for one.
func (q *question) over() {
	q.tab = ""
	q.patience.stop()
}

// asks reports whether it is this tab that is asked.
func (q *question) asks(client string) bool { return q.tab == client && client != "" }
