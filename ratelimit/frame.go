package ratelimit

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Errors of reading what was exported.
var (
	ErrShort   = errors.New("the record ends too early") // the tail of a journal that was cut off
	ErrDamaged = errors.New("the record is damaged")
	ErrVersion = errors.New("the record is of another version")
	ErrKind    = errors.New("the record holds something else")
)

// A FrameKind says what a Frame holds.
type FrameKind byte

// The kinds of frames.
const (
	FrameCounters FrameKind = 'C' // for Table.Import
	FrameAccounts FrameKind = 'A' // for Accounts.Import
)

// frameVersion is written, and alone read.
const frameVersion = 1

// maxFrame bounds what the length of a frame may say, in bytes.
const maxFrame = 1 << 26

// exportSteps is how many keys go into one frame at most: their shard is locked
// for so long, well below a millisecond.
const exportSteps = 4096

// A Frame is one record of a journal: the state of some keys. Frames are read in
// the order in which they were written; a later one replaces what an earlier one
// says of the same key.
//
// Its bytes: kind, version, length of the body as a varint, the body, and the
// CRC-32C of all that, least byte first.
type Frame struct {
	Kind FrameKind
	body []byte
}

// NextFrame takes the first frame off data, which it goes on to refer to. With
// ErrShort, more data may make it whole; with any other error the rest of data
// is of no use.
func NextFrame(data []byte) (f Frame, rest []byte, err error) {
	if len(data) < 2 {
		return f, data, ErrShort
	}
	if data[1] != frameVersion {
		return f, data, ErrVersion
	}
	size, n := binary.Uvarint(data[2:])
	switch {
	case n == 0:
		return f, data, ErrShort
	case n < 0 || size > maxFrame:
		return f, data, ErrDamaged
	}
	begin := 2 + n
	end := begin + int(size)
	if len(data) < end+crc32.Size {
		return f, data, ErrShort
	}
	if crc32.Checksum(data[:end], castagnoli) != binary.LittleEndian.Uint32(data[end:]) {
		return f, data, ErrDamaged
	}
	return Frame{FrameKind(data[0]), data[begin:end]}, data[end+crc32.Size:], nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends a frame with this body.
func appendFrame(dst []byte, kind FrameKind, body []byte) []byte {
	begin := len(dst)
	dst = append(dst, byte(kind), frameVersion)
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	dst = append(dst, body...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[begin:], castagnoli))
}

// A reader takes numbers off a body. After the first that is not there or out of
// range, bad is set and all are 0.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) fail() {
	r.bad, r.data = true, nil
}

// number takes a varint of at most the given value.
func (r *reader) number(most uint64) uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || v > most {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) id() uint64 {
	if len(r.data) < 8 {
		r.fail()
		return 0
	}
	id := binary.LittleEndian.Uint64(r.data)
	r.data = r.data[8:]
	return id
}

// maxTime bounds times and their differences, in milliseconds: some 285,000 years.
const maxTime = 1 << 53

// An epoch is the head of each body: the clock's time of the export, and how far
// the wall clock was ahead of it then. In milliseconds.
type epoch struct{ at, ahead int64 }

func (e epoch) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(e.at))
	return binary.AppendUvarint(b, uint64(e.ahead<<1)^uint64(e.ahead>>63)) // zigzag
}

func (r *reader) epoch() (e epoch) {
	e.at = int64(r.number(maxTime))
	u := r.number(2 * maxTime)
	e.ahead = int64(u>>1) ^ -int64(u&1)
	return e
}
