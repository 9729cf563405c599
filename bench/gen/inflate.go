package gen

import (
	"bytes"
	"compress/flate"
	"io"
)

// inflater reads messages that are compressed without context (RFC 7692). All subscribers get the same bytes, so it remembers the last message.
type inflater struct {
	last   []byte
	plain  []byte
	reader io.ReadCloser
}

// tail ends a message's last block, which the sender leaves out, and the stream.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// message returns what p is in plain, until the next call; what cannot be read is empty.
func (f *inflater) message(p []byte) []byte {
	if f.plain != nil && bytes.Equal(p, f.last) {
		return f.plain
	}
	source := io.MultiReader(bytes.NewReader(p), bytes.NewReader([]byte(tail)))
	if f.reader == nil {
		f.reader = flate.NewReader(source)
	} else {
		f.reader.(flate.Resetter).Reset(source, nil)
	}
	plain, err := io.ReadAll(f.reader)
	if err != nil {
		plain = []byte{}
	}
	f.last, f.plain = append(f.last[:0], p...), plain
	return f.plain
}
