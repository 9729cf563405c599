//go:build js && wasm

// Command wasmclient is the browser client: one connection to the relay for all tabs of a browser. It runs where resources/worker/ has loaded
// it, in a SharedWorker, else in a worker or in the page.
//
// # Host
//
// While the program starts, one global, webSocketHost, is what it is connected to:
//
//	listen(receive)       the program's function for everything that comes in: receive(client, message)
//	post(client, message) a message to a page; one that is not there any more gets nothing
//	open(url, protocol)   new WebSocket, which the host closes should the program end
//
// The program never ends by itself. When it does end, that was a panic: the host starts it again and asks the pages to say hello again.
//
// # Messages
//
// A page and the host exchange objects over a port. "op" says what they are.
//
//	page → host
//	hello        {client, url, wasm, token, expires, hidden, locks}   token: null (ask), "" (connect without one) or a JWT that runs out at expires (Unix time, 0: unknown)
//	subscribe    {type}
//	unsubscribe  {type}
//	send         {type, to, json}     to: array of client ids, empty for everyone; json: the message as JSON text
//	token        {token, expires} or {final}: there is none, final when there will not be one
//	visible      {visible}            somebody can see the page, or not
//	locked       {}                   the page holds the Web Lock "WebSocket CLIENT"; who gets it knows that the page is gone
//	pong         {}
//	bye          {}
//
//	host → page
//	welcome      {}                   the host is there: say hello
//	connected    {wiki, user}
//	disconnected {code, reason, retry}
//	message      {data}               the envelope
//	error        {about, type, code, message}
//	token        {refused}            asks for one; after refused one that the page has in stock will not do
//	restart      {}                   the program was started again, or the page was thought dead: say hello and subscribe again
//	failed       {message}            the program cannot run here
//	ping         {}                   answer pong
//
// The program itself gets the messages from hello to bye that concern it, and from the host, without a client, online and offline.
package main

func main() {
	run()
}
