package ratelimit

import "sync"

// Of an ID, the lowest bits choose the shard and the following ones the place in
// its index. Limits change only the upper half (see counterID), so that all
// counters of one account are neighbours.
const (
	shardBits = 6
	shards    = 1 << shardBits

	tagShift      = 22 // a place in the index has a cell's number plus 1, and above it a tag of its ID
	numberMask    = 1<<tagShift - 1
	maxCells      = numberMask - 1 // of a shard
	cellsPerChunk = 256
	firstIndex    = 16 // places of the index of a new shard
)

// A shard is the part of a Table under one lock.
type shard struct {
	mu      sync.Mutex
	index   []uint32 // open addressing with linear probing, at most three quarters full
	chunks  []*[cellsPerChunk]cell
	used    uint32 // cells that were ever handed out
	cells   uint32 // cells that are not free
	limit   uint32 // of cells, if it can be kept
	free    uint32 // number plus 1 of the first free cell
	hand    uint32 // where sweep and evict go on
	slabs   [len(blockSizes)]slab
	track   bool
	changed []uint32 // cells to export
	stats   Stats
	_       [64]byte // no two shards' locks in one cache line
}

func (s *shard) cell(n uint32) *cell { return &s.chunks[n/cellsPerChunk][n%cellsPerChunk] }

func tag(id uint64) uint32 { return uint32(id>>(32+tagShift)) << tagShift }

func (s *shard) home(id uint64) uint32 { return uint32(id>>shardBits) & uint32(len(s.index)-1) }

// find gives the cell with this ID and its number, or nil.
func (s *shard) find(id uint64) (*cell, uint32) {
	if _, n, ok := s.place(id); ok {
		return s.cell(n), n
	}
	return nil, 0
}

// place gives the place of this ID in the index and its cell's number.
func (s *shard) place(id uint64) (place, n uint32, ok bool) {
	if len(s.index) == 0 {
		return 0, 0, false
	}
	mask, want := uint32(len(s.index)-1), tag(id)
	for i := s.home(id); ; i = (i + 1) & mask {
		entry := s.index[i]
		if entry == 0 {
			return i, 0, false
		}
		if entry&^numberMask == want {
			if n := entry&numberMask - 1; s.cell(n).id == id {
				return i, n, true
			}
		}
	}
}

// insert gives a new, empty cell for an ID that has none, at time t.
func (s *shard) insert(id uint64, window, t int64) (*cell, uint32) {
	s.sweep(t)
	if s.cells >= s.limit {
		s.evict(t)
	}
	if int(s.cells+1)*4 > len(s.index)*3 {
		s.grow()
	}
	n := s.takeCell()
	c := s.cell(n)
	*c = cell{id: id, mode: uint32(window) | c.mode&listed}
	s.cells++
	s.enter(n)
	return c, n
}

func (s *shard) takeCell() uint32 {
	if s.free != 0 {
		n := s.free - 1
		s.free = uint32(s.cell(n).id)
		return n
	}
	if s.used%cellsPerChunk == 0 {
		s.chunks = append(s.chunks, new([cellsPerChunk]cell))
	}
	s.used++
	return s.used - 1
}

// enter puts a cell that is not in the index into it.
func (s *shard) enter(n uint32) {
	id, mask := s.cell(n).id, uint32(len(s.index)-1)
	i := s.home(id)
	for s.index[i] != 0 {
		i = (i + 1) & mask
	}
	s.index[i] = tag(id) | (n + 1)
}

func (s *shard) grow() {
	s.index = make([]uint32, max(firstIndex, 2*len(s.index)))
	for n := range s.used {
		if !s.cell(n).free() {
			s.enter(n)
		}
	}
}

// drop frees a cell, by its number.
func (s *shard) drop(n uint32) {
	c := s.cell(n)
	i, _, _ := s.place(c.id)
	s.leave(i)
	s.room(c, 0) // gives its block back
	*c = cell{id: uint64(s.free), mode: c.mode & listed}
	s.free = n + 1
	s.cells--
}

// leave empties a place of the index, and moves those up that stand behind it
// only because it was taken.
func (s *shard) leave(hole uint32) {
	mask := uint32(len(s.index) - 1)
	for i := (hole + 1) & mask; s.index[i] != 0; i = (i + 1) & mask {
		home := s.home(s.cell(s.index[i]&numberMask - 1).id)
		if (i-home)&mask >= (i-hole)&mask {
			s.index[hole] = s.index[i]
			hole = i
		}
	}
	s.index[hole] = 0
}

// touch notes that what a cell holds has changed.
func (s *shard) touch(c *cell, n uint32) {
	if s.track && c.mode&listed == 0 {
		c.mode |= listed
		s.changed = append(s.changed, n)
	}
}
