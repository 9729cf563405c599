package engine

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"unsafe"
)

// journalMagic begins a journal; what comes before the number says whose file it is, the number what is in it.
const (
	journalMagic = journalOwner + "1\n"
	journalOwner = "mediawiki-websocket history "
)

// A record is a head and a body. The head is the length of the body (4 bytes, the lowest first), the kind, and two CRC-32C: of these five bytes, and of the
// body. A write that was cut short leaves the beginning of a record; because the head has a sum of its own, that can be told from damage.
const headBytes = 4 + 1 + 4 + 4

// The kinds of records. A body is a row of numbers (as [binary.AppendUvarint] has them) and texts (a number, their length, and as many bytes). A point is two
// numbers: offset, Unix milliseconds. A key is two texts: wiki, type.
const (
	kindEpoch    = 'e' // text: epoch; text: boot id of the machine. The first of each file
	kindOpened   = 'o' // text: boot id. A process has opened the file
	kindReserved = 'r' // number: offsets up to it may have been given
	kindMessage  = 'm' // see appendMessage
	kindLost     = 'l' // key, point: what the key had up to there is gone
	kindFloor    = 'f' // text: wiki; point: what keys of it that no record names had up to there is gone
	kindDeclared = 'd' // text: wiki; digest of policies; point: what is kept has been declared from there on
	kindFirst    = 'k' // digest of an idempotency key; point of its message
	kindEnd      = 'c' // number: the last offset that was given. The process has closed the file
)

// The members of a message that need not be there.
const (
	flagWiki = 1 << iota
	flagMsg
	flagTo
	flagRecipients
	flagOnce
	flagType   // another one than the key's
	flagOwners // of the client ids of the recipients
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// begin appends the head of a record, which seal fills in.
func begin(b []byte, kind byte) []byte {
	return append(b, 0, 0, 0, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0)
}

// seal completes the record that begins at start and reaches to the end of b.
func seal(b []byte, start int) []byte {
	head, body := b[start:start+headBytes], b[start+headBytes:]
	binary.LittleEndian.PutUint32(head, uint32(len(body)))
	binary.LittleEndian.PutUint32(head[5:], crc32.Checksum(head[:5], castagnoli))
	binary.LittleEndian.PutUint32(head[9:], crc32.Checksum(body, castagnoli))
	return b
}

// parseHead returns what a head says; ok: it is one.
func parseHead(head []byte) (size uint32, kind byte, sum uint32, ok bool) {
	return binary.LittleEndian.Uint32(head), head[4], binary.LittleEndian.Uint32(head[9:]),
		binary.LittleEndian.Uint32(head[5:]) == crc32.Checksum(head[:5], castagnoli)
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendPoint(b []byte, p point) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, p.offset), uint64(max(0, p.time)))
}

func appendEpoch(b []byte, epoch, boot string) []byte {
	start := len(b)
	return seal(appendText(appendText(begin(b, kindEpoch), epoch), boot), start)
}

func appendOpened(b []byte, boot string) []byte {
	start := len(b)
	return seal(appendText(begin(b, kindOpened), boot), start)
}

func appendReserve(b []byte, n uint64) []byte { return appendNumber(b, kindReserved, n) }

func appendNumber(b []byte, kind byte, n uint64) []byte {
	start := len(b)
	return seal(binary.AppendUvarint(begin(b, kind), n), start)
}

func appendLost(b []byte, k Key, p point) []byte {
	start := len(b)
	return seal(appendPoint(appendText(appendText(begin(b, kindLost), k.Wiki), k.Type), p), start)
}

func appendFloor(b []byte, wiki string, p point) []byte {
	start := len(b)
	return seal(appendPoint(appendText(begin(b, kindFloor), wiki), p), start)
}

func appendDeclared(b []byte, wiki string, policies digest, since point) []byte {
	start := len(b)
	b = append(appendText(begin(b, kindDeclared), wiki), policies[:]...)
	return seal(appendPoint(b, since), start)
}

func appendFirst(b []byte, d digest, p point) []byte {
	start := len(b)
	return seal(appendPoint(append(begin(b, kindFirst), d[:]...), p), start)
}

