package profile

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// OrgDomain returns the registered domain of a host name: its public suffix and
// one label more. A name that has no more than a suffix is returned as it is.
// The name is lower case, in A-labels, without a last dot.
func OrgDomain(name string) string {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return withOneLabelMore(name, suffix)
}

// leftOfDomain returns the labels left of the domain that somebody registered
// with a registry: "a.b" of "a.b.example.co.uk". Suffixes that firms hand out to
// their customers do not count: providers' own default names stand under them.
func leftOfDomain(name string) string {
	suffix, icann := publicsuffix.PublicSuffix(name)
	for !icann {
		_, parent, ok := strings.Cut(suffix, ".")
		if !ok {
			break
		}
		suffix, icann = publicsuffix.PublicSuffix(parent)
	}
	return strings.TrimSuffix(name[:len(name)-len(withOneLabelMore(name, suffix))], ".")
}

func withOneLabelMore(name, suffix string) string {
	rest := len(name) - len(suffix) - 1
	if rest < 0 {
		return name
	}
	return name[strings.LastIndexByte(name[:rest], '.')+1:]
}

// The longest name that DNS can hold, written without a last dot, and the
// longest label (RFC 1035 section 2.3.4).
const (
	maxNameLen  = 253
	maxLabelLen = 63
)

// hostLabels counts the labels of a host name without its last dot, 0 when it
// is none: an octet that is no letter, digit, hyphen or underscore, an empty or
// overlong label. Underscores are not host names by RFC 1123, but they are in
// use and harmless.
func hostLabels(name string) int {
	labels, length := 1, 0
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '.':
			if length == 0 {
				return 0
			}
			labels++
			length = 0
		case isAlnum(c) || c == '-' || c == '_':
			if length++; length > maxLabelLen {
				return 0
			}
		default:
			return 0
		}
	}
	if length == 0 {
		return 0
	}
	return labels
}

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return c|0x20-'a' < 26 }
func isAlnum(c byte) bool  { return isDigit(c) || isLetter(c) }

// addrOf reads an address as people write it: IPv6, or IPv4 with leading zeros,
// which RFC 5321 section 4.1.3 allows in a literal.
func addrOf(s string) (netip.Addr, bool) {
	if strings.IndexByte(s, ':') >= 0 {
		addr, err := netip.ParseAddr(s)
		return addr.Unmap(), err == nil && addr.Zone() == ""
	}
	var octets [4]byte
	for i := range octets {
		part, rest, more := strings.Cut(s, ".")
		if more == (i == 3) || len(part) == 0 || len(part) > 3 {
			return netip.Addr{}, false
		}
		n := 0
		for k := 0; k < len(part); k++ {
			if !isDigit(part[k]) {
				return netip.Addr{}, false
			}
			n = n*10 + int(part[k]-'0')
		}
		if n > 255 {
			return netip.Addr{}, false
		}
		octets[i], s = byte(n), rest
	}
	return netip.AddrFrom4(octets), true
}

// literalOf reads an address literal: [192.0.2.7], [IPv6:2001:db8::7] (RFC 5321
// section 4.1.3), and the IPv6 form without its tag that some servers send.
func literalOf(s string) (netip.Addr, bool) {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return netip.Addr{}, false
	}
	return addrOf(cutTag(s[1 : len(s)-1]))
}

func cutTag(s string) string {
	const tag = "ipv6:"
	if len(s) > len(tag) && strings.EqualFold(s[:len(tag)], tag) && strings.IndexByte(s[len(tag):], ':') >= 0 {
		return s[len(tag):]
	}
	return s
}

func hasAddr(addrs []netip.Addr, addr netip.Addr) bool {
	if !addr.IsValid() {
		return false
	}
	addr = addr.Unmap()
	for _, a := range addrs {
		if a.Unmap() == addr {
			return true
		}
	}
	return false
}

// lookup says of a host whether the client is among its addresses.
type lookup uint8

const (
	unknown lookup = iota
	there          // one of them is the client's
	absent         // answered, and none is
)

// leadsTo asks the client's own family only: the other cannot hold its address.
func (h *Host) leadsTo(client netip.Addr) lookup {
	if hasAddr(h.Addrs, client) {
		return there
	}
	if client.IsValid() && h.family(client).Known() {
		return absent
	}
	return unknown
}

// family is the outcome of the question for addresses of the client's family.
func (h *Host) family(client netip.Addr) Outcome {
	if client.Unmap().Is4() {
		return h.A
	}
	return h.AAAA
}
