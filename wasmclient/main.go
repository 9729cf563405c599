//go:build js && wasm

// Command wasmclient is the browser client: one connection to the relay for all tabs of a browser. resources/worker loads it, in a SharedWorker,
// else in a worker or in the page, and is its host: it has what is JavaScript's to do, the ports of the pages and the browser's WebSocket and
// JSON. All decisions are made here, in package session.
//
// # Host
//
// While the program starts, the global webSocketHost is what it is connected to. It never ends; when it does, that was a panic, and the host
// starts it again.
//
//	listen(receive)                             receive(op, client, members) is called with all that comes in
//	post(client, op, ...values)                 a message to a page, as below; a page that is gone gets nothing
//	open(url, protocol)                         opens the one socket; false when the browser refuses
//	send(id, op, type, client, token, clients, since, follow)  a command to the relay; empty members are left out
//	sendMessage(id, body)                       a message to the relay
//	close(code, reason)                         closes the socket, of which nothing is heard after that
//	after(id, ms)                               starts a timer
//	cancel(id)                                  stops it; one that is over or unknown is no error
//
// What comes in is the messages of the pages, each token in them with "life" (seconds until it runs out, 0: unknown) and "send" with
// "body" (for sendMessage) and "bytes" (its size); and, without a client: opened; closed {code, reason}; online {online}; woke {}, when nothing ran
// for a while; timer {id}, when it is due; frame {data} and, of the frame, those of id, reply (true), error, message, wiki, user, ping, epoch,
// offset, recovered, op, after, type, from and to (an array) that it has. data is the envelope of a message, in the reply to presence
// {users, anonymous, count}, and {user} or {anonymous} in join and leave.
//
// The host puts a key into the body of each message, by which the relay knows it when it is sent again, and answers itself, with "unavailable", when
// it is too late for that.
//
// # Pages
//
// A page and the host exchange objects over a port. "op" says what they are.
//
//	page → host
//	hello        {client, url, wasm, transport, token, expires}
//	                                  transport: the last name that a host told this tab, "" for none;
//	                                  token: a JWT that runs out at expires (Unix time, 0: unknown), "": connect without, null: ask for one;
//	                                  wasm: the URL of this program
//	subscribe    {type, since}        since: what the page has had, {epoch, offset} or {time} (Unix seconds); missing: nothing from before. Again:
//	                                  what is since then has not come, or is wanted once more
//	unsubscribe  {type}
//	presence     {type, id}           asks who subscribes to the type; id is any positive number of the page. Without a connection there is no
//	                                  answer: ask again when there is one
//	follow       {type}               asks to be told join and leave
//	unfollow     {type}
//	send         {type, to, json}     to: array of client ids, empty for everyone; json: the message as JSON text
//	token        {token, expires} or {final}: there is none, final when there will not be one
//	granted      {tokens: [{type, token, expires}], refused: [{type, code, message}], final}
//	                                  subscription tokens, and what the wiki gives none for; a type in neither could not be asked for now or,
//	                                  when final, never will be
//	visible      {visible}            somebody can see the page, or not; at hello a page counts as visible
//	locked       {}                   the page holds the Web Lock "WebSocket CLIENT": who gets it knows that the page is gone
//	woke         {}                   the browser had stopped the page, and lets it run again
//	pong         {}
//	bye          {}
//
//	host → page
//	welcome      {}                   say hello, and subscribe to everything
//	lost         {}                   the program has ended; what is sent before the next welcome is not heard
//	connected    {wiki, user}
//	disconnected {code, reason, retry}  retry: the program goes on trying
//	transport    {name}               how: "websocket", "sse" or "poll"; before connected
//	message      {data}               the envelope
//	position     {type, epoch, offset}  the page has had everything of the type up to here, and with each message up to its offset
//	missed       {type}               messages of the type may be lost to this page
//	presence     {id, data, code, message}  data: {users, anonymous, count}; code: "", or why there is no answer
//	join         {type, data}         data: {user}, or {anonymous}: how many visitors without an account there are now
//	leave        {type, data}
//	error        {about, type, code, message}  about: send, subscribe, register or presence (of follow)
//	token        {refused}            asks for one; after refused one that the page has in stock will not do
//	grants       {types, refused}     asks for subscription tokens, also for types that other pages want; of the types in refused, which are
//	                                  among types, the tokens that the page has in stock will not do
//	failed       {message}            the program cannot run here
//	lock         {name}               the host holds this Web Lock: who gets it knows that the host is gone
//	ping         {}                   answer pong
package main

func main() {
	run()
}
