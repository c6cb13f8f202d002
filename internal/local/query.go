package local

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"strconv"
)

// A query is a name to be looked for in many tables: in lower case, with the
// hash of itself and of the domains it is in, as far as the sieve lets them
// through. It is kept small: each question has to clear one.
type query struct {
	seed  maphash.Seed
	sift  *sieve
	given string // the domain it was made of, if it was; a server often greets by the name it has
	size  int
	own   int // of the names: these are what is asked for themselves
	count int // of the names: then the domains these are in, the longest first
	hash  [maxLabels + 2]uint64
	start [maxLabels + 2]uint8
	text  [maxName + 8]byte // the last bytes let words of 8 be written
}

const (
	// maxName is the longest name that is looked for: RFC 1035 section 2.3.4 has
	// 255 octets, written out at most 253. Addresses go up to 254, RFC 5321.
	maxName = 255
	// maxLabels is the number of labels that a domain in a rule or file may have.
	// Names that are asked for may have more.
	maxLabels = 31
)

// domain takes a host or domain name; it reports false when nothing can match.
func (q *query) domain(name string) bool {
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if q.given == name && name != "" {
		return q.count > 0
	}
	if !q.whole(name) {
		return false
	}
	q.given = name
	q.domains(0)
	return q.count > 0
}

// address takes a mail address up to its @, and the domain behind that; one that
// is too long as a whole counts by its domain.
func (q *query) address(local, host string) bool {
	if local == "" || len(local)+len(host) > maxName {
		return q.domain(host)
	}
	if !q.whole(local, host) {
		return false
	}
	if host != "" {
		q.itself(len(local))
		q.domains(len(local))
	}
	return q.count > 0
}

// account takes a login name of which the part from at on is a name as well;
// none if at is negative.
func (q *query) account(name string, at int) bool {
	if !q.whole(name) {
		return false
	}
	if at > 0 {
		q.itself(at)
	}
	return q.count > 0
}

// number takes a number, as it is written in digits.
func (q *query) number(n uint32) bool {
	var digits [10]byte
	return q.whole(string(strconv.AppendUint(digits[:0], uint64(n), 10))) && q.count > 0
}

// whole takes parts of a text that is compared as one. It reports false when
// there is none, or too much.
func (q *query) whole(parts ...string) bool {
	q.given, q.size, q.own, q.count = "", 0, 0, 0
	for _, part := range parts {
		if q.size+len(part) > maxName {
			return false
		}
		at := q.size
		q.size += copy(q.text[at:], part)
		for ; at < q.size; at += 8 {
			word := q.text[at : at+8]
			binary.LittleEndian.PutUint64(word, lower8(binary.LittleEndian.Uint64(word)))
		}
	}
	if q.size == 0 {
		return false
	}
	q.itself(0)
	return true
}

// itself adds the text from start on as what is asked for.
func (q *query) itself(start int) {
	q.add(start)
	q.own = q.count
}

// domains adds the domains that the name from start on is in.
func (q *query) domains(start int) {
	name := q.text[:q.size]
	for dots := bytes.Count(name[start:], dot); dots > 0; dots-- {
		start += bytes.IndexByte(name[start:], '.') + 1
		if dots <= maxLabels && start < q.size {
			q.add(start)
		}
	}
}

var dot = []byte(".")

// add adds the text from start on, if any table can hold it.
func (q *query) add(start int) {
	name := q.text[start:q.size]
	if !q.sift.mayHold(name) {
		return
	}
	q.start[q.count] = uint8(start)
	q.hash[q.count] = maphash.Bytes(q.seed, name)
	q.count++
}

// at gives the i-th name, and what an entry must be for to match it.
func (q *query) at(i int, f Field) (name []byte, hash uint64, want kinds) {
	want = below(f)
	if i < q.own {
		want = self(f)
	}
	return q.text[q.start[i]:q.size], q.hash[i], want
}

// A sieve tells in a few steps of most names that no table holds them. Beyond
// some ten thousand names it lets most of them through.
type sieve [sieveBits / 64]uint64

const sieveBits = 1 << 15

func (s *sieve) add(name []byte) {
	bit := sieveBit(name)
	s[bit/64] |= 1 << (bit % 64)
}

func (s *sieve) mayHold(name []byte) bool {
	bit := sieveBit(name)
	return s[bit/64]&(1<<(bit%64)) != 0
}

// join adds all names of another one, which may be nil.
func (s *sieve) join(other *sieve) {
	if other == nil {
		return
	}
	for i, word := range other {
		s[i] |= word
	}
}

// sieveBit makes one of the beginning, the midst, the end and the length of a name.
func sieveBit(name []byte) uint32 {
	n := uint64(len(name))
	if n >= 8 {
		midst, end := name[n/2-4:], name[n-8:]
		n ^= binary.LittleEndian.Uint64(name)
		n ^= bits.RotateLeft64(binary.LittleEndian.Uint64(midst), 13)
		n ^= bits.RotateLeft64(binary.LittleEndian.Uint64(end), 29)
	} else {
		for i, c := range name {
			n ^= uint64(c) << (8*i + 8)
		}
	}
	const odd = 0x9e3779b97f4a7c15 // spreads all bits to the highest
	return uint32(n * odd >> 32 % sieveBits)
}

// lower8 brings the ASCII letters among 8 bytes to lower case.
func lower8(text uint64) uint64 {
	const each = 0x0101010101010101
	low := text & (0x7f * each)
	capital := (low + (0x80-'A')*each) &^ (low + (0x7f-'Z')*each) &^ text & (0x80 * each)
	return text | capital>>2
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
