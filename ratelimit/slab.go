package ratelimit

import "encoding/binary"

// blockSizes are what counts may take outside of their cell, by class; 26 counts
// of a byte go into the first, and the largest ones possible into the last.
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

// counts gives the bytes that hold the counts of a cell, and perhaps more.
func (s *shard) counts(c *cell) []byte {
	class := c.class()
	if class == 0 {
		return c.data[:]
	}
	return s.slabs[class].at(binary.LittleEndian.Uint32(c.data[:]), blockSizes[class])
}

// room gives the bytes for counts of this size; what was in them is lost.
func (s *shard) room(c *cell, size int) []byte {
	class := 0
	for size > len(c.data) && size > blockSizes[class] {
		class++
	}
	if old := c.class(); old != class {
		if old != 0 {
			s.slabs[old].free = append(s.slabs[old].free, binary.LittleEndian.Uint32(c.data[:]))
		}
		if class != 0 {
			binary.LittleEndian.PutUint32(c.data[:], s.slabs[class].take(blockSizes[class]))
		}
		c.mode = c.mode&^classBits | uint32(class)<<classShift
	}
	return s.counts(c)
}
