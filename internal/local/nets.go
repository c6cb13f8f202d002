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

// nets finds the line that speaks for an address: the spans cut into pieces
// that do not overlap, in order. Flat arrays without pointers: 12 bytes for each
// piece of IPv4, 36 for IPv6, and nothing for the garbage collector to follow.
type nets[K number[K]] struct {
	first, last []K
	line        []uint32
	// index[b] is the first piece whose first address is in bucket b or later,
	// so that a search begins among a few.
	index []uint32
	base  uint64
	shift uint8
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
	n := nets[K]{first: make([]K, 0, len(spans)), last: make([]K, 0, len(spans)), line: make([]uint32, 0, len(spans))}
	n.sweep(spans)
	n.first, n.last, n.line = tight(n.first), tight(n.last), tight(n.line)
	n.buildIndex()
	return n
}

// sweep walks the addresses upwards. The heap holds the spans that have begun;
// those that ended leave it when they come to its top.
func (n *nets[K]) sweep(spans []span[K]) {
	var open spanHeap[K]
	var at K
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
		n.piece(at, end, speaks.line)
		var zero K
		if at = end.next(); at == zero {
			return // the last address of all is done
		}
	}
}

// piece adds a piece, or makes the last one longer.
func (n *nets[K]) piece(first, last K, line uint32) {
	if line&excluded != 0 {
		return
	}
	if i := len(n.line) - 1; i >= 0 && n.line[i] == line && n.last[i].next() == first {
		n.last[i] = last
		return
	}
	n.first, n.last, n.line = append(n.first, first), append(n.last, last), append(n.line, line)
}

const (
	indexFrom   = 64      // fewer pieces need no index
	indexBucket = 4       // pieces in a bucket, when they are spread evenly
	indexMost   = 1 << 18 // buckets; 1 MB
)

func (n *nets[K]) buildIndex() {
	count := len(n.first)
	if count < indexFrom {
		return
	}
	n.base = n.first[0].top()
	width := n.first[count-1].top() - n.base
	buckets := uint64(min(count/indexBucket, indexMost))
	for width>>n.shift >= buckets {
		n.shift++
	}
	n.index = make([]uint32, width>>n.shift+2)
	b := 0
	for i, first := range n.first {
		for to := int((first.top() - n.base) >> n.shift); b <= to; b++ {
			n.index[b] = uint32(i)
		}
	}
	for ; b < len(n.index); b++ {
		n.index[b] = uint32(count)
	}
}

// find gives the line that speaks for an address.
func (n *nets[K]) find(a K) (line uint32, ok bool) {
	from, to := 0, len(n.first)
	if n.index != nil {
		top := a.top()
		if top < n.base {
			return 0, false
		}
		b := min((top-n.base)>>n.shift, uint64(len(n.index)-2))
		from, to = int(n.index[b]), int(n.index[b+1])
	}
	for from < to {
		mid := int(uint(from+to) / 2)
		if n.first[mid].cmp(a) <= 0 {
			from = mid + 1
		} else {
			to = mid
		}
	}
	// The piece before may reach into this bucket from an earlier one.
	if from == 0 || n.last[from-1].cmp(a) < 0 {
		return 0, false
	}
	return n.line[from-1], true
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
