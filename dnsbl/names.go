package dnsbl

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// The longest name that DNS can hold, written without a last dot, and the
// longest label (RFC 1035 section 2.3.4).
const (
	maxName  = 253
	maxLabel = 63
)

// zone is the suffix of all questions to the list, its key in place. It is false
// when the list cannot be asked: no public zone, or no key where one is needed.
func (l *List) zone() (string, bool) {
	zone := l.Zone
	if l.key != nil {
		if l.KeyForm != "" {
			zone = l.KeyForm
		}
		zone = strings.Replace(zone, "{key}", *l.key, 1)
	}
	return zone, validName(zone)
}

// Askable reports whether there is a zone to ask: dead lists have one as well,
// lists without a public zone or with a key that is not set have none.
func (l *List) Askable() bool {
	_, ok := l.zone()
	return ok
}

// under puts a name or the like before the list's zone. It is false when what
// comes out is no name that DNS can hold.
func (l *List) under(front string) (string, bool) {
	zone, ok := l.zone()
	if !ok || front == "" || len(front)+1+len(zone) > maxName {
		return "", false
	}
	return front + "." + zone, true
}

// testQuestion is the name to ask about a test entry, an address or a name. Unlike
// a client's, ::ffff:7f00:2 stays an address of IPv6 (RFC 5782 section 5).
func (l *List) testQuestion(test string) (string, bool) {
	if addr, ok := parseTest(test); ok {
		return l.under(string(appendReversed(nil, addr)))
	}
	if !validLabels(test) {
		return "", false
	}
	return l.under(strings.ToLower(test))
}

func parseTest(test string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(test)
	return addr, err == nil && addr.Zone() == ""
}

// appendReversed appends the octets or nibbles of an address, last first (RFC 5782
// sections 2.1 and 2.4).
func appendReversed(to []byte, addr netip.Addr) []byte {
	if addr.Is4() {
		a := addr.As4()
		for i := len(a) - 1; i >= 0; i-- {
			if a[i] >= 100 {
				to = append(to, '0'+a[i]/100)
			}
			if a[i] >= 10 {
				to = append(to, '0'+a[i]/10%10)
			}
			to = append(to, '0'+a[i]%10, '.')
		}
		return to[:len(to)-1]
	}
	const hex = "0123456789abcdef"
	a := addr.As16()
	for i := len(a) - 1; i >= 0; i-- {
		to = append(to, hex[a[i]&15], '.', hex[a[i]>>4], '.')
	}
	return to[:len(to)-1]
}

// nowhere are networks, beside those that netip knows, that no stranger on the
// Internet has an address in. The networks of documentation are not among them:
// tests live there.
var nowhere = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),     // RFC 1122 section 3.2.1.3
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT, RFC 6598
	netip.MustParsePrefix("240.0.0.0/4"),   // reserved and broadcast, RFC 1112 section 4
	netip.MustParsePrefix("fec0::/10"),     // site-local, RFC 3879
}

// public gives the form of an address in which lists are asked about it: IPv4
// where it is mapped. It is false for one that no list can speak of, and for our own.
func public(addr netip.Addr, own []netip.Addr) (netip.Addr, bool) {
	addr = addr.Unmap().WithZone("")
	switch {
	case !addr.IsValid(), addr.IsUnspecified(), addr.IsLoopback(), addr.IsPrivate(),
		addr.IsLinkLocalUnicast(), addr.IsMulticast():
		return netip.Addr{}, false
	}
	for _, net := range nowhere {
		if net.Contains(addr) {
			return netip.Addr{}, false
		}
	}
	return addr, !slices.Contains(own, addr)
}

// hostName gives the form of a name in which domain lists may be asked about it:
// lower case. It is false for what is no DNS name, an address in any form, a name
// below arpa, a single label.
func hostName(name string) (string, bool) {
	return strings.ToLower(name), validName(name)
}

// registeredLen is the length of the registered domain at the end of a name: its
// public suffix and one label more. It is 0 for a public suffix, about which no
// list is asked.
func registeredLen(name string) int {
	suffix, _ := publicsuffix.PublicSuffix(name)
	rest := len(name) - len(suffix) - 1
	if rest < 0 {
		return 0
	}
	return len(name) - 1 - strings.LastIndexByte(name[:rest], '.')
}

// validName reports whether name is of at least two labels that DNS can hold, and
// could be a domain's: RFC 5782 section 3 has no place for addresses, and no
// domain of the top level is a number (RFC 3696 section 2).
func validName(name string) bool {
	if !validLabels(name) {
		return false
	}
	dot := strings.LastIndexByte(name, '.')
	last := name[dot+1:]
	return dot > 0 && strings.Trim(last, "0123456789") != "" && !strings.EqualFold(last, "arpa")
}

// validLabels reports whether name is of labels of letters, digits, hyphens and
// underscores, which are no host names by RFC 1123 but in use, and without a last dot.
func validLabels(name string) bool {
	length := 0
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '.':
			if length == 0 {
				return false
			}
			length = 0
		case c|0x20-'a' < 26 || c-'0' < 10 || c == '-' || c == '_':
			if length++; length > maxLabel {
				return false
			}
		default:
			return false
		}
	}
	return length > 0 && len(name) <= maxName
}
