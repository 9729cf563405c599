// Package logview shows in browsers what is added to log files, as it comes.
//
// At each of its URLs there is a page, and at URL/connect?log=NAME its socket. Text frames, each a JSON object. From page to relay:
//
//	{"op":"open","token":T}    comes first, within ten seconds; without "token" where none is needed
//	{"op":"ack","frames":N}    so many frames of lines have been taken in, all in all: who never says this is told little
//
// From relay to page:
//
//	{"op":"ready","log":NAME,"logs":[NAME,…],"refresh":ms}   what can be seen; from here on the lines are new
//	{"op":"lines","lines":["…",…]}                           without their ends; longer than 8 KiB they are cut
//	{"op":"missed","lines":N}                                so many lines, after what came before, are left out: the page was too slow
//	{"op":"note","text":"…"}                                 what happened to the file
//
// A socket with "tail=KiB" gets the last lines of the file first, 64 KiB at most. Besides the relay's close codes there are 4403 for a token that is wrong
// or missing and 4429 for the next one after too many of them.
package logview

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"mediawiki-websocket/relay/apps/follow"
	"mediawiki-websocket/relay/apps/gate"
	"mediawiki-websocket/relay/apps/page"
	"mediawiki-websocket/relay/sockets"
	"mediawiki-websocket/relay/wire"
)

//go:embed page
var files embed.FS

const tailKiB = 64

// Config is what the app is told.
type Config struct {
	URLs    []string          // absolute paths without a slash at the end
	Files   map[string]string // name to absolute path
	Refresh time.Duration     // between two looks at a file; 0: it is looked at when it changes
	Tokens  []string          // each lets in who has it; none: whoever is on this machine
	Local   bool              // the relay can be reached from this machine only; else there must be tokens
	Group   *sockets.Group
}

// A View is the app, for all of its URLs. Close ends it.
type View struct {
	group *sockets.Group
	gate  *gate.Gate
	pages http.Handler
	logs  map[string]*watched
	names []string
	done  chan struct{} // closed by Stop
	stop  sync.Once
	loops sync.WaitGroup
}

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// New returns the app, or an error for the operator.
func New(c Config) (*View, error) {
	guard, err := gate.New(c.Tokens)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--log-tokens: %w", err)
	case len(c.Files) == 0:
		return nil, errors.New("there is nothing to show: name files with --log-file NAME=PATH")
	case !guard.Closed() && !c.Local:
		return nil, errors.New("everybody could see the logs: say with --log-tokens FILE who may, or --listen on 127.0.0.1")
	}
	v := &View{group: c.Group, gate: guard, logs: make(map[string]*watched), done: make(chan struct{})}
	for name, path := range c.Files {
		if !fileName.MatchString(name) {
			return nil, fmt.Errorf("--log-file %.256q: a name has up to 64 letters, digits and ._-", name+"="+path)
		}
		v.logs[name] = &watched{name: name, path: path, refresh: c.Refresh, view: v, turn: make(chan *viewer)}
	}
	v.names = slices.Sorted(maps.Keys(v.logs))
	v.pages = page.Handler(page.App{URLs: c.URLs, Files: files, Folder: "page", Framers: "'none'", Connect: v.connect})
	return v, nil
}

// Stop ends what follows the files, and does not wait for it: from here on no connection waits for it either when it ends.
func (v *View) Stop() { v.stop.Do(func() { close(v.done) }) }

// Close ends what follows the files, and waits for it. Whoever waits for the connections before has to call Stop first.
func (v *View) Close() {
	v.Stop()
	v.loops.Wait()
}

// ServeHTTP serves the app at its URLs and below.
func (v *View) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !v.gate.Closed() && !gate.Local(r):
		http.Error(w, "the log view is for this machine only, under the name localhost; for others the relay needs --log-tokens", http.StatusForbidden)
	case v.find(r) == nil:
		http.Error(w, "there is no log of this name", http.StatusNotFound)
	default:
		v.pages.ServeHTTP(w, r)
	}
}

// find returns the log that a request names, the first if it names none, or nil.
func (v *View) find(r *http.Request) *watched {
	return v.logs[cmp.Or(r.URL.Query().Get("log"), v.names[0])]
}

func (v *View) connect(_ string, w http.ResponseWriter, r *http.Request) {
	l := v.find(r)
	if err := follow.Check(l.path); err != nil {
		http.Error(w, "this log cannot be shown: "+err.Error(), http.StatusForbidden)
		return
	}
	who := &viewer{log: l}
	who.queue.Send = func(data []byte) { who.conn.Send(sockets.Message{Data: data}) } // an error: Closed follows
	who.queue.Missed = func(n int) { who.say(words{"op": "missed", "lines": n}) }
	if kib, err := strconv.ParseUint(r.URL.Query().Get("tail"), 10, 16); err == nil {
		who.tail = int64(min(kib, tailKiB)) << 10
	}
	v.group.Accept(w, r, sockets.Handler{
		Opened:  func(c *sockets.Conn) { who.conn, who.visitor = c, v.gate.Await(c) },
		Message: func(_ *sockets.Conn, m sockets.Message) { v.message(who, m) },
		Closed: func(*sockets.Conn, int) {
			who.visitor.Gone()
			who.gone.Store(true)
			l.tell(nil)
		},
	})
}

func (v *View) message(who *viewer, m sockets.Message) {
	var said struct {
		Op, Token string
		Frames    int
	}
	err := json.Unmarshal(m.Data, &said)
	switch {
	case err == nil && said.Op == "ack" && who.in:
		who.queue.Ack(said.Frames)
	case err == nil && said.Op == "open" && !who.in:
		if who.in = who.visitor.Show(said.Token); who.in {
			v.group.Log("somebody looks at a log", "log", who.log.name, "address", who.conn.RemoteAddr())
			who.log.tell(who)
		}
	default:
		who.conn.Close(wire.CloseBadProtocol.Code, wire.CloseBadProtocol.Reason)
	}
}
