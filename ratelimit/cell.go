package ratelimit

import (
	"encoding/binary"
	"math"
	"math/bits"
	"time"
)

// A window has subs sub-buckets; with the one that is filling now, slots of
// them count. 25 divides the milliseconds of every window of whole seconds.
const (
	subs  = 25
	slots = subs + 1
)

// A cell is one counter: 32 bytes without a pointer, so that millions of them
// cost the garbage collector nothing.
//
// The counts are kept for the sub-buckets that have any, newest first: up to 16
// of at most 15 each in data, four bits for each; or else as varints in a block
// whose number is in data.
type cell struct {
	id   uint64
	head uint32 // number of the newest sub-bucket that has a count, modulo 2^32
	bits uint32 // bit i: sub-bucket head-i has a count
	mode uint32 // window in seconds, and the flags; 0 for a free cell
	pend uint32 // reserved and not settled
	data uint64
}

// The bounds of counts in data.
const (
	inlineCounts = 16
	inlineMost   = 15
)

// What mode is made of.
const (
	windowBits = 1<<22 - 1 // MaxWindow has 2,678,400 s
	classShift = 22        // two bits: where the counts lie
	classBits  = 3 << classShift
	atLimit    = 1 << 30 // it was full when last looked at
	listed     = 1 << 31 // its ID is in the list of changes
)

func (c *cell) window() int64 { return int64(c.mode & windowBits) }
func (c *cell) class() int    { return int(c.mode & classBits >> classShift) }
func (c *cell) free() bool    { return c.mode&windowBits == 0 }

// width is the length of a sub-bucket in milliseconds, for a window in seconds.
func width(window int64) int64 { return window * 1000 / subs }

// bucket is the number of the sub-bucket of a cell that is filling at t.
func (c *cell) bucket(t int64) int64 { return t / width(c.window()) }

// A ring has the counts of the sub-buckets that count, newest first.
type ring [slots]uint32

// counting gives the bits of those sub-buckets that still count when the newest
// is so many ago. Their counts are the first ones.
func (c *cell) counting(shift uint32) uint32 {
	if shift >= slots {
		return 0
	}
	return c.bits & (1<<(slots-shift) - 1)
}

// live adds up what counts at t, without what is pending.
func (s *shard) live(c *cell, t int64) uint64 {
	set := c.counting(uint32(c.bucket(t)) - c.head)
	if set == 0 {
		return 0
	}
	if c.class() == 0 {
		return sumOfNibbles(firstNibbles(c.data, bits.OnesCount32(set)))
	}
	data, sum := s.block(c), uint64(0)
	for ; set != 0; set &= set - 1 {
		n, size := binary.Uvarint(data)
		data = data[size:]
		sum += n
	}
	return sum
}

func firstNibbles(data uint64, n int) uint64 { return data & (1<<(4*n) - 1) }

// sumOfNibbles adds up 16 numbers of four bits: in pairs, then all pairs at once
// into the highest byte. They come to 240 at most.
func sumOfNibbles(x uint64) uint64 {
	const low = 0x0f0f0f0f0f0f0f0f
	return (x&low + x>>4&low) * 0x0101010101010101 >> 56
}

// load gives the counts as of sub-bucket b.
func (s *shard) load(c *cell, b int64) (r ring) {
	shift := uint32(b) - c.head
	set := c.counting(shift)
	if c.class() == 0 {
		for data := c.data; set != 0; set, data = set&(set-1), data>>4 {
			r[uint32(bits.TrailingZeros32(set))+shift] = uint32(data & inlineMost)
		}
		return r
	}
	for data := s.block(c); set != 0; set &= set - 1 {
		n, size := binary.Uvarint(data)
		data = data[size:]
		r[uint32(bits.TrailingZeros32(set))+shift] = uint32(n)
	}
	return r
}

// save sets the counts as of sub-bucket b.
func (s *shard) save(c *cell, b int64, r *ring) {
	var set, most uint32
	for i, n := range r {
		if n > 0 {
			set |= 1 << i
			most = max(most, n)
		}
	}
	c.head, c.bits = uint32(b), set
	if most <= inlineMost && bits.OnesCount32(set) <= inlineCounts {
		s.release(c)
		for i := slots - 1; i >= 0; i-- {
			if r[i] > 0 {
				c.data = c.data<<4 | uint64(r[i])
			}
		}
		return
	}
	var buf [slots * binary.MaxVarintLen32]byte
	data := buf[:0]
	for _, n := range r {
		if n > 0 {
			data = binary.AppendUvarint(data, uint64(n))
		}
	}
	copy(s.room(c, len(data)), data)
}

// add counts n in the sub-bucket that is filling at t.
func (s *shard) add(c *cell, t int64, n uint32) {
	b := c.bucket(t)
	if c.class() == 0 && n <= inlineMost && c.addInline(b, n) {
		return
	}
	r := s.load(c, b)
	r[0] = saturated(uint64(r[0]) + uint64(n))
	s.save(c, b, &r)
}

// addInline is add where that takes no more than data has; otherwise it does
// nothing and reports false.
func (c *cell) addInline(b int64, n uint32) bool {
	shift := uint32(b) - c.head
	set := c.counting(shift)
	kept := bits.OnesCount32(set)
	data := firstNibbles(c.data, kept)
	switch {
	case shift == 0 && set&1 != 0:
		if uint32(data&inlineMost)+n > inlineMost {
			return false
		}
		data += uint64(n)
	case kept == inlineCounts:
		return false
	default:
		data = data<<4 | uint64(n)
	}
	if shift >= slots {
		shift = 0 // nothing was kept
	}
	c.head, c.bits, c.data = uint32(b), set<<shift|1, data
	return true
}

// wait is how long it takes from t until need of the counts have gone, if the
// pending ones were settled now and nothing new came; 0 if that is never.
func (s *shard) wait(c *cell, t int64, need uint64) time.Duration {
	b := c.bucket(t)
	r := s.load(c, b)
	for i := slots - 1; i >= 0; i-- {
		has := uint64(r[i])
		if i == 0 {
			has += uint64(c.pend)
		}
		if has >= need {
			gone := (b - int64(i) + slots) * width(c.window()) // its end, and a window
			return time.Duration(gone-t) * time.Millisecond
		}
		need -= has
	}
	return 0
}

func saturated(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }
