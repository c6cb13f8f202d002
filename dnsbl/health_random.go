package dnsbl

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// randomEntries are subjects that the list cannot list, one of each kind that it
// may be asked about. They are new each time, so that no cache on the way answers:
//
//   - an IPv4 address of 127.64.0.0/10: loopback (RFC 1122 section 3.2.1.3), so
//     no server can send from it, and away from 127.0.0.0/16, where lists have
//     their test entries (RFC 5782 section 5);
//   - an IPv6 address of 100::/64, which only discards (RFC 6666);
//   - a single label, which is no domain that anybody could register.
func (l *List) randomEntries() []string {
	var all []string
	for _, kind := range []Asks{IP4, IP6, Domain} {
		if l.Asks.Has(kind) {
			all = append(all, randomEntry(kind))
		}
	}
	return all
}

func randomEntry(kind Asks) string {
	switch kind {
	case IP4:
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 127<<24|64<<16|rand.Uint32N(1<<22))
		return netip.AddrFrom4(a).String()
	case IP6:
		a := [16]byte{0: 1}
		binary.BigEndian.PutUint64(a[8:], rand.Uint64())
		return netip.AddrFrom16(a).String()
	}
	return randomLabel()
}

// randomLabel is a label that nobody uses: 20 letters, nearly 100 bits.
func randomLabel() string {
	var b [20]byte
	for i := range b {
		b[i] = 'a' + byte(rand.IntN(26))
	}
	return string(b[:])
}
