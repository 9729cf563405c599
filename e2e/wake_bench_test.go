package e2e

import (
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// laptop is a browser with one page, which listens.
type laptop struct {
	*wikitest.Browser
	context *wikitest.Context
	worker  *wikitest.Tab
}

// BenchmarkWake measures how long it takes until a page has everything again that it missed, since the machine has woken up after its connections have
// died, or since the network is back. ms/worst is what must stay below 2000.
func BenchmarkWake(b *testing.B) {
	w := wikitest.Start(b, wikitest.Options{Server: "nginx", Settings: keeping + "$wgWebSocketPageBar = false;"})
	for name, away := range map[string]func(*testing.B, *series, laptop) (back func()){"sleep": sleep, "outage": outage} {
		b.Run(name, func(b *testing.B) {
			s := newSeries(b, w)
			l := laptop{Browser: wikitest.OwnBrowser(b)}
			l.context = l.NewTappedContext(b)
			s.hear(connect(b, l.context, w, "Main_Page"))
			l.worker = l.context.Worker(b)
			var all, worst int64
			n := 0
			for b.Loop() {
				back := away(b, s, l)
				back()
				ms := s.caughtUp(name)
				all += ms
				worst = max(worst, ms)
				n++
			}
			s.complete()
			b.ReportMetric(float64(all)/float64(n), "ms/caught-up")
			b.ReportMetric(float64(worst), "ms/worst")
			b.ReportMetric(0, "ns/op") // most of it is the absence
		})
	}
}

func sleep(b *testing.B, s *series, l laptop) (wakeUp func()) {
	thaw := l.Freeze(b)
	shut := time.After(asleep)
	l.context.Deaden()
	s.say(50)
	<-shut
	return thaw
}

func outage(b *testing.B, s *series, l laptop) (back func()) {
	online := s.loseConnections(l.context)
	s.say(50)
	wikitest.Eventually(b, "the page has tried to come back", func() bool { return l.context.Refused() > 2 })
	return func() {
		online()
		l.worker.Run(`dispatchEvent( new Event( 'online' ) )`) // as a browser says it whose network is back
	}
}
