package hub

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"

	"mediawiki-websocket/relay/engine"
)

// Frames are compressed by permessage-deflate (RFC 7692) without context takeover: each by itself, so that all receivers can share it and no
// connection needs memory for what it was sent before.

const (
	opDeflated = opText | 0x40 // RSV1

	deflateLevel = 4       // the frames of a wiki become hardly smaller above it
	deflateTail  = 4       // bytes of an empty block, which are not sent (section 7.2.1)
	keptPacked   = 1 << 16 // bytes of a buffer that is kept for the next frame
)

// forms is frames as members get them that take no compressed ones, and as those get them that do.
type forms struct {
	plain    []byte
	deflated []byte // of plain[:done]; it may be plain itself
	done     int
}

// packed returns the frames for members that take compressed ones: those with a payload of least bytes and more are compressed, when that makes them
// smaller.
func (f *forms) packed(least int) []byte {
	if f.done < len(f.plain) {
		f.deflate(least)
	}
	return f.deflated
}

func (f *forms) deflate(least int) {
	var c *compressor
	for f.done < len(f.plain) {
		head, n := measure(f.plain[f.done:])
		frame := f.plain[f.done : f.done+head+n]
		if n >= least {
			if c == nil {
				c = compressors.Get().(*compressor)
			}
			if payload := c.pack(frame[head:]); len(payload) < n {
				if f.deflated == nil {
					f.deflated = append(f.deflated, f.plain[:f.done]...)
				}
				f.deflated = slices.Grow(f.deflated, headBytes+len(payload))
				f.deflated = append(appendHead(f.deflated, opDeflated, len(payload)), payload...)
				f.done += len(frame)
				continue
			}
		}
		if f.deflated != nil {
			f.deflated = append(f.deflated, frame...)
		}
		f.done += len(frame)
	}
	if f.deflated == nil {
		f.deflated = f.plain
	}
	if c != nil {
		c.release()
	}
}

// measure returns how long the head and the payload of the first frame are.
func measure(frames []byte) (head, payload int) {
	switch n := int(frames[1]); n {
	case 126:
		return 4, int(binary.BigEndian.Uint16(frames[2:]))
	case 127:
		return 10, int(binary.BigEndian.Uint64(frames[2:]))
	default:
		return 2, n
	}
}

func appendHead(b []byte, first byte, payload int) []byte {
	switch {
	case payload < 126:
		return append(b, first, byte(payload))
	case payload < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, first, 126), uint16(payload))
	}
	return binary.BigEndian.AppendUint64(append(b, first, 127), uint64(payload))
}

// compressor is more than 1 MB: there are only as many as work at once.
type compressor struct {
	to  *flate.Writer
	out bytes.Buffer
}

var compressors = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, deflateLevel)
	if err != nil {
		panic(err) // there is such a level
	}
	return &compressor{to: w}
}}

// pack returns p compressed, until the next call.
func (c *compressor) pack(p []byte) []byte {
	c.out.Reset()
	c.to.Reset(&c.out)
	c.to.Write(p) // a buffer takes everything
	c.to.Flush()
	return c.out.Bytes()[:c.out.Len()-deflateTail]
}

func (c *compressor) release() {
	if c.out.Cap() > keptPacked {
		c.out = bytes.Buffer{}
	}
	compressors.Put(c)
}

// ahead returns m in both forms when a classic connection wants it compressed, and else nothing. Those get it at once, unlike members of a channel, so
// it is compressed before any lock of the hub is taken.
func (d *Delivery) ahead(m *engine.Message) (f forms) {
	if d.hub.classicDeflates.Load() > 0 && d.hub.forClassicDeflate(m) {
		f.plain = AppendMessage(nil, m)
		f.packed(d.hub.CompressBytes)
	}
	return f
}

// forClassicDeflate reports whether a classic connection that takes compressed frames sees m.
func (h *Hub) forClassicDeflate(m *engine.Message) bool {
	if m.Recipients == nil {
		h.classicMu.RLock()
		defer h.classicMu.RUnlock()
		return anyDeflates(h.classic, m)
	}
	h.clientsMu.RLock()
	defer h.clientsMu.RUnlock()
	for _, id := range m.Recipients {
		if anyDeflates(h.clients[id], m) {
			return true
		}
	}
	return false
}

func anyDeflates(members []*Member, m *engine.Message) bool {
	for _, member := range members {
		if member.deflates() && member.sees != nil && member.sees(m.Key) {
			return true
		}
	}
	return false
}
