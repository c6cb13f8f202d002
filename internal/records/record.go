package records

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"time"
)

// IDSize is the length of a whole id.
const IDSize = 12

// A Kind says what a key is of. The number stands on disk.
type Kind uint8

// The kinds of keys.
const (
	Client Kind = 1 + iota // an address
	From                   // the sender's domain
	Sender                 // a whole address, or the token in its place
	Rcpt                   // likewise
	Queue                  // the MTA's name of the message
)

// A Key is one thing that a record is found by. Values are compared as they are: their
// owner gives them one form.
type Key struct {
	Kind  Kind
	Value string // at most 1,024 bytes of it count
}

// A Record is what is kept of one visit.
type Record struct {
	ID   string // at most IDSize bytes
	When time.Time
	Keys []Key // at most 255
	Body []byte
}

// The bounds of a Record.
const (
	maxKeys  = 255
	maxValue = 1 << 10
	maxBody  = 256 << 10
)

// hash is what stands for a key in the head of a block. It is the same on every
// machine; whoever finds another value of the same hash has a block unpacked in vain.
func (k Key) hash() uint32 {
	h := fnv.New64a()
	h.Write([]byte{byte(k.Kind)})
	h.Write([]byte(clip(k.Value)))
	sum := h.Sum64()
	return uint32(sum ^ sum>>32)
}

func clip(s string) string { return s[:min(len(s), maxValue)] }

// fits reports whether a record can be kept.
func (r *Record) fits() bool {
	return r.ID != "" && len(r.ID) <= IDSize && len(r.Keys) <= maxKeys && len(r.Body) <= maxBody
}

// append packs r behind b:
//
//	4  length of what follows
//	1  length of the id, the id
//	8  when, milliseconds of Unix time
//	1  number of keys; of each: kind (1), length (2), value
//	n  body
//
// Numbers have the least byte first.
func (r *Record) append(b []byte) []byte {
	begin := len(b)
	b = append(b, 0, 0, 0, 0, byte(len(r.ID)))
	b = append(b, r.ID...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.When.UnixMilli()))
	b = append(b, byte(len(r.Keys)))
	for _, k := range r.Keys {
		value := clip(k.Value)
		b = append(b, byte(k.Kind))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	b = append(b, r.Body...)
	binary.LittleEndian.PutUint32(b[begin:], uint32(len(b)-begin-4))
	return b
}

var errBadRecord = errors.New("a record that is none")

// nextRecord unpacks the first of packed records. Its strings and body share the
// memory of b.
func nextRecord(b []byte) (r Record, rest []byte, err error) {
	if len(b) < 4 {
		return r, nil, errBadRecord
	}
	size := binary.LittleEndian.Uint32(b)
	if uint64(size) > uint64(len(b)-4) {
		return r, nil, errBadRecord
	}
	rest = b[4+size:]
	c := cutter{b: b[4 : 4+size]}
	r.ID = string(c.cut(int(c.byte())))
	when := c.cut(8)
	if c.bad {
		return r, nil, errBadRecord
	}
	r.When = time.UnixMilli(int64(binary.LittleEndian.Uint64(when)))
	for n := int(c.byte()); n > 0 && !c.bad; n-- {
		kind := Kind(c.byte())
		size := c.cut(2)
		if c.bad {
			break
		}
		r.Keys = append(r.Keys, Key{kind, string(c.cut(int(binary.LittleEndian.Uint16(size))))})
	}
	if c.bad {
		return r, nil, errBadRecord
	}
	r.Body = c.b
	return r, rest, nil
}

// A cutter cuts pieces off the front of bytes; past their end it is bad, and gives
// nothing.
type cutter struct {
	b   []byte
	bad bool
}

func (c *cutter) cut(n int) []byte {
	if n > len(c.b) {
		c.bad = true
		return nil
	}
	piece := c.b[:n]
	c.b = c.b[n:]
	return piece
}

func (c *cutter) byte() byte {
	if piece := c.cut(1); len(piece) == 1 {
		return piece[0]
	}
	return 0
}
