package session

const (
	queueMessages = 100
	queueBytes    = 256 << 10
)

type queued struct {
	from    string
	message Message
}

// queue keeps what tabs send while there is no connection. It is bounded; the oldest give way.
type queue struct {
	items []queued
	bytes int
}

// push appends and returns what had to go.
func (q *queue) push(item queued) (dropped []queued) {
	q.items = append(q.items, item)
	q.bytes += item.message.Bytes
	for len(q.items) > queueMessages || q.bytes > queueBytes {
		dropped = append(dropped, q.items[0])
		q.bytes -= q.items[0].message.Bytes
		q.items = q.items[1:]
	}
	return dropped
}

func (q *queue) drain() []queued {
	items := q.items
	*q = queue{}
	return items
}

// forget removes what a tab that left has sent: the relay would not take it without its sender.
func (q *queue) forget(client string) {
	for _, item := range q.drain() {
		if item.from != client {
			q.push(item)
		}
	}
}
