package server

import (
	"bufio"
	"container/list"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/gorilla/mux"

	"mediawiki-websocket/relay/conn"
	"mediawiki-websocket/relay/wire"
)

// Connections over plain HTTP, for networks that let no WebSocket through; package wire says what is said, under "Over plain HTTP". Inside of the relay each
// is a WebSocket client at the other end of a pipe, so that limits, rates, rights and close codes are the same for all.
const (
	firstLineBytes = 128 // of a body
	sendFrames     = 4   // so many of the largest frames fit into one body

	streamQuiet = 15 * time.Second // after so much silence a stream gets a comment: proxies end what says nothing
	pollHold    = 25 * time.Second // how long a poll waits for frames
	pollGrace   = 40 * time.Second // a connection that nobody polls for so long has ended
	pollBytes   = 256 << 10        // frames in one answer, but always one
	lingerBytes = 4 << 10          // frames that are kept for a last poll when the connection has ended
	heldBytes   = 64 << 20         // frames for all polls: when there are more, connections end that nobody polls just now
)

// The names of the transports, as metrics have them.
const (
	transportStream = "sse"
	transportPoll   = "poll"
)

// fallback is a connection over plain HTTP.
type fallback struct {
	s         *Server
	key       string // 130 random bits
	origin    string // the only one that the key is good for
	transport string
	ws        atomic.Pointer[websocket.Conn] // nil: it has ended, and waits for a last poll only
	known     atomic.Bool                    // the relay knows whose it is
	used      atomic.Bool                    // somebody has its key, and has used it
	out       outlet

	line  *list.List    // where it waits for a last poll; guarded by the fallbacks' lock, as place is
	place *list.Element // nil: it does not
	quiet *list.Element // among those that nobody polls just now; guarded by the same lock, as the next are
	held  int           // bytes of frames for its polls
	given bool          // it must end, and its frames do not count any more

	sending sync.Mutex // one request after the other
	sent    uint64     // the number of the last one
}

// outlet takes frames to the browser. Its methods may be called concurrently, but put and flush only by the connection's pump.
type outlet interface {
	put(frame []byte) error // waits for room; after an error the connection ends
	flush()                 // nothing more will be put for a while
	ping() (answered bool)  // reports whether the peer has shown already that it is there
	welcome()               // the peer has said who it is
	end(why wire.Close)     // is put's end
	abort()                 // ends all waiting
}

// fallbacks are the connections over plain HTTP, by key.
type fallbacks struct {
	mu    sync.Mutex
	byKey map[string]*fallback
	tasks sync.WaitGroup // their goroutines, which end with the connection

	// Those that have ended and wait for a last poll, the oldest first, as *fallback; strangers are those that had not said who they are.
	strangers, users list.List

	held  int       // bytes of frames for polls
	quiet list.List // those that nobody polls just now, since when, as *fallback
}

// rest notes whether somebody polls f just now.
func (fs *fallbacks) rest(f *fallback, quiet bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.quiet != nil {
		fs.quiet.Remove(f.quiet)
		f.quiet = nil
	}
	if quiet {
		f.quiet = fs.quiet.PushBack(f)
	}
}

// hold counts frames that are kept for polls of f, or not any more. When there are too many it returns the connection that must end: the one that nobody has
// polled for longest. A page polls again within a moment.
func (fs *fallbacks) hold(f *fallback, bytes int) (end *fallback) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.given {
		return nil
	}
	f.held += bytes
	fs.held += bytes
	if oldest := fs.quiet.Front(); oldest != nil && bytes > 0 && fs.held > heldBytes {
		end = fs.quiet.Remove(oldest).(*fallback)
		end.quiet, end.given = nil, true
		fs.held -= end.held // it is as good as gone, and only one has to go
	}
	return end
}

func (fs *fallbacks) add(f *fallback) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.byKey == nil {
		fs.byKey = make(map[string]*fallback)
	}
	fs.byKey[f.key] = f
}

func (fs *fallbacks) remove(f *fallback) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.byKey, f.key)
	if f.place != nil {
		f.line.Remove(f.place)
		f.place = nil
	}
	if f.quiet != nil {
		fs.quiet.Remove(f.quiet)
		f.quiet = nil
	}
}

// linger lets f, which has ended, wait for a last poll. There are at most so many of its kind: it returns the one that must make room, or nil.
func (fs *fallbacks) linger(f *fallback, most int) (end *fallback) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.line = &fs.strangers; f.known.Load() {
		f.line = &fs.users
	}
	f.place = f.line.PushBack(f)
	if f.line.Len() > most {
		end = f.line.Remove(f.line.Front()).(*fallback)
		end.place = nil
	}
	return end
}

// get returns the connection of a key that was given to a page of that origin, or nil.
func (fs *fallbacks) get(key, origin string) *fallback {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.byKey[key]; f != nil && f.origin == origin {
		return f
	}
	return nil
}

func (fs *fallbacks) all() []*fallback {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var all []*fallback
	for _, f := range fs.byKey {
		all = append(all, f)
	}
	return all
}

// count returns how many connections there are of a transport.
func (fs *fallbacks) count(transport string) (n int) {
	for _, f := range fs.all() {
		if f.transport == transport {
			n++
		}
	}
	return n
}

// abort ends all waiting for peers.
func (fs *fallbacks) abort() {
	for _, f := range fs.all() {
		f.out.abort()
	}
}

// close waits for everything that is under way, after all connections have ended, and forgets those that wait for a last poll.
func (fs *fallbacks) close() {
	fs.tasks.Wait()
	fs.abort()
}

