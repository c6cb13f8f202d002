package dnsbl

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// What lists said of one subject is one record in the cache:
//
//	record = base registered entry* 0*
//	base   = 4 octets, ticks since the cache's beginning
//	registered = 1 octet: of a whole name the length of its registered domain, else 0
//	entry  = slot head payload
//	slot   = uvarint above 0: which list, see slots
//	head   = 2 octets: the upper 2 bits what it holds, the others expiry less base, in ticks
//	payload of unlisted: none
//	payload of loopbacks: count of 1 octet, the lower 3 octets of each address, all of 127.0.0.0/8
//	payload of addresses: count of 1 octet, the 4 octets of each address
//	payload of trouble: reason of 1 octet
//
// base lies keepStale before the tick at which the record was written, or the
// oldest question asked whose answer came last, so that what has expired
// since less than that finds its place too. A list that did not answer has an
// entry of trouble beside its last good one, which may then be served stale.
//
// recordRoom is enough for most records.
const (
	recordRoom = 512

	tick      = 5 * time.Second
	keepStale = time.Hour // past expiry, DESIGN "Stale answers"
	maxTicks  = 1<<14 - 1

	staleTicks = uint32(keepStale / tick)
)

// The bounds of how long an answer is kept.
const (
	minKeep     = time.Minute
	maxKeep     = time.Hour // who was taken off a list wants to get through
	keepTrouble = 10 * time.Second
)

// A holding is what an entry holds.
type holding uint8

const (
	unlisted holding = iota
	loopbacks
	addresses
	trouble
)

// maxAddrs bounds the addresses of an answer that is kept; one with more is
// asked again each time.
const maxAddrs = 32

// troubles gives each reason its place in packed entries: append only.
var troubles = [...]string{"failed", "timeout", "servfail", "refused", "bad-answer", "no-server", Budget}

func troubleOf(reason string) byte {
	for i, r := range troubles {
		if r == reason {
			return byte(i)
		}
	}
	return 0
}

func troubleName(b byte) string {
	if int(b) < len(troubles) {
		return troubles[b]
	}
	return troubles[0]
}

// A kept is one entry, unpacked. The payload is part of the record.
type kept struct {
	slot    uint16
	holds   holding
	expires uint32 // in ticks
	payload []byte
}

// appendEntry packs e. It must not expire before base, nor more than maxTicks after.
func appendEntry(b []byte, base uint32, e kept) []byte {
	b = binary.AppendUvarint(b, uint64(e.slot))
	b = binary.BigEndian.AppendUint16(b, uint16(e.holds)<<14|uint16(e.expires-base))
	return append(b, e.payload...)
}

// entriesOf gives the base of a record and its entries, for next.
func entriesOf(record []byte) (base uint32, entries []byte) {
	if len(record) < 5 {
		return 0, nil
	}
	return binary.BigEndian.Uint32(record), record[5:]
}

// registeredOf is how much of the name that a record is about is the registered
// domain; 0 where that is not known.
func registeredOf(record []byte) int {
	if len(record) < 5 {
		return 0
	}
	return int(record[4])
}

// next unpacks the first of entries. It is false at the end, and at octets that
// are no entry.
func next(base uint32, entries []byte) (e kept, rest []byte, ok bool) {
	b := entries
	if len(b) < 3 || b[0] == 0 {
		return kept{}, nil, false
	}
	e.slot, b = uint16(b[0]), b[1:]
	if e.slot >= 0x80 {
		e.slot, b = e.slot&0x7f|uint16(b[0])<<7, b[1:]
	}
	if len(b) < 2 || e.slot == 0 {
		return kept{}, nil, false
	}
	head := binary.BigEndian.Uint16(b)
	b = b[2:]
	e.holds, e.expires = holding(head>>14), base+uint32(head&maxTicks)
	size, ok := payloadSize(e.holds, b)
	if !ok || size > len(b) {
		return kept{}, nil, false
	}
	e.payload = b[:size]
	return e, b[size:], true
}

func payloadSize(holds holding, b []byte) (size int, ok bool) {
	if holds == unlisted {
		return 0, true
	}
	if len(b) == 0 {
		return 0, false
	}
	switch holds {
	case loopbacks:
		return 1 + 3*int(b[0]), true
	case addresses:
		return 1 + 4*int(b[0]), true
	}
	return 1, true
}

// pack makes the holding and payload of an answer's addresses. It is false for
// one that is too large to keep.
func pack(all []netip.Addr) (holds holding, payload []byte, ok bool) {
	if len(all) == 0 {
		return unlisted, nil, true
	}
	if len(all) > maxAddrs {
		return 0, nil, false
	}
	holds = loopbacks
	for _, a := range all {
		if !a.Is4() {
			return 0, nil, false // no A record
		}
		if a.As4()[0] != 127 {
			holds = addresses
		}
	}
	payload = append(payload, byte(len(all)))
	for _, a := range all {
		octets := a.As4()
		if holds == loopbacks {
			payload = append(payload, octets[1:]...)
		} else {
			payload = append(payload, octets[:]...)
		}
	}
	return holds, payload, true
}

// unpack undoes pack.
func unpack(to []netip.Addr, e kept) []netip.Addr {
	if len(e.payload) == 0 {
		return to
	}
	b := e.payload[1:]
	switch e.holds {
	case loopbacks:
		for ; len(b) >= 3; b = b[3:] {
			to = append(to, netip.AddrFrom4([4]byte{127, b[0], b[1], b[2]}))
		}
	case addresses:
		for ; len(b) >= 4; b = b[4:] {
			to = append(to, netip.AddrFrom4([4]byte(b)))
		}
	}
	return to
}

// merge makes a record of an old one and what was asked at that tick or later: a
// good answer replaces all of its list, trouble only trouble. What the old one holds
// of a list that is not trusted for then goes: the record's time is a new one.
func merge(to []byte, old []byte, fresh []kept, registered int, written uint32, lists *slots) []byte {
	base := written - staleTicks
	to = append(binary.BigEndian.AppendUint32(to, base), byte(registered))
	was, rest := entriesOf(old)
	for {
		var e kept
		var ok bool
		if e, rest, ok = next(was, rest); !ok {
			break
		}
		if e.expires >= base && e.expires-base <= maxTicks && !replaced(e, fresh, written) && lists.trusts(e.slot, was+staleTicks) {
			to = appendEntry(to, base, e)
		}
	}
	for _, e := range fresh {
		to = appendEntry(to, base, e)
	}
	return to
}

func replaced(e kept, fresh []kept, now uint32) bool {
	if e.holds == trouble && e.expires <= now {
		return true
	}
	for _, f := range fresh {
		if f.slot == e.slot && (f.holds != trouble || e.holds == trouble) {
			return true
		}
	}
	return false
}
