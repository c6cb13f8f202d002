package dnsbl

import (
	"encoding/binary"
	"math"
	"net/netip"
	"sync/atomic"
)

// A sketch counts distinct networks, in a bounded place: one bit for each. Two
// networks that fall on the same bit count once, so the count is a little low;
// as a list's hits and the networks they are a share of fall on the same bits,
// the share stays true. It is safe for concurrent use.
type sketch struct {
	bits [sketchBits / 64]atomic.Uint64
	n    atomic.Int32
}

const (
	sketchBits = 512
	sketchFull = 128 // networks that make a window: then a new one begins
)

// add sets a bit and reports whether it was new.
func (s *sketch) add(bit uint) bool {
	word, mask := &s.bits[bit/64], uint64(1)<<(bit%64)
	if word.Load()&mask != 0 || word.Or(mask)&mask != 0 {
		return false
	}
	s.n.Add(1)
	return true
}

// reset forgets. What is added meanwhile may be lost, or counted in both windows.
func (s *sketch) reset() {
	for i := range s.bits {
		s.bits[i].Store(0)
	}
	s.n.Store(0)
}

// A share is how much of a list's visitors it hits now, and did before.
type share struct {
	hits  sketch
	past  atomic.Uint64 // of before, as bits of a float64
	known bool          // there was a window; guarded by Health.mu
}

// close ends a window in which so many networks were seen. One in which the list
// did not count is no measure, and one with a jump not much of one.
func (s *share) close(seen int32, counted, leapt bool) {
	if counted {
		now := s.now(seen)
		switch {
		case s.known && leapt:
			now = s.before() + (now-s.before())/16
		case s.known:
			now = s.before() + (now-s.before())/4
		}
		s.past.Store(math.Float64bits(now))
		s.known = true
	}
	s.hits.reset()
}

// before is the share in earlier windows, the latest of them weighing most; 0
// while there was none.
func (s *share) before() float64 { return math.Float64frombits(s.past.Load()) }

// now is the share in this window.
func (s *share) now(seen int32) float64 {
	return float64(min(s.hits.n.Load(), seen)) / float64(max(seen, 1))
}

// A jump is a share far above what it was: at least twice it, and some more. A
// list that hits nearly half of all networks anyway can make no jump.
func (s *share) jumped(seen int32, least, more float64) bool {
	return s.now(seen) >= max(least, 2*s.before()+more)
}

// What makes a jump of the share among clients with no other fault. It only
// calls for tests, so few networks are enough.
const (
	cleanLeast = 0.25
	cleanMore  = 0.1
	cleanSeen  = 8
	cleanHits  = 4
)

// What makes a jump among trusted clients, which, with one among the others,
// suspends a list. Lists of access lines hit people who log in from home: where
// they always did, there is no jump.
const (
	trustedLeast = 0.3
	trustedMore  = 0.2
	trustedSeen  = 5
	trustedHits  = 3
)

// networkBit is the bit of a client's network: the /24 of an IPv4 address, the
// /48 of an IPv6 one. The seed keeps strangers from choosing their bits.
func networkBit(client netip.Addr, seed uint64) uint {
	var net uint64
	if client.Is4() || client.Is4In6() {
		a := client.As4()
		net = uint64(binary.BigEndian.Uint32(a[:]))>>8 | 1<<63
	} else {
		a := client.As16()
		net = binary.BigEndian.Uint64(a[:]) >> 16
	}
	// The finalizer of MurmurHash3 mixes what the seed hides.
	x := net ^ seed
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return uint(x^x>>33) % sketchBits
}
