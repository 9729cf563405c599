//go:build linux

package gen

import "bytes"

var endOfHead = []byte("\r\n\r\n")

// consume handles what arrived and returns how much of it was complete.
func (e *Engine) consume(c *Conn, b []byte) int {
	if c.Kind == ShortHTTP {
		return e.consumeAnswer(c, b)
	}
	used := 0
	if c.state == Handshaking {
		end := bytes.Index(b, endOfHead)
		if end < 0 {
			return 0
		}
		if !bytes.HasPrefix(b, []byte("HTTP/1.1 101")) {
			e.Complain("handshake refused", b)
			e.lost(c)
			return len(b)
		}
		used, c.state = end+len(endOfHead), Open
		e.protocol.Opened(e, c)
	}
	for c.state != Closed {
		f, n := parseFrame(b[used:])
		if n == 0 {
			break
		}
		e.take(c, f)
		used += n
	}
	return used
}

func (e *Engine) take(c *Conn, f frame) {
	switch f.op {
	case opText, opBinary:
		p := f.payload
		if f.compressed {
			p = e.inflate.message(p)
		}
		if c.state != Ready || c.Kind != Subscriber || !e.stamped(c, p) {
			e.protocol.Message(e, c, p)
		}
	case opPing:
		e.Write(c, appendFrame(nil, opPong, f.payload))
	case opClose:
		if c.Kind == ShortWS {
			e.shortEnd(c, true)
			return
		}
		e.Write(c, appendFrame(nil, opClose, f.payload))
	}
}

// stamped counts a message with a stamp and reports whether p is one.
func (e *Engine) stamped(c *Conn, p []byte) bool {
	at := findStamp(p, c.hint)
	if at < 0 {
		return false
	}
	c.hint = at
	sent, number := readStamp(p[at:])
	if sent == 0 {
		if !c.answered {
			c.answered = true
			e.Probes++
		}
		return true
	}
	e.Delivered++
	c.Got++
	if number <= c.last {
		e.Reordered++
	}
	c.last = number
	if sent >= e.From {
		e.Latency.Add(Now() - sent)
	}
	return true
}

// consumeAnswer reads the answer to the one request of a short-lived publisher.
func (e *Engine) consumeAnswer(c *Conn, b []byte) int {
	status, size := parseAnswer(b)
	if size == 0 {
		return 0
	}
	if status/100 != 2 {
		e.Complain("publish refused", b[:size])
		e.Refused-- // shortEnd counts it
	}
	e.shortEnd(c, status/100 == 2)
	return len(b)
}
