package local

import (
	"hash/maphash"
	"math/bits"
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
	all  kinds  // all kinds of all names
	sift *sieve // nil without names
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
	n.sift = new(sieve)
	n.tag, n.slot, n.mask = make([]uint8, size), make([]uint32, size), size-1
	for e := range uint32(count) {
		n.sift.add(n.name(e))
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
