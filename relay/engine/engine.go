// Package engine decides the order of messages: what all relays of a farm must agree on.
package engine

import "mediawiki-websocket/relay/wire/codec"

// Key is a type within its scope. Two parts, not one joined string: no name can reach into another wiki's scope.
type Key struct {
	Wiki string // the wiki whose connections alone get the type; "" for the types that all public wikis share
	Type string
}

// Message is a message on its way to the connections.
type Message struct {
	Key Key
	codec.Message
}

// Engine gives messages their order.
type Engine interface {
	// Publish sets m's offset and hands it to deliver. For one key no two calls of deliver overlap, and they come in the order of the offsets.
	// deliver must not block.
	Publish(m *Message, deliver func(*Message)) error

	// At calls f between two messages of k, with the position reached. recovered is false when messages that a subscriber who has seen
	// everything up to since (nil: who wants nothing from before) would want are gone.
	At(k Key, since *codec.Position, f func(now codec.Position, recovered bool))

	// Close ends the engine; nothing may be published any more.
	Close() error
}
