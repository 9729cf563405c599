package logview

import (
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mediawiki-websocket/relay/apps/follow"
	"mediawiki-websocket/relay/apps/gate"
	"mediawiki-websocket/relay/apps/paced"
	"mediawiki-websocket/relay/sockets"
)

// A watched log is followed by one goroutine while it has viewers.
type watched struct {
	name, path string
	refresh    time.Duration
	view       *View
	turn       chan *viewer // who comes; nil: somebody has gone
	once       sync.Once
}

// tell hands v to the goroutine, unless the app ends.
func (l *watched) tell(v *viewer) {
	l.once.Do(func() { l.view.loops.Go(l.run) })
	select {
	case l.turn <- v:
	case <-l.view.done:
	}
}

func (l *watched) run() {
	for {
		select {
		case v := <-l.turn:
			if v != nil {
				l.show(v)
			}
		case <-l.view.done:
			return
		}
	}
}

// show follows the file until nobody looks any more.
func (l *watched) show(coming *viewer) {
	var viewers []*viewer
	var next lines
	f := follow.Open(follow.Options{Path: l.path, Refresh: l.refresh,
		Line: func(line []byte) {
			if next.add(line); len(next.Data) >= frameBytes {
				next.give(viewers...)
			}
		},
		Note: func(text string) {
			next.give(viewers...)
			for _, v := range viewers {
				v.say(words{"op": "note", "text": text})
			}
		},
	})
	defer f.Close()
	for {
		f.Poll()
		next.give(viewers...)
		if coming != nil {
			coming.begin(f)
			viewers, coming = append(viewers, coming), nil
		}
		viewers = slices.DeleteFunc(viewers, func(v *viewer) bool { return v.gone.Load() })
		if len(viewers) == 0 {
			return
		}
		select {
		case <-f.Changed():
		case coming = <-l.turn:
		case <-l.view.done:
			return
		}
	}
}

// frameBytes are the lines of a frame; the last of them may go beyond.
const frameBytes = 32 << 10

// lines is a frame in the making, which is encoded once for all viewers. Bytes that are not UTF-8 become U+FFFD.
type lines struct{ paced.Frame }

func (l *lines) add(line []byte) {
	text, _ := json.Marshal(string(line)) // strings cannot fail
	l.Items++
	if l.Data = append(l.Data, ','); l.Items == 1 {
		l.Data = []byte(`{"op":"lines","lines":[`)
	}
	l.Data = append(l.Data, text...)
}

// give puts the lines into the queues of viewers, and begins anew.
func (l *lines) give(viewers ...*viewer) {
	if l.Items > 0 {
		l.Data = append(l.Data, "]}"...)
		for _, v := range viewers {
			v.queue.Put(l.Frame)
		}
		l.Frame = paced.Frame{}
	}
}

// A viewer is one connection.
type viewer struct {
	log     *watched
	conn    *sockets.Conn
	queue   paced.Queue
	tail    int64 // bytes from before it came that it wants
	visitor *gate.Visitor
	in      bool // it may see the log; for the connection's own callbacks
	gone    atomic.Bool
}

// begin gives a viewer what it wants from before it came.
func (v *viewer) begin(f *follow.Follower) {
	var before lines
	for _, line := range f.Before(v.tail) {
		before.add(line)
	}
	before.give(v)
	v.say(words{"op": "ready", "log": v.log.name, "logs": v.log.view.names, "refresh": v.log.refresh.Milliseconds()})
	if f.Trouble() != "" {
		v.say(words{"op": "note", "text": f.Trouble()})
	}
}

type words map[string]any

// say sends what is not lines.
func (v *viewer) say(m words) {
	text, _ := json.Marshal(m) // nothing in it can fail
	v.conn.Send(sockets.Message{Data: text})
}
