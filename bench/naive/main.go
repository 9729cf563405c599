// Command naive is a publish/subscribe server as one writes it with coder/websocket at first: each publisher's goroutine writes to each subscriber in
// turn, with the library's own Write. It is what the relay is compared with.
//
// "S room" subscribes and is answered with "A"; "P room payload", or POST /publish?room=, brings the payload to the room. POST /collect gives unused
// memory back to the system.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	pingTimeout  = 5 * time.Second
	publishBytes = 1 << 20
)

type server struct {
	ping time.Duration

	mu    sync.RWMutex
	rooms map[int]map[*websocket.Conn]struct{}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`HOST:PORT` to listen on")
	cert := flag.String("tls-cert", "", "certificate, a PEM `FILE`; with it and its key, TLS is served")
	key := flag.String("tls-key", "", "its key, a PEM `FILE`")
	ping := flag.Duration("ping", 25*time.Second, "time between pings")
	flag.Parse()
	s := &server{ping: *ping, rooms: make(map[int]map[*websocket.Conn]struct{})}
	http.HandleFunc("GET /", s.connect)
	http.HandleFunc("POST /publish", s.post)
	http.HandleFunc("POST /collect", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	var err error
	if *cert != "" {
		err = http.ListenAndServeTLS(*listen, *cert, *key, nil)
	} else {
		err = http.ListenAndServe(*listen, nil)
	}
	fmt.Fprintln(os.Stderr, "naive:", err)
	os.Exit(1)
}

func (s *server) connect(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go s.keepAlive(ctx, c) // ends with this function
	for {
		_, message, err := c.Read(ctx)
		if err != nil {
			return
		}
		verb, rest, _ := bytes.Cut(message, []byte(" "))
		name, payload, _ := bytes.Cut(rest, []byte(" "))
		room, err := strconv.Atoi(string(name))
		switch {
		case err != nil:
			return
		case string(verb) == "S":
			s.join(room, c)
			defer s.leave(room, c)
			c.Write(ctx, websocket.MessageText, []byte("A"))
		default:
			s.publish(room, payload)
		}
	}
}

func (s *server) keepAlive(ctx context.Context, c *websocket.Conn) {
	t := time.NewTicker(s.ping)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			limited, cancel := context.WithTimeout(ctx, pingTimeout)
			c.Ping(limited)
			cancel()
		case <-ctx.Done():
			return
		}
	}
}

func (s *server) join(room int, c *websocket.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[room] == nil {
		s.rooms[room] = make(map[*websocket.Conn]struct{})
	}
	s.rooms[room][c] = struct{}{}
}

func (s *server) leave(room int, c *websocket.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rooms[room], c)
	if len(s.rooms[room]) == 0 {
		delete(s.rooms, room)
	}
}

func (s *server) publish(room int, payload []byte) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for c := range s.rooms[room] {
		c.Write(context.Background(), websocket.MessageText, payload)
	}
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	room, err := strconv.Atoi(r.FormValue("room"))
	payload, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, publishBytes))
	if err != nil || readErr != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.publish(room, payload)
	w.WriteHeader(http.StatusNoContent)
}
