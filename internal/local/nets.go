package local

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// A number is an address as a number: IPv4 in 32 bits, IPv6 in 128.
type number[K any] interface {
	comparable
	cmp(K) int
	next() K     // the one after; of the last, the first
	prev() K     // the one before; of the first, the last
	top() uint64 // the 64 highest bits
}

type addr4 uint32

func (a addr4) cmp(b addr4) int { return cmp.Compare(a, b) }
func (a addr4) next() addr4     { return a + 1 }
func (a addr4) prev() addr4     { return a - 1 }
func (a addr4) top() uint64     { return uint64(a) << 32 }

type addr6 struct{ hi, lo uint64 }

func (a addr6) cmp(b addr6) int {
	if a.hi != b.hi {
		return cmp.Compare(a.hi, b.hi)
	}
	return cmp.Compare(a.lo, b.lo)
}

func (a addr6) next() addr6 {
	lo, carry := bits.Add64(a.lo, 1, 0)
	return addr6{a.hi + carry, lo}
}

func (a addr6) prev() addr6 {
	lo, borrow := bits.Sub64(a.lo, 1, 0)
	return addr6{a.hi - borrow, lo}
}

func (a addr6) top() uint64 { return a.hi }

func number4(a netip.Addr) addr4 {
	b := a.As4()
	return addr4(binary.BigEndian.Uint32(b[:]))
}

func number6(a netip.Addr) addr6 {
	b := a.As16()
	return addr6{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// range4 gives the first and the last address of a network.
func range4(p netip.Prefix) (first, last addr4) {
	first = number4(p.Addr())
	host := addr4(uint64(1)<<(32-p.Bits()) - 1)
	return first &^ host, first | host
}

// range6 gives the first and the last address of a network.
func range6(p netip.Prefix) (first, last addr6) {
	first = number6(p.Addr())
	var host addr6
	if n := p.Bits(); n <= 64 {
		host = addr6{uint64(1)<<(64-n) - 1, ^uint64(0)} // a shift by 64 gives 0, so /0 is all ones
	} else {
		host = addr6{0, uint64(1)<<(128-n) - 1}
	}
	return addr6{first.hi &^ host.hi, first.lo &^ host.lo}, addr6{first.hi | host.hi, first.lo | host.lo}
}

// excluded marks, in the line of a span, that it takes addresses out.
const excluded = 1 << 31

// A span is a range of addresses that one line names. Where several hold an
// address, the one of the highest rank speaks for it, and of those of the same
// rank the earliest line.
type span[K number[K]] struct {
	first, last K
	line        uint32 // with excluded
	rank        uint32
}

func (s *span[K]) before(other *span[K]) bool {
	if s.rank != other.rank {
		return s.rank > other.rank
	}
	return s.line&^excluded < other.line&^excluded
}

// A piece is a range of addresses for which the same line speaks.
type piece[K number[K]] struct {
	first, last K
	line        uint32
}

// nets finds the line that speaks for an address: the spans cut into pieces that
// do not overlap, in order. Without pointers, so there is nothing for the garbage
// collector to follow: 12 bytes for a piece of IPv4, 40 for one of IPv6. A
// question meets few lines of memory that it has not met before, which is what
// it costs among millions.
type nets[K number[K]] struct {
	pieces []piece[K]
	grids  grids
}

// newNets builds the table; it sorts spans in place.
func newNets[K number[K]](spans []span[K]) nets[K] {
	slices.SortFunc(spans, func(a, b span[K]) int {
		if c := a.first.cmp(b.first); c != 0 {
			return c
		}
		if a.before(&b) {
			return -1
		}
		return 1
	})
	n := nets[K]{pieces: make([]piece[K], 0, len(spans))}
	n.sweep(spans)
	n.pieces = tight(n.pieces)
	n.grids = newGrids(len(n.pieces), func(i int) uint64 { return n.pieces[i].first.top() })
	return n
}

// sweep walks the addresses upwards. The heap holds the spans that have begun;
// those that ended leave it when they come to its top.
func (n *nets[K]) sweep(spans []span[K]) {
	var open spanHeap[K]
	var at, zero K
	for next := 0; next < len(spans) || len(open) > 0; {
		if len(open) == 0 {
			at = spans[next].first
		}
		for next < len(spans) && spans[next].first.cmp(at) <= 0 {
			open.push(&spans[next])
			next++
		}
		if open[0].last.cmp(at) < 0 {
			open.pop()
			continue
		}
		speaks := open[0]
		end := speaks.last
		if next < len(spans) && spans[next].first.cmp(end) <= 0 {
			end = spans[next].first.prev()
		}
		n.add(piece[K]{at, end, speaks.line})
		if at = end.next(); at == zero {
			return // the last address of all is done
		}
	}
}

// add adds a piece, or makes the last one longer.
func (n *nets[K]) add(p piece[K]) {
	if p.line&excluded != 0 {
		return
	}
	if i := len(n.pieces) - 1; i >= 0 && n.pieces[i].line == p.line && n.pieces[i].last.next() == p.first {
		n.pieces[i].last = p.last
		return
	}
	n.pieces = append(n.pieces, p)
}

// find gives the line that speaks for an address.
func (n *nets[K]) find(a K) (line uint32, ok bool) {
	from, to := n.grids.around(a.top(), len(n.pieces))
	// The last piece that begins at or before a, which may be before these.
	for from < to {
		mid := int(uint(from+to) / 2)
		if n.pieces[mid].first.cmp(a) <= 0 {
			from = mid + 1
		} else {
			to = mid
		}
	}
	if from == 0 || n.pieces[from-1].last.cmp(a) < 0 {
		return 0, false
	}
	return n.pieces[from-1].line, true
}

// A spanHeap has the span that speaks on top.
type spanHeap[K number[K]] []*span[K]

func (h *spanHeap[K]) push(s *span[K]) {
	*h = append(*h, s)
	all := *h
	for i := len(all) - 1; i > 0; {
		parent := (i - 1) / 2
		if !all[i].before(all[parent]) {
			return
		}
		all[i], all[parent] = all[parent], all[i]
		i = parent
	}
}

func (h *spanHeap[K]) pop() {
	all := *h
	end := len(all) - 1
	all[0] = all[end]
	all = all[:end]
	*h = all
	for i := 0; ; {
		best := i
		for child := 2*i + 1; child <= 2*i+2 && child < end; child++ {
			if all[child].before(all[best]) {
				best = child
			}
		}
		if best == i {
			return
		}
		all[i], all[best] = all[best], all[i]
		i = best
	}
}

// tight copies a slice that wastes much of its room.
func tight[T any](s []T) []T {
	if cap(s)-len(s) <= len(s)/16 {
		return s
	}
	return append(make([]T, 0, len(s)), s...)
}
