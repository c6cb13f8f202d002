package ratelimit

import "encoding/binary"

// blockSizes are what counts may take outside of their cell, by class, of which 0
// is inside. 26 counts below 128 go into the first, any 26 into the last.
var blockSizes = [...]int{1: 32, 2: 64, 3: slots * binary.MaxVarintLen32}

// blocksPerChunk is how many blocks are made at a time.
const blocksPerChunk = 64

// A slab has blocks of one size. The zero slab is empty.
type slab struct {
	chunks [][]byte
	free   []uint32
	used   uint32 // blocks that were ever handed out
}

func (b *slab) at(n uint32, size int) []byte {
	chunk := b.chunks[n/blocksPerChunk]
	i := int(n%blocksPerChunk) * size
	return chunk[i : i+size : i+size]
}

func (b *slab) take(size int) uint32 {
	if last := len(b.free) - 1; last >= 0 {
		n := b.free[last]
		b.free = b.free[:last]
		return n
	}
	if b.used%blocksPerChunk == 0 {
		b.chunks = append(b.chunks, make([]byte, size*blocksPerChunk))
	}
	b.used++
	return b.used - 1
}

// block gives the block of a cell that has one.
func (s *shard) block(c *cell) []byte {
	return s.slabs[c.class()].at(uint32(c.data), blockSizes[c.class()])
}

// room gives a block for counts of this size; what was in the old one is lost.
func (s *shard) room(c *cell, size int) []byte {
	class := 1
	for size > blockSizes[class] {
		class++
	}
	if c.class() != class {
		s.release(c)
		c.data = uint64(s.slabs[class].take(blockSizes[class]))
		c.mode |= uint32(class) << classShift
	}
	return s.block(c)
}

// release takes the block of a cell away, if it has one.
func (s *shard) release(c *cell) {
	if class := c.class(); class != 0 {
		s.slabs[class].free = append(s.slabs[class].free, uint32(c.data))
		c.mode &^= classBits
	}
	c.data = 0
}
