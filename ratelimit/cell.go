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
// The counts are varints, newest sub-bucket first, one for each bit of bits. Up
// to 8 bytes of them lie in data, more in a block whose number is there.
type cell struct {
	id   uint64
	head uint32  // number of the newest sub-bucket that has a count, modulo 2^32
	bits uint32  // bit i: sub-bucket head-i has a count
	mode uint32  // window in seconds, and the flags; 0 for a free cell
	pend uint32  // reserved and not settled
	data [8]byte // the counts, or the number of their block
}

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

// live adds up what counts at t, without what is pending.
func (s *shard) live(c *cell, t int64) uint64 {
	shift := uint32(c.bucket(t)) - c.head
	if shift >= slots || c.bits == 0 {
		return 0
	}
	data, sum := s.counts(c), uint64(0)
	for m := c.bits & (1<<(slots-shift) - 1); m != 0; m &= m - 1 {
		n, size := binary.Uvarint(data)
		data = data[size:]
		sum += n
	}
	return sum
}

// load gives the counts as of sub-bucket b.
func (s *shard) load(c *cell, b int64) (r ring) {
	shift := uint32(b) - c.head
	if shift >= slots {
		return r
	}
	data := s.counts(c)
	for m := c.bits & (1<<(slots-shift) - 1); m != 0; m &= m - 1 {
		n, size := binary.Uvarint(data)
		data = data[size:]
		r[uint32(bits.TrailingZeros32(m))+shift] = uint32(n)
	}
	return r
}

// save sets the counts as of sub-bucket b.
func (s *shard) save(c *cell, b int64, r *ring) {
	var buf [slots * binary.MaxVarintLen32]byte
	data := buf[:0]
	c.head, c.bits = uint32(b), 0
	for i, n := range r {
		if n > 0 {
			c.bits |= 1 << i
			data = binary.AppendUvarint(data, uint64(n))
		}
	}
	copy(s.room(c, len(data)), data)
}

// add counts n in the sub-bucket that is filling at t.
func (s *shard) add(c *cell, t int64, n uint32) {
	b := c.bucket(t)
	if uint32(b) == c.head && c.bits&1 != 0 { // by far the most frequent: the first count grows in its byte
		if data := s.counts(c); data[0] < 0x80 && n < 0x80 && data[0]+byte(n) < 0x80 {
			data[0] += byte(n)
			return
		}
	}
	r := s.load(c, b)
	r[0] = saturated(uint64(r[0]) + uint64(n))
	s.save(c, b, &r)
}

// wait is how long it takes from t until need of the counts have gone, if the
// pending ones were settled now and nothing new came; 0 if that is never.
func (s *shard) wait(c *cell, t int64, need uint64) time.Duration {
	b := c.bucket(t)
	r := s.load(c, b)
	r[0] = saturated(uint64(r[0]) + uint64(c.pend))
	for i := slots - 1; i >= 0; i-- {
		if uint64(r[i]) >= need {
			gone := (b - int64(i) + slots) * width(c.window()) // its end, and a window
			return time.Duration(gone-t) * time.Millisecond
		}
		need -= uint64(r[i])
	}
	return 0
}

func saturated(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }
