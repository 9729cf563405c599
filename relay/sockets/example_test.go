package sockets_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/sockets"
)

// A server that says again what it hears.
func Example_echo() {
	group := sockets.New(sockets.Options{})
	defer group.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		group.Accept(w, r, sockets.Handler{
			Message: func(c *sockets.Conn, m sockets.Message) { c.Send(m) },
		})
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	c.Write(ctx, websocket.MessageText, []byte("hello"))
	typ, data, _ := c.Read(ctx)
	fmt.Println(typ, string(data))
	c.Write(ctx, websocket.MessageBinary, []byte{1, 2, 3})
	typ, data, _ = c.Read(ctx)
	fmt.Println(typ, data)
	// Output:
	// MessageText hello
	// MessageBinary [1 2 3]
}

// Rooms: who connects to /?room=NAME&name=WHO talks to the others in that room.
func Example_room() {
	group := sockets.New(sockets.Options{Name: "rooms"})
	defer group.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		room, who := r.FormValue("room"), r.FormValue("name")
		group.Accept(w, r, sockets.Handler{
			Opened: func(c *sockets.Conn) {
				c.Subscribe(room)
				n := group.Multicast(room, sockets.Text(who+" has come"), c)
				c.Send(sockets.Text(fmt.Sprintf("%d others are here", n)))
			},
			Message: func(c *sockets.Conn, m sockets.Message) {
				group.Multicast(room, sockets.Text(who+": "+string(m.Data)), c) // to all but c
			},
			Closed: func(c *sockets.Conn, code int) {
				group.Multicast(room, sockets.Text(who+" has gone"))
				group.Log("somebody has gone", "room", room, "code", code)
			},
		})
	}))
	defer server.Close()

	ctx := context.Background()
	come := func(query string) *websocket.Conn {
		c, _, err := websocket.Dial(ctx, server.URL+"/?"+query, nil)
		if err != nil {
			panic(err)
		}
		return c
	}
	next := func(who string, c *websocket.Conn) {
		_, data, err := c.Read(ctx)
		fmt.Println(who, "hears", string(data), err)
	}
	ann := come("room=kitchen&name=Ann")
	defer ann.CloseNow()
	next("Ann", ann)
	defer come("room=cellar&name=Cem").CloseNow()
	bob := come("room=kitchen&name=Bob")
	next("Bob", bob)
	next("Ann", ann)
	ann.Write(ctx, websocket.MessageText, []byte("coffee?"))
	next("Bob", bob)
	bob.Close(websocket.StatusNormalClosure, "")
	next("Ann", ann)
	// Output:
	// Ann hears 0 others are here <nil>
	// Bob hears 1 others are here <nil>
	// Ann hears Bob has come <nil>
	// Bob hears Ann: coffee? <nil>
	// Ann hears Bob has gone <nil>
}
