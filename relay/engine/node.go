package engine

import (
	"crypto/sha256"
	"slices"
	"strings"
	"unsafe"
)

// nodeBytes is what a kept message takes without its text, places in lists included.
const nodeBytes = int(unsafe.Sizeof(node{})) + 32

const ownerBytes = int(unsafe.Sizeof(Owner{}))

// digest stands for a text: nobody can make two texts that have the same.
type digest [16]byte

func digestOf(text string) (d digest) {
	sum := sha256.Sum256([]byte(text))
	copy(d[:], sum[:])
	return d
}

func clone(s string) string { return strings.Clone(s) }

// newNode returns a copy of m to keep: what m points to may be the buffer that somebody reads the next message into. What the message was published with
// but is not delivered with is left out.
func newNode(m *Message) *node {
	n := &node{Message: *m}
	n.Actor, n.HasActor, n.Dedup = "", false, ""
	if m.Dedup != "" {
		n.once = digestOf(m.Dedup)
	}
	n.own()
	return n
}

// own makes n point to nothing but memory of its own, in few pieces.
func (n *node) own() {
	if !slices.ContainsFunc(n.Owners, func(o Owner) bool { return o != Owner{} }) {
		n.Owners = nil
	}
	size := len(n.From) + len(n.User)
	for _, o := range n.Owners {
		size += len(o.Wiki) + len(o.User)
	}
	if n.Type != n.Key.Type {
		size += len(n.Type)
	}
	for _, id := range n.Recipients {
		size += len(id)
	}
	var text strings.Builder
	text.Grow(size)
	take := func(s string) string {
		start := text.Len()
		text.WriteString(s)
		return text.String()[start:]
	}
	n.From, n.User = take(n.From), take(n.User)
	if n.Type != n.Key.Type { // else it becomes the ring's
		n.Type = take(n.Type)
	}
	if n.Recipients != nil {
		list := make([]string, len(n.Recipients))
		for i, id := range n.Recipients {
			list[i] = take(id)
		}
		n.Recipients = list
	}
	n.Owners = slices.Clone(n.Owners)
	for i, o := range n.Owners {
		n.Owners[i] = Owner{take(o.Wiki), take(o.User)}
	}
	raw := make([]byte, 0, len(n.Msg)+len(n.To))
	own := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		start := len(raw)
		raw = append(raw, b...)
		return raw[start:len(raw):len(raw)]
	}
	n.Msg, n.To = own(n.Msg), own(n.To)
	n.bytes = nodeBytes + size + cap(raw) + 16*len(n.Recipients) + ownerBytes*len(n.Owners)
}