// appendMessage appends: flags, point, count and seconds of history, key, then as the flags say type, msg, to, the number of recipients and each, wiki and user of the
// owner of each, digest of the idempotency key; at last from and user.
func appendMessage(b []byte, n *node) []byte {
	start := len(b)
	var flags byte
	set := func(is bool, flag byte) {
		if is {
			flags |= flag
		}
	}
	set(n.Wiki, flagWiki)
	set(n.Msg != nil, flagMsg)
	set(n.To != nil, flagTo)
	set(n.Recipients != nil, flagRecipients)
	set(n.Recipients != nil && n.Owners != nil, flagOwners)
	set(n.once != digest{}, flagOnce)
	set(n.Type != n.Key.Type, flagType)
	b = appendPoint(append(begin(b, kindMessage), flags), point{n.Offset, n.Time})
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(n.Keep.Count)), uint64(n.Keep.Seconds))
	b = appendText(appendText(b, n.Key.Wiki), n.Key.Type)
	if flags&flagType != 0 {
		b = appendText(b, n.Type)
	}
	if flags&flagMsg != 0 {
		b = appendText(b, n.Msg)
	}
	if flags&flagTo != 0 {
		b = appendText(b, n.To)
	}
	if flags&flagRecipients != 0 {
		b = binary.AppendUvarint(b, uint64(len(n.Recipients)))
		for _, id := range n.Recipients {
			b = appendText(b, id)
		}
	}
	if flags&flagOwners != 0 {
		for _, o := range n.Owners {
			b = appendText(appendText(b, o.Wiki), o.User)
		}
	}
	if flags&flagOnce != 0 {
		b = append(b, n.once[:]...)
	}
	return seal(appendText(appendText(b, n.From), n.User), start)
}

var errRecord = errors.New("a record does not say what it must")

// body reads the body of a record. After a fault it gives nothing more, and bad is set.
type body struct {
	rest []byte
	bad  bool
}

func (b *body) number() uint64 {
	n, size := binary.Uvarint(b.rest)
	if size <= 0 {
		b.rest, b.bad = nil, true
		return 0
	}
	b.rest = b.rest[size:]
	return n
}

// bytes returns the next n bytes, which are the reader's.
func (b *body) bytes(n uint64) []byte {
	if n > uint64(len(b.rest)) {
		b.rest, b.bad = nil, true
		return nil
	}
	part := b.rest[:n:n]
	b.rest = b.rest[n:]
	return part
}

func (b *body) raw() []byte  { return b.bytes(b.number()) }
func (b *body) text() string { return string(b.raw()) }

// offset returns a number which JavaScript can count to.
func (b *body) offset() uint64 {
	n := b.number()
	if n >= 1<<53 {
		b.rest, b.bad = nil, true
		return 0
	}
	return n
}

func (b *body) point() point {
	return point{b.offset(), int64(min(b.number(), 1<<62))}
}

func (b *body) key() Key { return Key{b.text(), b.text()} }

func (b *body) digest() (d digest) {
	copy(d[:], b.bytes(uint64(len(d))))
	return d
}

// end returns an error unless the body is what it must be and ends here.
func (b *body) end() error {
	if b.bad || len(b.rest) > 0 {
		return errRecord
	}
	return nil
}

// alias returns a text that is the reader's.
func (b *body) alias() string {
	raw := b.raw()
	return unsafe.String(unsafe.SliceData(raw), len(raw))
}

// message reads what appendMessage has written. Its key, and its type where that is the key's, are the reader's, until the history gives it those of a ring.
func (b *body) message() (*node, error) {
	n := new(node)
	flags := uint64(0)
	if f := b.bytes(1); f != nil {
		flags = uint64(f[0])
	}
	p := b.point()
	n.Offset, n.Time = p.offset, p.time
	n.Keep = History{int(min(b.number(), 1<<30)), int(min(b.number(), 1<<30))}
	n.Key = Key{b.alias(), b.alias()}
	n.Type, n.Wiki = n.Key.Type, flags&flagWiki != 0
	if flags&flagType != 0 {
		n.Type = b.alias()
	}
	if flags&flagMsg != 0 {
		n.Msg = b.raw()
	}
	if flags&flagTo != 0 {
		n.To = b.raw()
	}
	if flags&flagRecipients != 0 {
		count := b.number()
		if count > uint64(len(b.rest)) { // each takes a byte at least
			return nil, errRecord
		}
		n.Recipients = make([]string, count)
		for i := range n.Recipients {
			n.Recipients[i] = b.alias()
		}
	}
	if flags&flagOwners != 0 {
		if len(n.Recipients) > len(b.rest)/2 {
			return nil, errRecord
		}
		n.Owners = make([]Owner, len(n.Recipients))
		for i := range n.Owners {
			n.Owners[i] = Owner{b.alias(), b.alias()}
		}
	}
	if flags&flagOnce != 0 {
		n.once = b.digest()
	}
	n.From, n.User = b.alias(), b.alias()
	if err := b.end(); err != nil || !n.Keep.some() {
		return nil, errRecord
	}
	n.own()
	return n, nil
}
