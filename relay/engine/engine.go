// Package engine decides what all relays of a farm must agree on: the order of messages, what is kept of them for those who come back, and who is there.
package engine

import "mediawiki-websocket/relay/wire/codec"

// Key is a type within its scope. Two parts, not one joined string: no name can reach into another wiki's scope.
type Key struct {
	Wiki string // the wiki whose connections alone get the type; "" for the types that all public wikis share
	Type string
}

// History is how much of a key is kept: so many messages, for so many seconds. Zero: nothing.
type History struct{ Count, Seconds int }

// Owner is whose a client id is: a user of a wiki, or one of its visitors without an account, who cannot be told apart.
type Owner struct{ Wiki, User string }

// Message is a message on its way to the connections.
type Message struct {
	Key Key
	codec.Message
	Time int64 // of its Publish, in Unix milliseconds; set by the engine when it is kept

	// Owners is who had the client id of each of Recipients when it was published, for a message with history; the zero value where nobody is known. nil:
	// nobody is known for any. Client ids pass from one to another, and what is kept is only for whom it was meant.
	Owners []Owner

	Keep  History // how much of its key is kept, this message included
	Dedup string  // names the message, together with its sender, so that a repetition is recognised; "": nothing does
}

// Missed is what somebody who comes back has not had.
type Missed struct {
	Now      codec.Position // what those who have had Messages have reached
	Messages []*Message     // the oldest first; not to be changed
	All      bool           // there were no others. When false, Messages is empty: a series with holes is of no use
}

// Person is a subscriber as others see him.
type Person struct {
	User       string // "" for a visitor without an account
	Connection uint64 // names the connection among those of this relay
}

// Presence is who subscribes to a key.
type Presence struct {
	Users     []string // sorted; when there are more than [PresentMost], as many of them
	Count     int      // of all users, also those beyond
	Anonymous int      // visitors without an account: connections
}

// PresentMost is how many users are named, of those who are there and of those who come and go within a moment.
const PresentMost = 1000

// Change is a change of presence: of one user, of the number of visitors without an account or, in a crowd, of numbers only.
type Change struct {
	Key       Key
	Joined    bool   // there is one more, or there are more
	User      string // who has joined or left; "": the numbers have changed
	Anonymous int    // without User: how many visitors without an account there are now
	Crowd     bool   // those who have come and gone are too many to be named: Count is told in their place, and a reader of names has to ask
	Count     int    // with Crowd: how many there are of both now
}

// Engine gives messages their order, keeps them and knows who is there. No method may be taken to see everything: other relays may use the same engine, so
// that messages and changes come by way of callbacks only. All methods may be called concurrently.
type Engine interface {
	// Publish gives m its offset and time, keeps it when it says so, and hands it to deliver. For one key no two calls of deliver overlap, and they come in
	// the order of the offsets. deliver must not block; what m points to is not used after Publish. A repetition is not delivered: m.Offset is the first
	// one's then, and repeated is true. After a nil error a message with history is safe from the end of this process; after an error it was neither kept
	// nor delivered.
	Publish(m *Message, deliver func(*Message)) (repeated bool, err error)

	// At calls f, between two messages of k, with what was missed since (nil: who wants nothing from before). keep is how much of k is kept according to the
	// policy of now. f must not block and must not call the engine.
	At(k Key, keep History, since *codec.Since, f func(Missed))

	// Forget lets go of what is kept of k or, with all, of every key of its wiki whose type begins with that of k. Who comes back from before is told that
	// something may be gone. After a nil error no later engine has it either.
	Forget(k Key, all bool) error

	// Declare tells which types of a wiki have history, in words that change whenever that does; wiki "" are the types that all wikis share. For a type
	// without any message, only what was declared all the time allows to say that none was missed. It comes before the first message at each start.
	Declare(wiki, policies string)

	// Enter and Exit tell that a subscriber has come and gone; twice is once. Changes that others are to know come later, through the callback that the
	// engine was made with: of each key at most once a second, all that has changed by then together. As long as more than [PresentMost] users are there, and
	// until they are a tenth fewer, the changes say how many, not who.
	Enter(k Key, p Person)
	Exit(k Key, p Person)
	// Present returns who is there.
	Present(k Key) Presence

	// Close ends the engine; nothing may be published any more.
	Close() error
}
