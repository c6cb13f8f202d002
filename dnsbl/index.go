package dnsbl

import "encoding/binary"

// An index finds the place of a record by its hash. It holds places alone, in open
// addressing with linear probing: the hash stands in the head of the record, so an
// entry takes 5 to 11 bytes, where a map takes 26 to 39.
type index struct {
	slots []place // 0: free; their number is a power of two
	n     int     // in use
}

// A place is the number of a page, and where in it a record lies, which is never 0.
type place uint32

func placeOf(page uint16, at int) place { return place(page)<<16 | place(at) }
func (p place) page() uint16            { return uint16(p >> 16) }
func (p place) at() int                 { return int(p & 0xffff) }

// hashAt reads the hash from the head of a record.
func (s *shard) hashAt(p place) uint64 {
	return binary.BigEndian.Uint64(s.pages[p.page()-s.first][p.at():])
}

// lookup is the slot of a hash, or the free one where it belongs.
func (s *shard) lookup(hash uint64) int {
	mask := uint64(len(s.index.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if p := s.index.slots[i]; p == 0 || s.hashAt(p) == hash {
			return int(i)
		}
	}
}

// point makes a hash lead to a place, where its record must stand already.
func (s *shard) point(hash uint64, p place) {
	i := s.lookup(hash)
	if s.index.slots[i] == 0 {
		s.index.n++
	}
	s.index.slots[i] = p
	if s.index.n*4 < len(s.index.slots)*3 {
		return
	}
	old := s.index.slots
	s.index.slots = make([]place, 2*len(old))
	for _, p := range old {
		if p != 0 {
			s.index.slots[s.lookup(s.hashAt(p))] = p
		}
	}
}

// unpoint takes a place out, if its hash leads there, and closes the gap.
func (s *shard) unpoint(p place) {
	slots := s.index.slots
	gap := s.lookup(s.hashAt(p))
	if slots[gap] != p {
		return // the record has moved
	}
	mask := len(slots) - 1
	for i := (gap + 1) & mask; slots[i] != 0; i = (i + 1) & mask {
		home := int(s.hashAt(slots[i])) & mask
		if (i-home)&mask >= (i-gap)&mask {
			slots[gap], gap = slots[i], i
		}
	}
	slots[gap] = 0
	s.index.n--
}
