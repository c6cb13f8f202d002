package config

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// host checks a name of ours and gives its A-label form: lower case, no last dot.
// dots says that a single label is suspicious.
func host(text string, dots bool, s spot) (any, bool) {
	if what, remedy := notHost(text); what != "" {
		return s.bad(quote(text), what, remedy)
	}
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	if !ascii(name) {
		alabel, err := idna.Lookup.ToASCII(name)
		// What IDNA drops on the way, such as a zero-width space, nobody has seen.
		if err != nil || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || unicode.Is(unicode.Variation_Selector, r) }) {
			return s.bad(quote(text), "not a name that DNS can hold", "write it as DNS has it (xn--...)")
		}
		name = alabel
	}
	if what := badLabels(name); what != "" {
		return s.bad(quote(text), what, `write a whole name: "mx1.example.net"`)
	}
	if dots && !strings.Contains(name, ".") {
		s.odd(quote(text), "a single label is rarely a mail domain", `write the whole domain: "example.net"`)
	}
	return name, true
}

// notHost finds what people put where a name belongs.
func notHost(text string) (what, remedy string) {
	bare := strings.Trim(text, "[]")
	if _, err := netip.ParseAddr(bare); err == nil {
		return "an address, no name", "put it into us.addresses"
	}
	if _, err := netip.ParsePrefix(bare); err == nil {
		return "a network, no name", "name hosts and domains here"
	}
	switch {
	case strings.Trim(text, ". ") == "":
		return "empty", "remove it, or write a name"
	case strings.Contains(text, "://"):
		return "a URL, no name", "write the name alone"
	case strings.Contains(text, "@"):
		return "a mail address, no name", "write what stands behind the @"
	case strings.HasPrefix(text, "."), strings.Contains(text, "*"):
		return "no single name", "name each domain: there are no wildcards here"
	case strings.ContainsAny(text, " \t\r\n,;"):
		return "more than one name, or a space", "write each name in quotes of its own"
	case strings.Contains(text, "/"):
		return "a path, no name", "write the name itself"
	}
	return "", ""
}

// badLabels checks letters, digits, hyphens (RFC 1123 section 2.1), and
// underscores, which real hosts have.
func badLabels(name string) string {
	if len(name) > 253 {
		return "longer than 253 octets"
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "an empty label"
		case len(label) > 63:
			return "a label longer than 63 octets"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a label starts or ends with a hyphen"
		case strings.ContainsFunc(label, notBare):
			return "a character that no name has"
		}
	}
	return ""
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// address checks a single address of ours.
func address(text string, s spot) (any, bool) {
	a, err := netip.ParseAddr(strings.TrimPrefix(strings.Trim(text, "[]"), "IPv6:"))
	if err != nil {
		if p, prefixErr := netip.ParsePrefix(text); prefixErr == nil {
			return s.bad(quote(text), "a network", "name single addresses: "+quote(p.Addr().String()))
		}
		if _, portErr := netip.ParseAddrPort(text); portErr == nil {
			return s.bad(quote(text), "an address with a port", "leave the port out")
		}
		return s.bad(quote(text), "not an address", `write "192.0.2.1" or "2001:db8::1" (names go into us.names)`)
	}
	return usable(a, text, s)
}

// usable refuses addresses that no host can have; IPv4 in IPv6 becomes IPv4.
func usable(a netip.Addr, text string, s spot) (any, bool) {
	switch {
	case a.Zone() != "":
		return s.bad(quote(text), "an address with a zone", "leave %"+oneLine(a.Zone())+" out")
	case a.Unmap().IsUnspecified():
		return s.bad(quote(text), "the unspecified address", "name the address itself")
	case a.Unmap().IsMulticast():
		return s.bad(quote(text), "a multicast address", "name the address of a host")
	}
	return a.Unmap(), true
}

