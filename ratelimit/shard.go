package ratelimit

import (
	"math/rand/v2"
	"sync"
)

// Of an ID, the lowest bits choose the shard, and the lower half the place in it.
// Limits change only the upper half (see counterID), so that all counters of one
// account lie side by side, under one lock.
const (
	shardBits  = 6
	shards     = 1 << shardBits
	firstCells = 16 // places of a new shard
)

// A shard is the part of a Table under one lock: an open hash table with linear
// probing. Cells lie in it as they are, for a decision out of millions of
// counters costs what it costs to have their memory at hand.
type shard struct {
	mu      sync.Mutex
	scatter scatter
	cells   []cell
	used    int // cells that are not free
	limit   int // of used, if it can be kept
	hand    int // where sweep and evict go on
	moves   int // how often cells changed their places
	slabs   [len(blockSizes)]slab
	track   bool
	changed []uint64 // IDs of cells to export
	stats   Stats
	_       [64]byte // no two shards' locks in one cache line
}

// A scatter is a random odd number that every table mixes into its places. A
// snapshot is in the order of its table's places: entered into another table that
// has the same ones, and is still small, it would heap up at the front.
type scatter uint32

func newScatter() scatter { return scatter(rand.Uint32() | 1) }

// place gives one of so many places for an ID, by its lower half.
func (m scatter) place(id uint64, places int) int {
	return int(uint64(uint32(id)*uint32(m)) * uint64(places) >> 32)
}

// home gives the place where a cell would be if it were alone.
func (s *shard) home(id uint64) int { return s.scatter.place(id, len(s.cells)) }

// next gives the place behind another.
func (s *shard) next(i int) int {
	if i++; i < len(s.cells) {
		return i
	}
	return 0
}

// find gives the cell with this ID, or nil. It is good until the next insert.
func (s *shard) find(id uint64) *cell {
	if len(s.cells) == 0 {
		return nil
	}
	for i := s.home(id); ; i = s.next(i) {
		switch c := &s.cells[i]; {
		case c.free():
			return nil
		case c.id == id:
			return c
		}
	}
}

// insert gives a new, empty cell for an ID that has none, at time t.
func (s *shard) insert(id uint64, window, t int64) *cell {
	s.sweep(t)
	if s.used >= s.limit {
		s.evict(t)
	}
	if (s.used+1)*5 > len(s.cells)*4 {
		s.grow()
	}
	s.used++
	c := s.vacant(id)
	*c = cell{id: id, mode: uint32(window)}
	return c
}

// vacant gives the free cell where a new ID belongs.
func (s *shard) vacant(id uint64) *cell {
	i := s.home(id)
	for !s.cells[i].free() {
		i = s.next(i)
	}
	return &s.cells[i]
}

// grow makes more room, by quarters: doubling would leave half of the memory idle.
func (s *shard) grow() {
	s.moves++
	old := s.cells
	s.cells = make([]cell, max(firstCells, len(old)+len(old)/4))
	for i := range old {
		if !old[i].free() {
			*s.vacant(old[i].id) = old[i]
		}
	}
}

// drop frees the cell at a place, and moves those up that stand behind it only
// because it was taken.
func (s *shard) drop(hole int) {
	s.release(&s.cells[hole])
	s.used--
	for i := s.next(hole); !s.cells[i].free(); i = s.next(i) {
		if s.gap(s.home(s.cells[i].id), i) >= s.gap(hole, i) {
			s.cells[hole] = s.cells[i]
			hole = i
			s.moves++
		}
	}
	s.cells[hole] = cell{}
}

// gap is how many places i stands behind from.
func (s *shard) gap(from, i int) int {
	if i < from {
		i += len(s.cells)
	}
	return i - from
}

// touch notes that what a cell holds has changed.
func (s *shard) touch(c *cell) {
	if s.track && c.mode&listed == 0 {
		c.mode |= listed
		s.changed = append(s.changed, c.id)
	}
}
