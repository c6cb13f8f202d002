package memory

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync"
)

// shards are the parts of a Servers, and firstCells the places of a new one.
const (
	shards     = 64
	firstCells = 16
)

// A scatter is chance that every table mixes into its places, so that no stranger can
// heap them up, and no snapshot in the order of another table's places does.
type scatter [2]uint64

func newScatter() scatter { return scatter{rand.Uint64(), rand.Uint64()} }

// of mixes a key into 64 bits.
func (m *scatter) of(k Key) uint64 {
	a, b := binary.LittleEndian.Uint64(k.id[:8]), binary.LittleEndian.Uint64(k.id[8:])
	hi, lo := bits.Mul64(a^m[0]^uint64(k.kind)<<56, b^m[1])
	hi, lo = bits.Mul64(hi^lo^m[1], m[0]|1)
	return hi ^ lo
}

// A shard is the part of a Servers under one lock: an open hash table with linear
// probing, as in ratelimit.
type shard struct {
	mu      sync.Mutex
	scatter *scatter
	tags    []uint8 // of each place: 0 where it is free, else some bits of its key
	cells   []cell
	names   map[[16]byte]string // of operators
	used    int
	limit   int
	hand    int // where evict goes on
	track   bool
	changed []Key // to be exported; what is not there any more was forgotten
	evicted uint64
	news    map[Key]*serverNews // what other machines are to be told; nil where nothing is
	_       [64]byte            // no two shards' locks in one cache line
}

// home gives the place where a cell would be if it were alone: by the upper bits of
// its hash, for the lower ones have chosen shard and tag.
func (s *shard) home(hash uint64) int {
	hi, _ := bits.Mul64(hash, uint64(len(s.cells)))
	return int(hi)
}

// tag is what stands for a key beside the cells: with it a search rarely looks at
// another's cell, which mostly is not at hand.
func tag(hash uint64) uint8 { return uint8(hash>>6) | 1 }

func (s *shard) next(i int) int {
	if i++; i < len(s.cells) {
		return i
	}
	return 0
}

func (c *cell) key() Key { return Key{c.kind, c.id} }

// find gives the cell of a key, or nil. It is good until the next insert.
func (s *shard) find(k Key) *cell {
	if i := s.at(k); i >= 0 {
		return &s.cells[i]
	}
	return nil
}

// at gives the place of a key, -1 if it has none.
func (s *shard) at(k Key) int {
	if len(s.cells) == 0 {
		return -1
	}
	hash := s.scatter.of(k)
	own := tag(hash)
	for i := s.home(hash); ; i = s.next(i) {
		switch s.tags[i] {
		case 0:
			return -1
		case own:
			if c := &s.cells[i]; c.id == k.id && c.kind == k.kind {
				return i
			}
		}
	}
}

// insert gives a new cell for a key that has none.
func (s *shard) insert(k Key, now uint32, h halving) *cell {
	if s.used >= s.limit {
		s.evict(now, h)
	}
	if (s.used+1)*8 > len(s.cells)*7 {
		s.grow()
	}
	s.used++
	c := s.vacant(k)
	*c = cell{id: k.id, kind: k.kind, first: now, last: now, day: uint16(now / daySeconds)}
	return c
}

// vacant gives the free cell where a new key belongs, and marks it as taken.
func (s *shard) vacant(k Key) *cell {
	hash := s.scatter.of(k)
	i := s.home(hash)
	for s.tags[i] != 0 {
		i = s.next(i)
	}
	s.tags[i] = tag(hash)
	return &s.cells[i]
}

// grow makes more room: by a half at first, then by quarters, for half of it would be
// idle; and never for more than the limit needs.
func (s *shard) grow() {
	old := s.cells
	more := len(old) / 4
	if len(old) < s.limit/4 {
		more = len(old) / 2
	}
	places := max(firstCells, min(len(old)+more, s.limit*8/7+2))
	s.cells, s.tags = make([]cell, places), make([]uint8, places)
	for i := range old {
		if old[i].kind != 0 {
			*s.vacant(old[i].key()) = old[i]
		}
	}
}

// drop frees the cell at a place, and moves those up that stand behind it only
// because it was taken.
func (s *shard) drop(hole int) {
	if c := &s.cells[hole]; c.kind == Operator {
		delete(s.names, c.id)
	}
	s.used--
	for i := s.next(hole); s.tags[i] != 0; i = s.next(i) {
		if s.gap(s.home(s.scatter.of(s.cells[i].key())), i) >= s.gap(hole, i) {
			s.cells[hole], s.tags[hole] = s.cells[i], s.tags[i]
			hole = i
		}
	}
	s.cells[hole], s.tags[hole] = cell{}, 0
}

// gap is how many places i stands behind from.
func (s *shard) gap(from, i int) int {
	if i < from {
		i += len(s.cells)
	}
	return i - from
}

// evictSteps is how many cells are looked at to choose the one that goes.
const evictSteps = 24

// evict forgets the least useful of some.
func (s *shard) evict(now uint32, h halving) {
	best, least := -1, 0.0
	for seen, n := 0, 0; n < len(s.cells) && seen < evictSteps; n++ {
		s.hand = s.next(s.hand)
		c := &s.cells[s.hand]
		if c.kind == 0 {
			continue
		}
		seen++
		if w := c.worth(now, h); best < 0 || w < least {
			best, least = s.hand, w
		}
	}
	if best >= 0 {
		s.evicted++
		s.drop(best)
	}
}

// touch notes that what a cell holds has changed.
func (s *shard) touch(c *cell) {
	if s.track && c.flags&onChanged == 0 {
		c.flags |= onChanged
		s.changed = append(s.changed, c.key())
	}
}