// run starts a goroutine that belongs to a connection. A fault in it ends that connection only.
func (f *fallback) run(task func()) {
	f.s.fallbacks.tasks.Go(func() {
		defer func() {
			if fault := recover(); fault != nil {
				f.s.env.Panics.Add(1)
				f.s.log.Error("fault in a connection", "fault", fault, "stack", string(debug.Stack()))
				f.hangUp()
				f.out.abort()
			}
		}()
		task()
	})
}

// isFallback reports whether r is one of the requests that carry a connection. Proxies may ask for an upgrade in it too, but they make up no key for that.
func isFallback(r *http.Request, _ *mux.RouteMatch) bool {
	return r.Method == http.MethodPost && len(r.Header.Values("Sec-WebSocket-Key")) == 0
}

// fallback answers the requests that carry a connection.
func (s *Server) fallback(w http.ResponseWriter, r *http.Request) {
	if !s.fromHere(w, r) {
		return
	}
	origin := r.Header.Get("Origin")
	if origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
	}
	w.Header().Set("Vary", "Origin")
	w.Header().Set("Cache-Control", "no-store, no-transform")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	body := bufio.NewReaderSize(http.MaxBytesReader(w, r.Body, int64(sendFrames*s.cfg.Limits.FrameBytes)), firstLineBytes)
	line, err := body.ReadSlice('\n')
	words := strings.Fields(string(line))
	if err != nil && err != io.EOF || len(words) == 0 {
		refuse(w, badFallback)
		return
	}
	if words[0] != "send" {
		if _, err := body.ReadByte(); err != io.EOF {
			refuse(w, badFallback)
			return
		}
	}
	s.perform(w, r, words, body)
}

var badFallback = wire.NewError(wire.BadRequest, `the body must begin with a line "stream", "open", "send KEY N", "poll KEY ACK" or "close KEY"; only "send" is followed by frames`)

func (s *Server) perform(w http.ResponseWriter, r *http.Request, words []string, frames io.Reader) {
	verb, origin := words[0], r.Header.Get("Origin")
	if len(words) == 1 && (verb == "stream" || verb == "open") {
		f := &fallback{s: s, key: rand.Text(), origin: origin}
		if verb == "stream" {
			f.stream(w, r)
		} else {
			f.open(w, r)
		}
		return
	}
	n, ok := uint64(0), len(words) == 2 && verb == "close"
	if len(words) == 3 && (verb == "send" || verb == "poll") {
		var err error
		n, err = strconv.ParseUint(words[2], 10, 64)
		ok = err == nil
	}
	if !ok {
		refuse(w, badFallback)
		return
	}
	f := s.fallbacks.get(words[1], origin)
	p, _ := outletOf(f).(*polled)
	switch {
	case verb == "poll" && f != nil && p == nil:
		refuse(w, badFallback)
	case verb == "close":
		if f != nil {
			f.out.abort()
		}
		w.WriteHeader(http.StatusNoContent)
	case f == nil:
		conn.WriteError(w, http.StatusNotFound, wire.NewError(wire.BadRequest, "no connection has this key, or not any more: open another"))
	case verb == "poll":
		f.used.Store(true)
		p.poll(w, n)
	default:
		f.used.Store(true)
		f.send(w, r, n, frames)
	}
}

func outletOf(f *fallback) outlet {
	if f == nil {
		return nil
	}
	return f.out
}

// send hands frames to the relay. Half a body ends the connection, because what came before has been done.
func (f *fallback) send(w http.ResponseWriter, r *http.Request, n uint64, frames io.Reader) {
	f.sending.Lock()
	defer f.sending.Unlock()
	if n == f.sent && n != 0 { // the answer was lost
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if n != f.sent+1 {
		conn.WriteError(w, http.StatusConflict, wire.NewError(wire.BadRequest, "the number of this request is not the one after the last"))
		return
	}
	f.sent = n
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout) // also when the browser is gone: what it has sent counts
	defer cancel()
	if err := f.sendAll(ctx, frames); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			refuse(w, wire.NewError(wire.TooLarge, "more than "+strconv.FormatInt(large.Limit, 10)+" bytes in one request"))
		} else {
			refuse(w, wire.NewError(wire.BadRequest, "the body was cut short"))
		}
		f.hangUp()
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// sendAll returns an error when the body ends in the middle. That the connection has ended is none: the browser is told on the other way.
func (f *fallback) sendAll(ctx context.Context, frames io.Reader) error {
	ws := f.ws.Load()
	if ws == nil {
		return nil
	}
	most := f.s.cfg.Limits.FrameBytes
	lines := bufio.NewScanner(frames)
	lines.Buffer(nil, most+2) // and the end of the line
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if ws.Write(ctx, websocket.MessageText, lines.Bytes()) != nil {
			return nil
		}
	}
	if lines.Err() == bufio.ErrTooLong { // the relay has a close code for that
		ws.Write(ctx, websocket.MessageText, make([]byte, most+1))
		return nil
	}
	return lines.Err()
}

// hangUp ends the WebSocket inside of the relay, if it has not ended. The pump then ends the rest.
func (f *fallback) hangUp() {
	if ws := f.ws.Load(); ws != nil {
		ws.CloseNow()
	}
}

// pump brings frames from the relay to the outlet until the connection ends.
func (f *fallback) pump() {
	ws := f.ws.Load()
	for {
		_, frame, err := ws.Read(context.Background()) // ends with the connection
		if err == nil {
			err = f.out.put(frame)
		}
		if err == nil {
			continue
		}
		ws.CloseNow()
		f.ws.Store(nil) // with its buffers, which are much more than all else of f
		why := wire.Close{Code: int(websocket.StatusAbnormalClosure)}
		var closed websocket.CloseError
		if errors.As(err, &closed) {
			why = wire.Close{Code: int(closed.Code), Reason: closed.Reason}
		}
		f.out.end(why)
		return
	}
}
