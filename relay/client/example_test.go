package client_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/server"
)

// key is the wiki's; a program reads it from a file.
var key = []byte("0123456789abcdef0123456789abcdef")

// startRelay starts a relay for the examples, with one wiki, mydb:, and returns its address.
func startRelay() (url string, end func()) {
	wiki, err := auth.ParseWiki("mydb:", fmt.Appendf(nil, `{"key":%q,"types":[{"pattern":"mydb:Chat","send":"anyone","history":{"count":10,"seconds":60}}]}`,
		base64.StdEncoding.EncodeToString(key)))
	if err != nil {
		panic(err)
	}
	cfg := config.Default()
	cfg.Listen, cfg.Wikis, cfg.Drain = "127.0.0.1:0", []*auth.Wiki{wiki}, time.Millisecond
	relay, err := server.New(cfg, slog.New(slog.DiscardHandler))
	if err == nil {
		err = relay.Open()
	}
	if err != nil {
		panic(err)
	}
	return "ws://" + relay.Addresses()[0].String() + "/", relay.Close
}

// A program that gets messages calls back, or waits for them.
func Example() {
	url, end := startRelay()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	listener, err := client.Open(ctx, client.Options{URL: url})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	if _, err := listener.Subscribe(ctx, "mydb:Chat", client.Since{}, nil); err != nil {
		fmt.Println(err)
		return
	}

	speaker, err := client.Open(ctx, client.Options{URL: url, ID: "speaker"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer speaker.Close()
	if err := speaker.Send(ctx, "mydb:Chat", map[string]any{"text": "hello"}); err != nil {
		fmt.Println(err)
	}

	m, err := listener.Receive(ctx)
	fmt.Println(m.From, string(m.Msg), err)
	// Output: speaker {"text":"hello"} <nil>
}

func ExampleClient_Subscribe() {
	url, end := startRelay()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Open(ctx, client.Options{URL: url, Missed: func(typ string) { fmt.Println("fetch again what is shown of", typ) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	done := make(chan bool)
	unsubscribe, err := c.Subscribe(ctx, "mydb:Chat", client.Since{}, func(m client.Message) {
		fmt.Println(m.Text(), m.Wiki)
		done <- true
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unsubscribe()

	p := &client.Publisher{URL: url, Wiki: "mydb:", Key: key}
	if _, err := p.Publish(ctx, client.Publication{Type: "mydb:Chat", Msg: "from the wiki"}); err != nil {
		fmt.Println(err)
		return
	}
	<-done
	// Output: from the wiki true
}

// What the relay refuses has a code.
func ExampleClient_Send() {
	url, end := startRelay()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Open(ctx, client.Options{URL: url})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	err = c.Send(ctx, "mydb:@changes", "only the wiki may say this")
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Code)
	}
	// Output: forbidden
}

// A script of the wiki's operator publishes without a connection.
func ExamplePublisher() {
	url, end := startRelay()
	defer end()
	p := &client.Publisher{URL: url, Wiki: "mydb:", Key: key}
	offsets, err := p.Publish(context.Background(), client.Publication{Type: "mydb:Backup", Msg: "done"}, client.Publication{Type: "mydb:Disk", Msg: 83})
	fmt.Println(len(offsets), err)
	// Output: 2 <nil>
}

// The classic mode, for relays and daemons that know nothing else.
func ExampleOptions_classic() {
	url, end := startRelay()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Open(ctx, client.Options{URL: url, Classic: true, ID: "WSscript"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println(c.Send(ctx, "FooDataChanged", "to all who are registered"))
	// Output: <nil>
}
