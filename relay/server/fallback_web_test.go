package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// web is a browser behind a network that lets no WebSocket through.
type web struct {
	t      *testing.T
	client *http.Client
	url    string
	origin string
	key    string
	posts  int
	acked  uint64
	frames []string // polled, and not looked at yet
	in     *bufio.Reader
	header http.Header
	body   io.Closer
}

func newWeb(t *testing.T, r *relaytest.Relay) *web {
	t.Helper()
	w := &web{t: t, client: &http.Client{Transport: &http.Transport{}}, url: "http://relay/", origin: publicOrigin}
	if addresses := r.Addresses(); len(addresses) > 0 {
		w.url = "http://" + addresses[0].String() + "/websocket:1729"
	} else {
		w.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return r.Pipe(ctx) }}
	}
	t.Cleanup(func() {
		w.leave()
		w.client.CloseIdleConnections()
	})
	return w
}

// leave ends what is open, as a browser that is closed does.
func (w *web) leave() {
	if w.body != nil {
		w.body.Close()
	}
}

// post makes a request; the caller closes the answer's body.
func (w *web) post(body string, headers ...string) *http.Response {
	w.t.Helper()
	q, err := http.NewRequest("POST", w.url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	if w.origin != "" {
		q.Header.Set("Origin", w.origin)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Set(name, value)
	}
	a, err := w.client.Do(q)
	if err != nil {
		w.t.Fatalf("%.40q: %v", body, err)
	}
	return a
}

// ask makes a request and returns the status and what is answered.
func (w *web) ask(body string, headers ...string) (int, string) {
	w.t.Helper()
	a := w.post(body, headers...)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		w.t.Fatalf("%.40q: %v", body, err)
	}
	w.header = a.Header
	return a.StatusCode, string(text)
}

func (w *web) takeKey(text string) {
	w.t.Helper()
	var opened struct{ Key string }
	if err := json.Unmarshal([]byte(text), &opened); err != nil || len(opened.Key) < 26 {
		w.t.Fatalf("no key: %q %v", text, err)
	}
	w.key = opened.Key
}

// stream opens a connection whose frames come as Server-Sent Events.
func (w *web) stream(headers ...string) *web {
	w.t.Helper()
	a := w.post("stream", headers...)
	w.in, w.body, w.header = bufio.NewReader(a.Body), a.Body, a.Header
	name, data := w.event()
	if a.StatusCode != 200 || name != "open" {
		w.t.Fatalf("%d, event %q %q", a.StatusCode, name, data)
	}
	w.takeKey(data)
	return w
}

// open opens a connection that is polled.
func (w *web) open() *web {
	w.t.Helper()
	status, text := w.ask("open")
	if status != 200 {
		w.t.Fatalf("%d %s", status, text)
	}
	w.takeKey(text)
	return w
}

// event returns the next event of the stream, or ":" for a comment.
func (w *web) event() (name, data string) {
	w.t.Helper()
	for {
		line, err := w.in.ReadString('\n')
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case err != nil:
			w.t.Fatalf("the stream ended: %v", err)
		case line == ":\n":
			return ":", ""
		case line == "\n":
			return name, data
		case field == "event":
			name = value
		case field == "data":
			data = value
		}
	}
}

// poll asks once, and returns how the connection has ended, if it has.
func (w *web) poll() *wire.Close {
	w.t.Helper()
	status, text := w.ask(fmt.Sprintf("poll %s %d", w.key, w.acked))
	var answer struct {
		Frames []string
		Next   uint64
		Close  *wire.Close
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 {
		w.t.Fatalf("poll: %d %q %v", status, text, err)
	}
	w.frames = append(w.frames, answer.Frames...)
	if answer.Close == nil {
		w.acked = answer.Next
	}
	return answer.Close
}

// next returns the next frame.
func (w *web) next() string {
	w.t.Helper()
	for w.in != nil {
		if name, data := w.event(); name == "" {
			return data
		} else if name == "close" {
			w.t.Fatalf("closed: %s", data)
		}
	}
	for len(w.frames) == 0 {
		if why := w.poll(); why != nil {
			w.t.Fatalf("closed: %v", *why)
		}
	}
	frame := w.frames[0]
	w.frames = w.frames[1:]
	return frame
}

// expectClose fails the test unless the connection ends so.
func (w *web) expectClose(want wire.Close) {
	w.t.Helper()
	got := new(wire.Close)
	if w.in != nil {
		name, data := w.event()
		for name != "close" {
			name, data = w.event()
		}
		if err := json.Unmarshal([]byte(data), got); err != nil {
			w.t.Fatal(data, err)
		}
		if rest, err := io.ReadAll(w.in); len(rest) > 0 || err != nil {
			w.t.Errorf("after the end: %q %v", rest, err)
		}
	} else {
		for got = w.poll(); got == nil; {
			got = w.poll()
		}
	}
	if *got != want {
		w.t.Errorf("closed with %v, want %v", *got, want)
	}
}

func (w *web) send(frames ...string) {
	w.t.Helper()
	w.posts++
	status, text := w.ask(fmt.Sprintf("send %s %d\n%s", w.key, w.posts, strings.Join(frames, "\n")))
	if status != 204 || text != "" {
		w.t.Fatalf("send: %d %s", status, text)
	}
}

// connect says who it is and subscribes.
func (w *web) connect(token string, types ...string) *web {
	w.t.Helper()
	frames := []string{`{"id":1,"op":"connect","token":"` + token + `","clients":["WS1"]}`}
	for _, t := range types {
		frames = append(frames, `{"id":2,"op":"subscribe","type":"`+t+`"}`)
	}
	w.send(frames...)
	for range frames {
		if got := w.next(); code(got) != "ok" {
			w.t.Fatal(got)
		}
	}
	return w
}
