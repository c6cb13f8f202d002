package local

// A piece is a range of numbers for which the same line speaks.
type piece[K any] struct {
	first, last K
	line        uint32
}

// nets find the line that speaks for a number: pieces that do not overlap, in
// order. They hold no pointers, so there is nothing for the garbage collector to
// follow. A question meets few lines of memory that it has not met before, which
// is what it costs among millions: hence 12 bytes for a piece of IPv4, and 24 for
// one of IPv6 (see nets6).
//
// gaissmai/bart v0.30.0, the library for this, was measured beside it with three
// lists of a million networks of IPv6 and one of IPv4: its look-ups take 1.5 to 7
// times as long, and it keeps 3 to 11 times the memory, more than 100 MB for some.
// It would also have to be given our pieces as prefixes: a list
// holds ranges, exclusions, and dates that outrank prefix lengths.
type nets[K addr4 | uint64] struct {
	pieces []piece[K]
	grids  grids
}

// newNets builds the table for IPv4; it sorts spans in place.
func newNets(spans []span[addr4]) nets[addr4] {
	n := nets[addr4]{pieces: make([]piece[addr4], 0, len(spans))}
	sweep(spans, func(p piece[addr4]) { n.pieces = append(n.pieces, p) })
	n.build()
	return n
}

func (n *nets[K]) build() {
	n.pieces = tight(n.pieces)
	n.grids = newGrids(len(n.pieces), func(i int) uint64 { return uint64(n.pieces[i].first) })
}

// find gives the line that speaks for an address.
func (n *nets[K]) find(a K) (line uint32, ok bool) {
	if p := n.before(a); p != nil && a <= p.last {
		return p.line, true
	}
	return 0, false
}

// before gives the last piece that begins at or before a, or nil.
func (n *nets[K]) before(a K) *piece[K] {
	from, to := n.grids.around(uint64(a), len(n.pieces))
	return lastBefore(n.pieces, a, from, to)
}

// lastBefore gives the last piece that begins at or before a, which is one of
// those from one to before another, or the one before these.
func lastBefore[K addr4 | uint64](pieces []piece[K], a K, from, to int) *piece[K] {
	for from < to {
		mid := int(uint(from+to) / 2)
		if pieces[mid].first <= a {
			from = mid + 1
		} else {
			to = mid
		}
	}
	if from == 0 {
		return nil
	}
	return &pieces[from-1]
}

// nets6 are the nets of IPv6. Nearly all that lists hold is whole networks of
// /64 or more, so these are told apart by the upper half of an address alone; a
// /64 of which only parts are held has pieces of its lower half.
type nets6 struct {
	upper nets[uint64] // a piece with isParted is one /64, and its last is a partOf
	lower []piece[uint64]
}

// isParted marks, in the line of an upper piece, that it stands for pieces of lower.
const isParted = 1 << 31

// partOf packs the bounds of the pieces of one /64.
func partOf(from, to int) uint64        { return uint64(from)<<32 | uint64(to) }
func bounds(part uint64) (from, to int) { return int(part >> 32), int(part & (1<<32 - 1)) }

// newNets6 builds the table; it sorts spans in place.
func newNets6(spans []span[addr6]) nets6 {
	n := nets6{upper: nets[uint64]{pieces: make([]piece[uint64], 0, len(spans))}}
	sweep(spans, n.add)
	n.upper.build()
	n.lower = tight(n.lower)
	return n
}

// add cuts the /64 off in which a piece begins or ends in the midst.
func (n *nets6) add(p piece[addr6]) {
	const all = ^uint64(0)
	first, last := p.first.hi, p.last.hi
	if p.first.lo != 0 {
		if first == last {
			n.part(first, p.first.lo, p.last.lo, p.line)
			return
		}
		n.part(first, p.first.lo, all, p.line)
		first++
	}
	whole := p.last.lo == all
	if whole || first < last {
		end := last
		if !whole {
			end--
		}
		n.upper.pieces = append(n.upper.pieces, piece[uint64]{first, end, p.line})
	}
	if !whole {
		n.part(last, 0, p.last.lo, p.line)
	}
}

// part adds a piece of one /64, the upper half of which is given.
func (n *nets6) part(upper, first, last uint64, line uint32) {
	n.lower = append(n.lower, piece[uint64]{first, last, line})
	end := len(n.lower)
	if i := len(n.upper.pieces) - 1; i >= 0 && n.upper.pieces[i].line&isParted != 0 && n.upper.pieces[i].first == upper {
		from, _ := bounds(n.upper.pieces[i].last)
		n.upper.pieces[i].last = partOf(from, end)
		return
	}
	n.upper.pieces = append(n.upper.pieces, piece[uint64]{upper, partOf(end-1, end), isParted})
}

// find gives the line that speaks for an address.
func (n *nets6) find(a addr6) (line uint32, ok bool) {
	p := n.upper.before(a.hi)
	switch {
	case p == nil:
		return 0, false
	case p.line&isParted == 0:
		return p.line, a.hi <= p.last
	case p.first != a.hi:
		return 0, false
	}
	from, to := bounds(p.last)
	// The piece before these would be of another /64.
	if part := lastBefore(n.lower[from:to], a.lo, 0, to-from); part != nil && a.lo <= part.last {
		return part.line, true
	}
	return 0, false
}

// tight copies a slice that wastes much of its room.
func tight[T any](s []T) []T {
	if cap(s)-len(s) <= len(s)/16 {
		return s
	}
	return append(make([]T, 0, len(s)), s...)
}