// network checks a prefix; a single address is one too.
func network(text string, s spot) (any, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		v, ok := usable(a, text, s)
		if !ok {
			return nil, false
		}
		a = v.(netip.Addr)
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return s.bad(quote(text), "not a network", `write "192.0.2.0/24", "2001:db8::/32" or an address`)
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	switch masked := p.Masked(); {
	case masked != p:
		return s.bad(quote(text), "the address has bits behind the prefix length", "write "+quote(masked.String())+" or "+quote(p.Addr().String()))
	case p.Bits() == 0:
		return s.bad(quote(text), "the whole Internet", `with mode = "monitor" nobody is refused: use that`)
	case p.Addr().Is4() && p.Bits() < 8, p.Addr().Is6() && p.Bits() < 16:
		s.odd(quote(text), "a very large network", "see that the prefix length is meant")
	}
	return p, true
}

// server checks the address of a DNS server; the port is 53 unless said.
func server(text string, s spot) (any, bool) {
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		a, addrErr := netip.ParseAddr(strings.Trim(text, "[]"))
		if addrErr != nil {
			return s.bad(quote(text), "not the address of a DNS server", `write "192.0.2.53", "192.0.2.53:5353" or "[2001:db8::53]:53"`)
		}
		ap = netip.AddrPortFrom(a, 53)
	}
	// A zone is fine here: a resolver may be link-local.
	switch a := ap.Addr().Unmap(); {
	case ap.Port() == 0:
		return s.bad(quote(text), "port 0", "name the port, or leave it out for 53")
	case a.IsUnspecified():
		return s.bad(quote(text), "the unspecified address", `for this machine write "127.0.0.1"`)
	case a.IsMulticast():
		return s.bad(quote(text), "a multicast address", "name the address of a DNS server")
	default:
		return netip.AddrPortFrom(a, ap.Port()), true
	}
}

// recipient checks a whole mail address and gives it in lower case, its domain
// in A-labels: recipients are matched without regard to case.
func recipient(text string, s spot) (any, bool) {
	bare := strings.TrimSuffix(strings.TrimPrefix(text, "<"), ">")
	at := strings.LastIndexByte(bare, '@')
	switch {
	case at < 0:
		return s.bad(quote(text), "not a mail address", `write it whole: "help@example.net"`)
	case at == 0:
		return s.bad(quote(text), "a domain, no mail address", "name each recipient")
	case strings.ContainsAny(bare[:at], "\r\n\x00") || strings.ContainsAny(bare[:at], " \t<>,;*") && bare[0] != '"':
		return s.bad(quote(text), "not one mail address", "write each address whole, in quotes of its own")
	case at > 64:
		return s.bad(quote(text), "more than 64 octets before the @", "see that it is right")
	}
	domain, ok := host(bare[at+1:], true, s)
	if !ok {
		return nil, false
	}
	return strings.ToLower(bare[:at]) + "@" + domain.(string), true
}

// helpURL checks what goes into replies: US-ASCII, short, one link.
func helpURL(text string, s spot) (any, bool) {
	const example = `write it as "https://postmaster.example.net/why/{id}"`
	if text == "" {
		return "", true
	}
	plain := strings.NewReplacer("{id}", "0", "{finding}", "policy").Replace(text)
	u, err := url.Parse(plain)
	switch {
	case !ascii(text) || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return s.bad(quote(text), "a reply takes printable US-ASCII without spaces only", "encode it (%20, xn--...)")
	case strings.ContainsAny(plain, "{}"):
		return s.bad(quote(text), "only {id} and {finding} are replaced", example)
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return s.bad(quote(text), "not a web address", example)
	case u.User != nil:
		return s.bad(quote(text), "it holds a user name, and every refused sender reads it", example)
	case len(text) > maxHelpURL:
		return s.bad(quote(text), "too long: a reply is one line of at most 240 octets", "use a shorter one, at most 120 octets")
	}
	return text, true
}

const maxHelpURL = 120
