package local

// An ip4range is what an entry of ip4set or ip4trie names.
type ip4range struct {
	first, last addr4
	bits        int // prefix length; 32 for a range between two addresses
}

// cutRange reads a network, a beginning of octets (10.4) or, where allowed, a
// range: 10.4.0.0-10.4.1.7, 10.4-10.6, and 10.4.1-3, whose last number stands
// for the last octet given before.
func cutRange(text []byte, ranges bool) (r ip4range, rest []byte, ok bool) {
	a, count, rest, ok := octets4(text, false)
	switch {
	case !ok:
		return r, text, false
	case len(rest) > 0 && rest[0] == '-' && ranges:
		return cutRangeEnd(a, count, rest[1:])
	case len(rest) > 0 && rest[0] == '/':
		if r.bits, rest, ok = smallNumber(rest[1:], 32); !ok {
			return r, text, false
		}
	case count == 1: // a bare number is hardly meant
		return r, text, false
	default:
		r.bits = 8 * count
	}
	r.first, r.last = a, a|hostMask(r.bits)
	return r, rest, true
}

func cutRangeEnd(a addr4, count int, text []byte) (r ip4range, rest []byte, ok bool) {
	z, zCount, rest, ok := octets4(text, false)
	switch {
	case !ok:
		return r, text, false
	case zCount == 1:
		z = z>>(8*count-8) | a&^hostMask(8*count-8)
	case zCount != count:
		return r, text, false
	}
	r = ip4range{a, z | hostMask(8*count), 32}
	return r, rest, r.first <= r.last
}

// hostMask has the bits behind a prefix length.
func hostMask(bits int) addr4 { return addr4(uint64(1)<<(32-bits) - 1) }

// parseIP4Set takes an entry of an ip4set. Addresses are kept by whole octets:
// of the entries that hold an address, those of the longest octet beginning
// speak, and among them exclusions.
func parseIP4Set(b *builder, text []byte, exclude bool) *mistake {
	r, rest, bad := b.range4(text, true)
	if bad != nil {
		return bad
	}
	if r.bits == 0 {
		return &mistake{"an ip4set cannot hold the whole Internet", "use an ip4trie, or see that the prefix length is meant"}
	}
	if bad := b.entry(b.keyOf(text[:len(text)-len(rest)]), rest, exclude); bad != nil {
		return bad
	}
	rank := uint32(0)
	if exclude {
		rank = 1
	}
	b.sizeUp(r, exclude)
	octetRuns(r.first, r.last, func(first, last addr4, octets uint32) {
		b.span4 = append(b.span4, span[addr4]{first, last, b.mark(exclude), octets<<1 | rank})
	})
	return nil
}

// octetRuns cuts a range into runs of whole blocks, the largest that fit.
func octetRuns(first, last addr4, run func(first, last addr4, octets uint32)) {
	from, to := uint64(first), uint64(last)+1
	for octets := uint32(4); octets > 1; octets-- {
		size := uint64(1) << (8 * (5 - octets)) // of the next larger blocks
		up, down := (from+size-1)&^(size-1), to&^(size-1)
		if up >= down {
			run(addr4(from), addr4(to-1), octets)
			return
		}
		if from < up {
			run(addr4(from), addr4(up-1), octets)
		}
		if down < to {
			run(addr4(down), addr4(to-1), octets)
		}
		from, to = up, down
	}
	run(addr4(from), addr4(to-1), 1)
}

// parseIP4Trie takes an entry of an ip4trie: the smallest network that holds an
// address speaks, and of the same network the first line.
func parseIP4Trie(b *builder, text []byte, exclude bool) *mistake {
	r, rest, bad := b.range4(text, false)
	if bad != nil {
		return bad
	}
	if bad := b.entry(b.keyOf(text[:len(text)-len(rest)]), rest, exclude); bad != nil {
		return bad
	}
	b.span4 = append(b.span4, span[addr4]{r.first, r.last, b.mark(exclude), uint32(r.bits)})
	b.sizeUp(r, exclude)
	return nil
}

// sizeUp notes an entry that is larger than is hardly ever meant.
func (b *builder) sizeUp(r ip4range, exclude bool) {
	if !exclude && uint64(r.last-r.first) >= 1<<24 {
		b.wide.add(int(b.at))
	}
}

// range4 reads the addresses of an entry.
func (b *builder) range4(text []byte, ranges bool) (r ip4range, rest []byte, bad *mistake) {
	r, rest, ok := cutRange(text, ranges)
	word, _ := cutWord(text)
	switch {
	case !ok || len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' && rest[0] != ':' && !isComment(rest[0]):
		remedy := "write 192.0.2.7, 192.0.2.0/24, 192.0.2 or 192.0.2.1-9"
		if !ranges {
			remedy = "write 192.0.2.7, 192.0.2.0/24 or 192.0.2; ranges are for an ip4set"
		}
		return r, rest, &mistake{quote(word) + " is no address, network or range", remedy}
	case r.first&hostMask(r.bits) != 0:
		return r, rest, &mistake{quote(word) + ": the address has bits behind the prefix length", "see which of the two is meant"}
	case b.maxRange != 0 && uint64(r.last-r.first) >= b.maxRange:
		return r, rest, &mistake{quote(word) + " is larger than $MAXRANGE4 allows", "see that it is meant"}
	}
	return r, rest, nil
}
