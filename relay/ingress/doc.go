// Package ingress takes messages for a wiki's pages out of queues: Redis streams and channels, RabbitMQ, and the feed of recent changes that MediaWiki itself
// sends over UDP. It knows nothing of the relay; what it takes it hands to a [Publisher].
//
// # What comes in
//
// An envelope, as POST /api/publish takes it (package wire): in the field "envelope" of an entry of a Redis stream, as the whole of a message on a Redis
// channel, and as the whole body of an AMQP message. From UDP come the lines of JSONRCFeedFormatter, which become the wiki's "@changes", see [Change].
//
// # What is promised
//
// A stream and an AMQP queue are acknowledged when the relay has the message, or when the message is where poisoned ones go; what was not acknowledged comes
// again and is known by its key: the envelope's own, else one made from the entry's id or the AMQP message-id. An AMQP message that has neither may come twice.
// Messages of one source are published in its order. A channel and the feed are delivered at most once, as Redis and UDP are.
//
// What the relay will never take is poisoned. It goes with the reason to the stream NAME:dead (also from the channel NAME) or the queue NAME.dead, which keep
// the last [DeadMost] of them, each with [DeadBytes] of its text; what is wrong in the feed is counted and logged. What the relay does not take now is
// offered again, and nothing else is read from that source meanwhile.
package ingress
