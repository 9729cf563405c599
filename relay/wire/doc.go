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
// A token, where the wiki wants one, comes in the Authorization header of the handshake. An Origin header is that of a page of a wiki; scripts whose library
// names the address that it connects to, as Perl's does, count as those without.
//
// # Mode v1, subprotocol [Subprotocol]
//
// Text frames, one JSON object each. From client to relay, each may carry "id" (a positive integer) and then gets exactly one reply:
//
//	{"id":1,"op":"connect","token":T,"clients":["WS1"]}   {"session":S,"wiki":W,"user":U,"ping":25,"expires":unix}
//	{"id":2,"op":"register","client":"WS2"}               {}
//	{"op":"release","client":"WS2"}                       {}
//	{"id":3,"op":"subscribe","type":T,"token":T2}         {"epoch":E,"offset":N,"recovered":true}; the token only for a type that needs one
//	  "since":{"epoch":E,"offset":N} or {"time":unix}     and then what was missed: see History
//	{"id":4,"op":"unsubscribe","type":T}                  {}
//	{"id":5,"op":"send","type":T,"msg":M,"from":C,"to":…} {"offset":N}; "key":K, when the message may be sent again: see Delivery
//	{"id":6,"op":"presence","type":T,"follow":true}       {"users":["A","B"],"anonymous":2,"count":4}: see Presence
//	{"id":7,"op":"refresh","token":T}                     {"expires":unix}
//	{"op":"ping"}                                         the frame {"op":"pong"}
//
// connect comes first, within ten seconds; what comes right behind it need not wait for the answer. One whose token is refused ends the connection.
// An object without "op" that has a "type" is a send. From relay to client:
//
//	{"id":1,"ok":{…}}
//	{"id":1,"error":{"code":"forbidden","message":"…"}}   also without id, when the command had none
//	{"type":T,"msg":M,"from":C,"to":…,"offset":N,"user":U,"wiki":true}
//	{"op":"expire","seconds":60}                          the token runs out: refresh it
//	{"op":"expire","type":T}                              the subscription token runs out: subscribe again, with a new one, and nothing is missed
//	{"op":"revoked","type":T}                             a subscription ended: subscribe again, with a new subscription token
//	{"op":"join","type":T,"user":U}                       a user has come to a type that the client follows; {…,"anonymous":N}: how many visitors without
//	{"op":"leave","type":T,"user":U}                      an account there are now, {…,"anonymous":N,"count":N}: and how many of all; see Presence
//	{"op":"reconnect","after":ms}                         this relay is going away
//	{"op":"pong"}
//
// user (the verified name of the sender) and wiki (sent by a wiki, not a visitor) are set by the relay only. Members that are empty, false or
// zero are left out. Unknown members are ignored; a member twice, or in another case than written here, makes the frame bad.
//
// A client id belongs to the user whose connection carries it, and for some minutes after: others cannot register it. Visitors without an account
// count as one user of their wiki.
//
// # Who may do what
//
// A wiki registers with its keys, its origins, whether the public can read it ("private"), whether types that nobody has declared may be used
// ("open"), whether visitors without an account may send ("anonymousSend"), and policies for its types: who may send, who may subscribe, whether
// that takes a subscription token (package auth, Policy). What somebody is comes from a token that the wiki has signed: JWT (RFC 7519), HS256,
// "kid" and "iss" are the wiki id, "aud" is one of connect, subscribe and publish, "sub" is the user's name or "", and "sid" names the session.
//
//	connect    allow:{subscribe,send,presence} (patterns: a type, or a prefix and "*"; without allow: everything), rights:[names] ("*": all),
//	           rate:{count,seconds}; at most 48 hours
//	subscribe  type; for a connection of the same wiki and user; at most 48 hours
//	publish    at most 60 seconds
//
// A type with the id of a registered wiki is that wiki's. Any other type is shared by all public wikis, but one that a wiki has declared, or that is
// used within a private wiki, stays within that wiki. What is refused says why: "unauthorized" when a token is missing or will not do, "forbidden"
// when no token would help, "rate-limited" when it was too often.
//
// POST /api/publish {"messages":[…]} takes messages from a wiki: when something is wrong with one, none. Each may have an "actor", the name of the user
// whose request it was: "from" is dropped then when that client id is another user's. Each may have a "key", see Delivery; a publish that was not answered, or
// with 503, can be repeated then. The answer is {"published":[{"offset":N}…]}.
//
// {"type":T,"forget":true} among the messages is none, and nobody gets it: what is kept of the type is let go of, as when something of it must not be read any
// more, and who comes back from before hears that something may be gone. T may end with "*": all types of the wiki that begin so.
//
// GET /api/history?type=T&since=S, where S is EPOCH:OFFSET or Unix seconds, answers a wiki {"epoch":E,"offset":N,"recovered":true,"messages":[…]} as a
// subscriber would be, but with all messages, whoever they are for; without "since" there are none. GET /api/presence?type=T answers who is there.
//
// POST /api/disconnect {"user":U} or {"session":S} ends connections with 4401 and revokes their tokens; {"type":T} ends the subscriptions that took a
// subscription token and revokes those; {"client":C} only ends. "before", Unix seconds of the wiki's clock, says up to when tokens are revoked.
//
// On the control socket, where whoever can open it may do what any wiki may, POST /api/token {"wiki":W,"for":A,"user":U,"type":T,"rights":[…],"seconds":N}
// answers {"token":…,"expires":unix}: a token of audience A that the relay has signed with the wiki's key.
//
// # Limits
//
// Besides the sizes of [Limits] a relay bounds what comes in. Whoever sends messages too fast has them refused with "rate-limited", by the relay's
// limit for a connection or the wiki's for a user, and is closed with 4003 when that does not help; so is who sends too many bytes, frames or pings.
// A frame that breaks RFC 6455 ends the connection with 1002, which names the rule; text or a close reason that is not UTF-8 with 1007, as soon as
// that shows; a message of too many fragments, or one that is not complete in time, with 1008; one too large, before or after it is inflated, with 1009.
//
// A relay that is set up for it agrees on permessage-deflate (RFC 7692), without context takeover in either direction and with a window of 32 KiB. It
// then compresses messages of some size, but no replies and not what was missed; the client may compress what it likes. A message that cannot be inflated
// ends the connection with 1007, and the bytes that it becomes count against the limits too. No other extension is agreed on.
//
// When the relay is more than three quarters full a wiki that has its share of the connections or more gets "unavailable" and 1013, and a handshake
// that finds no room at all 503 with Retry-After. Sockets that have not said who they are may have a quarter of the room; the oldest end with 4001.
//
// # Delivery
//
// Messages of one type reach every connection in one order. A connection gets a message once, whichever of its clients wanted it, and not at
// all when its only client is the sender; a connection with several clients gives it to each but the sender. A message with recipients goes to
// connections that hold one of them and subscribe to its type.
//
// Offsets are one count over all types of the relay, of an epoch: they rise within a type, with gaps. An epoch with an offset is a position; it covers what has
// this offset or a lower one.
//
// A message may have a key ([CheckKey]) that no other message of its sender has. Sent again by the same sender, it is not delivered again and is answered
// with the offset of the first; it counts against the rates as any other. The sender is the wiki or, for visitors, wiki, user and client id. The relay knows
// a key for ten minutes, but at most the last 65,536 of them; those of messages that it keeps it also knows when it has been restarted.
//
// # History
//
// Of types whose policy says "history":{"count":C,"seconds":S} the relay keeps the last C messages for S seconds, unless all that it keeps takes more memory than
// it may. They survive its end, however that comes, though not a breakdown of the machine: after that the epoch is another one.
//
// A subscribe with "since" says what the client has seen of the type: all that a position covers, or all from before a time. "recovered":true says that the
// messages behind the reply are all that came after that; they are ordinary message frames, oldest first, and obey the rules of live ones: who is the only
// client of the connection does not get its own, and those with recipients are only for who holds one of them now. Client ids pass from one to another,
// though: out of the history such a message goes only to the user, of the same wiki, who held that id, or had held it minutes before, when it was published.
// To others who hold the id, and where nobody knows who did, as with visitors without an account and users who had been away for longer, the reply says
// "recovered":false. That means that some may be gone, and then none are sent: the page must fetch again what it shows. It is so too when the epoch is
// another, when some were not kept for long enough, when they would fill more than half of the outbox, and for types without history when anything was
// published in between, or when the relay has been restarted. Without "since" it is true, and nothing is sent. Rights count as they are when the client comes
// back.
//
// The reply's position covers the messages behind it. So, of this type: before the reply comes what is live, in order; right behind the reply, and with
// nothing of any type in between, comes what was missed, with offsets up to the reply's; after that comes what is live again, with higher offsets only.
// Nothing is left out, and nothing comes twice.
//
// A client may subscribe again to a type that it has, because one of its pages has seen less than the others. The same holds then, but that messages which it got
// before the reply come once more behind it, as far as they are not covered by "since". What is live goes on: also with recovered:false nothing is left out
// of it. An unsubscribe forgets nothing of the history.
//
// # Presence
//
// Of types whose policy says "presence":true the relay tells who subscribes to them, to clients that may subscribe to them and whose token allows it in
// allow.presence; without a token nobody is told. "users" is the users by name, sorted, 1000 at most, each once however many connections it has; "anonymous"
// how many connections there are of visitors without an account; "count" the sum of both, with users that are not named.
//
// With "follow":true the client is told from then on who comes and goes, with "follow":false no more, and without it as before. A change that comes before the
// reply is in the reply already, and one behind it may be: the last word counts. A user leaves when its last subscription has been gone for five seconds, so
// that a page that is loaded again does not. What changes within a second of another change is told together when that second is over. A connection follows
// as many types as it may subscribe to. When the wiki or a new token takes the right away, the changes end without a word.
//
// When more than 1000 users are there, or so many come and go within a second, nobody is told who: join and leave then have "anonymous" and "count", as in the
// reply, at most once a second. That goes on until 900 users are there, which the last such number says, or fewer; from then on users are named again. Who needs
// the names asks anew after a "count", because those that came and went meanwhile were not told.
//
// # Over plain HTTP
//
// Where a network lets no WebSocket through, a client of mode v1 carries its frames over POST requests to the same addresses: so any rule that forwards the
// address is enough, browsers always say their origin, no image or link can cause such a request, and no preflight is needed. The body is text, and its
// first line says what it is:
//
//	stream              opens a connection whose frames come in the answer, which does not end: Server-Sent Events (HTML standard, section 9.2)
//	open                opens one that is polled: {"key":KEY}
//	send KEY N          the frames for the relay follow, one a line; N counts these requests, from 1: 204
//	close KEY           ends the connection: 204
//	poll KEY ACK        waits for frames: {"frames":["…",…],"next":ACK} or {"close":{"code":…,"reason":"…"}}
//
// A stream begins with the event "open", whose data is {"key":KEY}. Then each frame is the data of an event without a name, "ping" wants a frame as a sign
// of life, such as {"op":"ping"}, and "close", with {"code":…,"reason":"…"}, is the last. A poll is answered when there are frames, or after 25 seconds;
// ACK is the "next" of the last answer, 0 at first, and what is not acknowledged comes again. A connection that nobody polls for 40 seconds has ended. When the
// relay ends one, "close" is kept for the next poll within these 40 seconds, with the last frames if they are few; not for one whose key nobody has used yet, and
// when very many wait, not for those that have done so for longest. A key
// that is unknown, ended or used from another origin is 404. The last send, repeated because its answer was lost, is answered and not done again.
// Limits, rates, rights and close codes are those of a WebSocket.
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
	OpRevoked     = "revoked"
	OpPresence    = "presence"
	OpJoin        = "join"
	OpLeave       = "leave"
)

// TypeRegister is the classic envelope's type that only registers the sender.
const TypeRegister = "Register"
