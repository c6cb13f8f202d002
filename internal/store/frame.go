package store

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A frame is what is checked, and lost, as one. Its bytes, numbers with the least
// byte first:
//
//	4  magic, the version of the format in its last byte
//	4  salt of the file, at random
//	4  length of the body
//	4  CRC-32C of those 12
//	n  body: length of the space's name (1), the name, the record
//	4  CRC-32C of salt and body
//
// The head has a sum of its own so that a damaged length is not believed. By the
// salt a frame that somebody else has put into a record is no frame of the file.
const (
	magic     = "mps1"
	markSize  = 8 // magic and salt
	headSize  = 16
	maxName   = 32
	maxRecord = 1 << 30
	maxBody   = 1 + maxName + maxRecord
	frameOver = headSize + 1 + crc32.Size // what a frame takes beside name and record
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A mark begins each frame of a file.
type mark [markSize]byte

func newMark(salt uint32) (m mark) {
	copy(m[:], magic)
	binary.LittleEndian.PutUint32(m[4:], salt)
	return m
}

// beginFrame appends what stands before the record. endFrame makes it a frame.
func beginFrame(dst []byte, m mark, name string) []byte {
	dst = append(dst, m[:]...)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = append(dst, byte(len(name)))
	return append(dst, name...)
}

// endFrame completes the frame that began at the given place of b; its body is
// at most maxBody.
func endFrame(b []byte, begin int) []byte {
	head, body := b[begin:begin+headSize], b[begin+headSize:]
	binary.LittleEndian.PutUint32(head[8:], uint32(len(body)))
	binary.LittleEndian.PutUint32(head[12:], crc32.Checksum(head[:12], castagnoli))
	return binary.LittleEndian.AppendUint32(b, bodySum(head, body))
}

func appendFrame(dst []byte, m mark, name string, record []byte) []byte {
	begin := len(dst)
	return endFrame(append(beginFrame(dst, m, name), record...), begin)
}

func bodySum(head, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(head[4:markSize], castagnoli), castagnoli, body)
}

// parseHead gives the length of the body, and false if it is no head.
func parseHead(head []byte) (int, bool) {
	size := binary.LittleEndian.Uint32(head[8:])
	ok := string(head[:4]) == magic && size >= 1 && size <= maxBody &&
		crc32.Checksum(head[:12], castagnoli) == binary.LittleEndian.Uint32(head[12:])
	return int(size), ok
}

// parseBody gives name and record of a whole frame, and false if it is none.
func parseBody(frame []byte) (name, record []byte, ok bool) {
	body, sum := frame[headSize:len(frame)-crc32.Size], frame[len(frame)-crc32.Size:]
	n := 1 + int(body[0])
	if bodySum(frame[:headSize], body) != binary.LittleEndian.Uint32(sum) || n > len(body) {
		return nil, nil, false
	}
	return body[1:n], body[n:], true
}

// newerVersion reports whether data begins a file of a version we do not know.
func newerVersion(data []byte) bool {
	return len(data) >= headSize && bytes.HasPrefix(data, []byte(magic[:3])) && data[3] != magic[3] &&
		crc32.Checksum(data[:12], castagnoli) == binary.LittleEndian.Uint32(data[12:])
}

// What a label, the record of a frame without a name, tells.
const (
	labelJournal  = 'J' // the first frame of a journal
	labelSnapshot = 'S' // the first frame of a snapshot
	labelEnd      = 'E' // its last
	labelSize     = 1 + 8 + 8 + SecretSize
)

// A label says what a file is, at its begin, and of a snapshot at its end too.
type label struct {
	kind   byte
	base   uint64 // of a journal: the snapshot that it goes on from, 0 for none
	frames uint64 // at the end of a snapshot: how many it has beside the labels
	secret [SecretSize]byte
}

func (l *label) append(dst []byte) []byte {
	dst = append(dst, l.kind)
	dst = binary.LittleEndian.AppendUint64(dst, l.base)
	dst = binary.LittleEndian.AppendUint64(dst, l.frames)
	return append(dst, l.secret[:]...)
}

func parseLabel(record []byte) (l label, ok bool) {
	if len(record) != labelSize {
		return l, false
	}
	l.kind = record[0]
	l.base = binary.LittleEndian.Uint64(record[1:])
	l.frames = binary.LittleEndian.Uint64(record[9:])
	copy(l.secret[:], record[17:])
	return l, true
}
