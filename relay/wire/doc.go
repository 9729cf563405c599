// Package wire is the protocol between the relay, the browser client, the page and the wiki: its words, limits, names and codes.
//
// It imports next to nothing, because the browser client carries it; the JSON on the wire is in package codec.
// The golden files in testdata hold the Go, PHP and JavaScript sides together.
//
// # Words
//
// A connection is one WebSocket; a client is one page (tab) behind it, named by a client id. A connection carries any number of clients.
// A type is the name of an event. A wiki id is the wiki's table prefix, its database name and a colon; a type that begins with the id of a
// registered wiki belongs to that wiki, every other type is shared by all public wikis of the relay. A type whose part after the wiki id
// begins with "@" is a system type: only the wiki itself sends it. An envelope is the JSON object {type, msg, from, to} that carries a message.
//
// # Classic mode, no subprotocol
//
// Text frames, each an envelope, as the MediaWiki extension's original daemon spoke them. Any envelope with a "from" registers that id;
// {"type":"Register","from":ID} does only that. A registered connection gets every message that it may see, except its own. "to" missing, null,
// false, 0, "", [] or [0] means everyone, otherwise it is an array of ids or one comma-separated string. "msg" arrives unchanged to the byte.
//
// # Mode v1, subprotocol [Subprotocol]
//
// Text frames, one JSON object each. From client to relay, each may carry "id" (a positive integer) and then gets exactly one reply:
//
//	{"id":1,"op":"connect","token":T,"clients":["WS1"]}   {"session":S,"wiki":W,"user":U,"ping":25,"expires":unix}
//	{"id":2,"op":"register","client":"WS2"}               {}
//	{"op":"release","client":"WS2"}                       {}
//	{"id":3,"op":"subscribe","type":T}                    {"epoch":E,"offset":N,"recovered":true}
//	{"id":4,"op":"unsubscribe","type":T}                  {}
//	{"id":5,"op":"send","type":T,"msg":M,"from":C,"to":…} {"offset":N}
//	{"id":6,"op":"refresh","token":T}                     {"expires":unix}
//	{"op":"ping"}                                         the frame {"op":"pong"}
//
// connect comes first, within ten seconds. An object without "op" that has a "type" is a send. From relay to client:
//
//	{"id":1,"ok":{…}}
//	{"id":1,"error":{"code":"forbidden","message":"…"}}   also without id, when the command had none
//	{"type":T,"msg":M,"from":C,"to":…,"offset":N,"user":U,"wiki":true}
//	{"op":"expire","seconds":60}                          the token runs out
//	{"op":"reconnect","after":ms}                         this relay is going away
//	{"op":"pong"}
//
// user (the verified name of the sender) and wiki (sent by a wiki, not a visitor) are set by the relay only. Members that are empty, false or
// zero are left out. Unknown members are ignored; a member twice, or in another case than written here, makes the frame bad.
//
// # Delivery
//
// Messages of one type reach every connection in one order. A connection gets a message once, whichever of its clients wanted it, and not at
// all when its only client is the sender; a connection with several clients gives it to each but the sender. A message with recipients goes to
// connections that hold one of them and subscribe to its type. Types have no history yet: a subscription with "since" answers
// recovered:false unless nothing was published in between, and the page must fetch again what it shows.
package wire

// Subprotocol is the WebSocket subprotocol that selects mode v1 (RFC 6455, section 1.9).
const Subprotocol = "mediawiki.websocket.v1"

// The values of "op".
const (
	OpConnect     = "connect"
	OpRegister    = "register"
	OpRelease     = "release"
	OpSubscribe   = "subscribe"
	OpUnsubscribe = "unsubscribe"
	OpSend        = "send"
	OpRefresh     = "refresh"
	OpPing        = "ping"
	OpPong        = "pong"
	OpExpire      = "expire"
	OpReconnect   = "reconnect"
)

// TypeRegister is the classic envelope's type that only registers the sender.
const TypeRegister = "Register"
