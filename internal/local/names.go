package local

import (
	"hash/maphash"
	"math/bits"
	"strconv"
)

// kinds say what a name in a table stands for: two bits for each field but
// Client, the one for the name itself, the other for all that is below it.
type kinds uint16

func self(f Field) kinds  { return 1 << (2 * (f - 1)) }
func below(f Field) kinds { return 2 << (2 * (f - 1)) }
func tree(f Field) kinds  { return 3 << (2 * (f - 1)) }

// names is a hash table of names in lower case: their letters in one array,
// everything else in others, without pointers. About 20 bytes for each name
// besides its letters. The seed must be that of the hashes it is asked with.
type names struct {
	letters []byte
	start   []uint32 // of each name; one more for the end of the last
	line    []uint32 // with excluded
	kind    []kinds
	// Open addressing: tag is 0 in a free slot, else a piece of the hash, so
	// that names that are not there are found out without looking at letters.
	tag  []uint8
	slot []uint32
	mask uint32
	all  kinds // all kinds of all names
}

// add takes in one name; it is not found before build.
func (n *names) add(name []byte, kind kinds, line uint32) {
	n.start = append(n.start, uint32(len(n.letters)))
	n.letters = append(n.letters, name...)
	n.line = append(n.line, line)
	n.kind = append(n.kind, kind)
	n.all |= kind
}

// build makes the names found. Where better is given, a name that is there
// twice with the same kinds is kept once: the later one where better says so,
// else the earlier.
func (n *names) build(seed maphash.Seed, better func(line, than uint32) bool) {
	count := len(n.line)
	if count == 0 {
		*n = names{}
		return
	}
	n.start = append(n.start, uint32(len(n.letters)))
	n.letters, n.start, n.line, n.kind = tight(n.letters), tight(n.start), tight(n.line), tight(n.kind)
	size := uint32(1) << bits.Len(uint(count+count/3)) // at most three quarters full
	n.tag, n.slot, n.mask = make([]uint8, size), make([]uint32, size), size-1
	for e := range uint32(count) {
		n.insert(e, maphash.Bytes(seed, n.name(e)), better)
	}
}

func (n *names) insert(e uint32, hash uint64, better func(line, than uint32) bool) {
	i := uint32(hash) & n.mask
	for ; n.tag[i] != 0; i = (i + 1) & n.mask {
		if better == nil || n.tag[i] != tagOf(hash) {
			continue
		}
		there := n.slot[i]
		if n.kind[there] != n.kind[e] || (n.line[there]^n.line[e])&excluded != 0 || string(n.name(there)) != string(n.name(e)) {
			continue
		}
		if better(n.line[e], n.line[there]) {
			n.slot[i] = e
		}
		return
	}
	n.tag[i], n.slot[i] = tagOf(hash), e
}

func tagOf(hash uint64) uint8 { return uint8(hash>>56) | 1 }

func (n *names) name(e uint32) []byte { return n.letters[n.start[e]:n.start[e+1]] }

// next looks for a name with any of the kinds wanted. It gives its line and
// where to look for another one of the same name; begin with uint32(hash).
func (n *names) next(name []byte, hash uint64, want kinds, from uint32) (line, at uint32, ok bool) {
	if n.all&want == 0 {
		return 0, 0, false
	}
	for i := from & n.mask; n.tag[i] != 0; i = (i + 1) & n.mask {
		if n.tag[i] != tagOf(hash) {
			continue
		}
		if e := n.slot[i]; n.kind[e]&want != 0 && string(n.name(e)) == string(name) {
			return n.line[e], i + 1, true
		}
	}
	return 0, 0, false
}

// A query is a name to be looked for in many tables: in lower case, with the
// hash of itself and of the domains it is in. It is kept small: each question
// has to clear one.
type query struct {
	seed  maphash.Seed
	size  int
	count int // of the names: itself first, then the domains it is in, the longest first
	hash  [maxLabels + 1]uint64
	start [maxLabels + 1]uint8
	text  [maxName]byte
}

const (
	// maxName is the longest name that is looked for: RFC 1035 section 2.3.4 has
	// 255 octets, written out at most 253. Addresses go up to 254, RFC 5321.
	maxName = 255
	// maxLabels is the number of labels that a domain in a rule or file may have.
	// Names that are asked for may have more.
	maxLabels = 31
)

// set takes a host or domain name; it reports false when nothing can match.
func (q *query) set(name string) bool {
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if !q.whole(name) {
		return false
	}
	dots := 0
	for _, c := range q.text[:q.size] {
		if c == '.' {
			dots++
		}
	}
	for i := range q.size {
		if q.text[i] != '.' {
			continue
		}
		if dots--; dots < maxLabels && i+1 < q.size {
			q.start[q.count] = uint8(i + 1)
			q.hash[q.count] = maphash.Bytes(q.seed, q.text[i+1:q.size])
			q.count++
		}
	}
	return true
}

// whole takes parts of a text that is compared as one.
func (q *query) whole(parts ...string) bool {
	q.size = 0
	for _, part := range parts {
		if q.size+len(part) > maxName {
			return false
		}
		for i := range len(part) {
			q.text[q.size+i] = lower(part[i])
		}
		q.size += len(part)
	}
	if q.size == 0 {
		return false
	}
	q.count = 1
	q.start[0] = 0
	q.hash[0] = maphash.Bytes(q.seed, q.text[:q.size])
	return true
}

// number takes a number, as it is written in digits.
func (q *query) number(n uint32) {
	q.size = len(strconv.AppendUint(q.text[:0], uint64(n), 10))
	q.count = 1
	q.start[0] = 0
	q.hash[0] = maphash.Bytes(q.seed, q.text[:q.size])
}

// at gives the i-th name, itself first, and what an entry must be for to match it.
func (q *query) at(i int, f Field) (name []byte, hash uint64, want kinds) {
	want = below(f)
	if i == 0 {
		want = self(f)
	}
	return q.text[q.start[i]:q.size], q.hash[i], want
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
