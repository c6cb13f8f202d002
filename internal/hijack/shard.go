package hijack

import (
	"math/bits"
	"math/rand/v2"
	"sync"
)

// shards are the parts of a Watch, and firstCells the places of a new one.
const (
	shards     = 64
	firstCells = 16
)

// A shard is the part of a Watch under one lock: an open hash table with linear
// probing. A Key is a keyed hash already; what is mixed in is so that a snapshot in the order
// of another table's places does not heap up.
type shard struct {
	mu      sync.Mutex
	scatter uint64
	tags    []uint8 // of each place: 0 where it is free, else some bits of its key
	cells   []cell
	used    int
	limit   int
	hand    int // where evict goes on
	track   bool
	changed []Key // to be exported; what is not there any more was forgotten
	evicted uint64
	_       [64]byte // no two shards' locks in one cache line
}

func newScatter() uint64 { return rand.Uint64() | 1 }

func (s *shard) place(k Key) (home int, tag uint8) {
	h := finish(uint64(k) * s.scatter)
	hi, _ := bits.Mul64(h, uint64(len(s.cells)))
	return int(hi), uint8(h) | 1
}

func (s *shard) next(i int) int {
	if i++; i < len(s.cells) {
		return i
	}
	return 0
}

// at gives the place of a key, -1 if it has none.
func (s *shard) at(k Key) int {
	if len(s.cells) == 0 {
		return -1
	}
	i, own := s.place(k)
	for ; s.tags[i] != 0; i = s.next(i) {
		if s.tags[i] == own && s.cells[i].id == uint64(k) {
			return i
		}
	}
	return -1
}

// find gives the cell of a key, or nil. It is good until the next insert.
func (s *shard) find(k Key) *cell {
	if i := s.at(k); i >= 0 {
		return &s.cells[i]
	}
	return nil
}

// insert gives a new cell for a key that has none.
func (s *shard) insert(k Key, now uint32) *cell {
	if s.used >= s.limit {
		s.evict()
	}
	if (s.used+1)*8 > len(s.cells)*7 {
		s.grow()
	}
	s.used++
	c := s.vacant(k)
	day := uint16(now / daySeconds)
	*c = cell{id: uint64(k), last: now, first: day, day: day}
	return c
}

// vacant gives the free cell where a new key belongs, and marks it as taken.
func (s *shard) vacant(k Key) *cell {
	i, tag := s.place(k)
	for s.tags[i] != 0 {
		i = s.next(i)
	}
	s.tags[i] = tag
	return &s.cells[i]
}

// grow makes more room: by a half at first, then by quarters, for half of it would be
// idle; and never for more than the limit needs.
func (s *shard) grow() {
	old, tags := s.cells, s.tags
	more := len(old) / 4
	if len(old) < s.limit/4 {
		more = len(old) / 2
	}
	places := max(firstCells, min(len(old)+more, s.limit*8/7+2))
	s.cells, s.tags = make([]cell, places), make([]uint8, places)
	for i := range old {
		if tags[i] != 0 {
			*s.vacant(Key(old[i].id)) = old[i]
		}
	}
	s.hand = 0
}

// drop frees the cell at a place, and moves those up that stand behind it only
// because it was taken.
func (s *shard) drop(hole int) {
	s.used--
	for i := s.next(hole); s.tags[i] != 0; i = s.next(i) {
		if home, _ := s.place(Key(s.cells[i].id)); s.gap(home, i) >= s.gap(hole, i) {
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

// evict forgets of some the one that was not seen for the longest time.
func (s *shard) evict() {
	oldest := -1
	for seen, n := 0, 0; n < len(s.cells) && seen < evictSteps; n++ {
		s.hand = s.next(s.hand)
		if s.tags[s.hand] == 0 {
			continue
		}
		seen++
		if oldest < 0 || s.cells[s.hand].last < s.cells[oldest].last {
			oldest = s.hand
		}
	}
	if oldest >= 0 {
		s.evicted++
		s.drop(oldest)
	}
}

// touch notes that what a cell holds has changed.
func (s *shard) touch(c *cell) {
	if s.track && c.flags&onChanged == 0 {
		c.flags |= onChanged
		s.changed = append(s.changed, Key(c.id))
	}
}
