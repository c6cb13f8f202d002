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
	next() K // the one after; of the last, the first
	prev() K // the one before; of the first, the last
}

type addr4 uint32

func (a addr4) cmp(b addr4) int { return cmp.Compare(a, b) }
func (a addr4) next() addr4     { return a + 1 }
func (a addr4) prev() addr4     { return a - 1 }

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

// sweep cuts spans into pieces that do not overlap, in order; neighbours of the
// same line are one. It sorts spans in place, and walks the addresses upwards.
// The heap holds the spans that have begun; those that ended leave it when they
// come to its top.
func sweep[K number[K]](spans []span[K], give func(piece[K])) {
	slices.SortFunc(spans, inOrder[K])
	out := joiner[K]{give: give}
	defer out.end()
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
		out.add(piece[K]{at, end, speaks.line})
		if at = end.next(); at == zero {
			return // the last address of all is done
		}
	}
}

func inOrder[K number[K]](a, b span[K]) int {
	if c := a.first.cmp(b.first); c != 0 {
		return c
	}
	if a.before(&b) {
		return -1
	}
	return 1
}

// A joiner joins neighbours of the same line, and leaves exclusions out.
type joiner[K number[K]] struct {
	held piece[K] // line 0 for none
	give func(piece[K])
}

func (j *joiner[K]) add(p piece[K]) {
	if p.line&excluded != 0 {
		return
	}
	if j.held.line == p.line && j.held.last.next() == p.first {
		j.held.last = p.last
		return
	}
	j.end()
	j.held = p
}

func (j *joiner[K]) end() {
	if j.held.line != 0 {
		j.give(j.held)
	}
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
