package resolver

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Names have one form in this package, going in and coming out: the
// presentation form of RFC 1035 section 5.1 in lower case and without the last
// dot. Octets that are no plain host name text are escaped as \DDD or \X, so a
// name that a stranger filled with NUL, CR or a dot inside a label is still
// printable ASCII, and gives the same octets when it is asked again.

// canonical brings name into that form. It is false for what cannot stand in
// the DNS (an empty or overlong label, over 255 octets) and for the root.
// Ordinary names come back as they are, without an allocation.
func canonical(name string) (string, bool) {
	if strings.HasSuffix(name, ".") && dns.IsFqdn(name) {
		name = name[:len(name)-1]
	}
	plain, lower := scan(name)
	switch {
	case plain && lower:
		return name, true
	case plain:
		return strings.ToLower(name), true
	}
	var wire [256]byte
	end, err := dns.PackDomainName(name+".", wire[:], 0, nil, false)
	if err != nil {
		return "", false
	}
	packed, _, err := dns.UnpackDomainName(wire[:end], 0)
	if err != nil || packed == "." {
		return "", false
	}
	return presented(packed), true
}

// scan reports whether name is made of letters, digits, hyphens, underscores
// and dots with labels of legal length, and whether it is lower case then.
func scan(name string) (plain, lower bool) {
	if len(name) == 0 || len(name) > 253 {
		return false, false
	}
	lower = true
	label := 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 || label > 63 {
				return false, false
			}
			label = 0
			continue
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_':
		case 'A' <= c && c <= 'Z':
			lower = false
		default:
			return false, false
		}
		label++
	}
	return label > 0 && label <= 63, lower
}

// presented turns a name that miekg/dns unpacked into our form; the root is "".
func presented(unpacked string) string {
	// An unpacked name ends with the dot of the root, never with an escaped one.
	return lowered(strings.TrimSuffix(unpacked, "."))
}

// lowered lower-cases ASCII only: DNS knows no other cases (RFC 4343).
func lowered(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s) // what was unpacked is ASCII
		}
	}
	return s
}

// reverseName is the name under which addr's PTR records stand (RFC 1035
// section 3.5, RFC 3596 section 2.5).
func reverseName(addr netip.Addr) string {
	const hex = "0123456789abcdef"
	octets := addr.AsSlice()
	b := make([]byte, 0, 72)
	for i := len(octets) - 1; i >= 0; i-- {
		if addr.Is4() {
			b = append(strconv.AppendUint(b, uint64(octets[i]), 10), '.')
		} else {
			b = append(b, hex[octets[i]&15], '.', hex[octets[i]>>4], '.')
		}
	}
	if addr.Is4() {
		return string(append(b, "in-addr.arpa"...))
	}
	return string(append(b, "ip6.arpa"...))
}

// reverseAddr undoes reverseName for a canonical name; it is false for any
// other spelling, for a part of an address, and for a v4-mapped one, which is
// asked as IPv4 or not at all.
func reverseAddr(name string) (netip.Addr, bool) {
	if !strings.HasSuffix(name, ".arpa") {
		return netip.Addr{}, false
	}
	if quad, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		addr, err := netip.ParseAddr(quad)
		if err != nil || !addr.Is4() {
			return netip.Addr{}, false
		}
		q := addr.As4()
		return netip.AddrFrom4([4]byte{q[3], q[2], q[1], q[0]}), true
	}
	nibbles, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(nibbles) != 63 {
		return netip.Addr{}, false
	}
	var a [16]byte
	for i := range 32 {
		n, ok := nibble(nibbles[2*i])
		if !ok || i < 31 && nibbles[2*i+1] != '.' {
			return netip.Addr{}, false
		}
		a[15-i/2] |= n << (4 * (i % 2))
	}
	addr := netip.AddrFrom16(a)
	return addr, !addr.Is4In6()
}

func nibble(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
