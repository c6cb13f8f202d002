package local

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An entry is what one [type:]value stands for: a network or a name.
type entry struct {
	net  netip.Prefix // valid for a network
	name []byte       // lower case; may lie in the line it was read from
	kind kinds
	// A network that is hardly meant: see wide.
	wide bool
	// The type was guessed as one that a sender can forge.
	guessed bool
}

// A mistake is why something cannot be read, and the way out.
type mistake struct{ what, remedy string }

const types = "client: ptr: helo: from: rcpt: account: country: asn:"

// parseValue reads "type:value". The values are
//
//	client:   an address or a network, 192.0.2.7 or 2001:db8::/32
//	ptr:      a domain: example.com and all below; *.example.com only what is below
//	helo:     a domain as for ptr:, or any word that is compared as a whole
//	from:     a domain as for ptr:, @example.com for this domain and none below,
//	          joe@example.com for an address, <> for the null sender
//	rcpt:     as from:, without <>
//	account:  a login name, or @example.com for all logins of that domain
//	country:  two letters
//	asn:      a number, with or without AS before it
//
// all without regard to case. A value without a type is taken by its form: an
// address or network is client:, what holds an @ is from:, and so is <>; a
// domain of at least two labels (.example is enough) is both from: and ptr:,
// since a list of domains means mail of theirs and servers of theirs. Anything
// else needs a type. text may be changed.
func parseValue(text []byte) (entry, *mistake) {
	switch {
	case len(text) > maxName:
		return entry{}, &mistake{quote(text) + " is longer than any name", "see that it is one entry"}
	case !utf8.Valid(text) || bytes.ContainsFunc(text, unicode.IsControl):
		return entry{}, &mistake{quote(text) + " is not printable text in UTF-8", "see that the line is whole"}
	}
	field, value, typed, bad := cutType(text)
	switch {
	case bad != nil:
		return entry{}, bad
	case !typed:
		return guess(value)
	case len(value) == 0:
		return entry{}, &mistake{quote(text) + " names nothing", "write a value after the colon, without a space"}
	}
	switch field {
	case Client:
		return parseNet(value)
	case Helo:
		return parseHelo(value)
	case From, Rcpt:
		return parseMail(value, field)
	case Account:
		return parseAccount(value)
	case Country:
		return parseCountry(value)
	case ASN:
		return parseASN(value)
	}
	return parseDomain(value, tree(field), below(field))
}

// cutType takes the type off. An IPv6 address has colons of its own.
func cutType(text []byte) (f Field, value []byte, typed bool, bad *mistake) {
	colon := bytes.IndexByte(text, ':')
	if colon < 0 {
		return 0, text, false, nil
	}
	for f, name := range fieldNames {
		if equalFold(text[:colon], name) {
			return Field(f), text[colon+1:], true, nil
		}
	}
	if isIP(text[:colon]) || bytes.IndexByte(text[:colon], '@') >= 0 || text[0] == '[' {
		return 0, text, false, nil
	}
	return 0, nil, false, &mistake{"unknown type " + quote(text[:colon]), "write one of " + types}
}

// isIP reports whether a text can be the beginning of an IPv6 address.
func isIP(text []byte) bool {
	return len(text) <= 4 && !bytes.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) })
}

func guess(value []byte) (entry, *mistake) {
	switch {
	case bytes.Equal(value, []byte("<>")), bytes.IndexByte(value, '@') >= 0:
		e, bad := parseMail(value, From)
		e.guessed = true
		return e, bad
	case looksNumeric(value), bytes.IndexByte(value, ':') >= 0:
		return parseNet(value)
	case bytes.IndexByte(value, '.') < 0:
		return entry{}, &mistake{quote(value) + " is no address, network or domain",
			"write a type before it (" + types + "), and # before a comment"}
	}
	e, bad := parseDomain(value, tree(From)|tree(PTR), below(From)|below(PTR))
	e.guessed = true
	return e, bad
}

// looksNumeric reports whether a text is meant as an address or network: no
// domain ends in a number.
func looksNumeric(text []byte) bool {
	host, _, _ := bytes.Cut(text, []byte("/"))
	host = bytes.TrimRight(host, ".*-")
	last := host[bytes.LastIndexByte(host, '.')+1:]
	return len(last) > 0 && '0' <= last[0] && last[0] <= '9' && !bytes.ContainsFunc(last, func(r rune) bool { return r != '-' && (r < '0' || '9' < r) })
}

// parseNet takes an address or a network.
func parseNet(text []byte) (entry, *mistake) {
	p, ok := plain4(text)
	if !ok {
		var bad *mistake
		if p, bad = parsePrefix(string(text)); bad != nil {
			return entry{}, bad
		}
	}
	if masked := p.Masked(); masked != p {
		return entry{}, &mistake{quote(text) + ": the address has bits behind the prefix length",
			"write " + masked.String() + " or " + p.Addr().String()}
	}
	return entry{net: p, wide: wide(p)}, nil
}

// plain4 takes the usual IPv4 forms without making garbage.
func plain4(text []byte) (netip.Prefix, bool) {
	a, octets, rest, ok := octets4(text, true)
	if !ok || octets != 4 {
		return netip.Prefix{}, false
	}
	size := 32
	if len(rest) > 0 {
		if rest[0] != '/' {
			return netip.Prefix{}, false
		}
		size, rest, ok = smallNumber(rest[1:], 32)
		if !ok || len(rest) > 0 {
			return netip.Prefix{}, false
		}
	}
	return netip.PrefixFrom(ip4(a), size), true
}

func parsePrefix(text string) (netip.Prefix, *mistake) {
	if a, err := netip.ParseAddr(text); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, &mistake{quote(text) + " has a zone", "leave " + quote("%"+a.Zone()) + " out"}
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, &mistake{quote(text) + " is no address or network", short4(text)}
	case p.Addr().Is4In6() && p.Bits() >= 96:
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96), nil
	}
	return p, nil
}

// short4 helps who wrote a network the way that other programs take it.
func short4(text string) string {
	const remedy = "write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
	host, size, sized := strings.Cut(text, "/")
	a, octets, rest, ok := octets4([]byte(strings.TrimRight(host, ".*")), false)
	if !ok || len(rest) > 0 {
		return remedy
	}
	if !sized {
		size = strconv.Itoa(8 * octets)
	}
	p, err := netip.ParsePrefix(ip4(a).String() + "/" + size)
	if err != nil {
		return remedy
	}
	return "write " + p.Masked().String()
}

// wide reports whether a network is so large that it is hardly meant.
func wide(p netip.Prefix) bool {
	return p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 16
}

// parseDomain takes "example.com" or ".example.com", the domain and all below,
// or "*.example.com", only what is below.
func parseDomain(text []byte, whole, under kinds) (entry, *mistake) {
	kind, name := whole, text
	switch {
	case bytes.HasPrefix(name, []byte("*.")):
		kind, name = under, name[2:]
	case bytes.HasPrefix(name, []byte(".")):
		name = name[1:]
	}
	name, ok := domain(name)
	switch {
	case !ok && looksNumeric(text):
		return entry{}, &mistake{quote(text) + " is an address, not a domain", "write client: before it"}
	case !ok && bytes.IndexByte(text, '@') >= 0:
		return entry{}, &mistake{quote(text) + " is a mail address, not a domain", "write from: or rcpt: before it"}
	case !ok:
		return entry{}, &mistake{quote(text) + " is not a domain", "write example.com for it and all below, *.example.com for what is below only"}
	}
	return entry{name: name, kind: kind}, nil
}

// parseHelo takes a domain, or what others say in its place: a literal, an
// address, words.
func parseHelo(text []byte) (entry, *mistake) {
	if !looksNumeric(text) {
		if e, bad := parseDomain(text, tree(Helo), below(Helo)); bad == nil {
			return e, nil
		}
	}
	if bytes.IndexByte(text, '*') >= 0 {
		return entry{}, &mistake{quote(text) + ": a * stands before a domain only", "write *.example.com"}
	}
	return entry{name: lowered(text), kind: self(Helo)}, nil
}

// parseMail takes an address, "@example.com", "<>" or a domain.
func parseMail(text []byte, f Field) (entry, *mistake) {
	if bytes.Equal(text, []byte("<>")) {
		if f != From {
			return entry{}, &mistake{"the null sender <> is no recipient", "write from:<>"}
		}
		return entry{name: text, kind: self(From)}, nil
	}
	if len(text) > 2 && text[0] == '<' && text[len(text)-1] == '>' {
		text = text[1 : len(text)-1]
	}
	at := bytes.LastIndexByte(text, '@')
	switch {
	case at < 0:
		return parseDomain(text, tree(f), below(f))
	case bytes.Equal(text[:at], []byte("*")):
		text, at = text[1:], 0
	}
	host, ok := domain(text[at+1:])
	switch {
	case !ok && at > 0 && literal(text[at+1:]):
		return entry{name: lowered(text), kind: self(f)}, nil
	case !ok:
		return entry{}, &mistake{quote(text) + ": what stands behind the @ is not a domain", "write joe@example.com, or @example.com for all of a domain"}
	case at == 0:
		return entry{name: host, kind: self(f)}, nil
	case bytes.ContainsAny(text[:at], "*<>,;") && text[0] != '"':
		return entry{}, &mistake{quote(text) + " is not one mail address", "write joe@example.com, or @example.com for all of a domain"}
	}
	return entry{name: join(text, at, host), kind: self(f)}, nil
}

// parseAccount takes a login name, or "@example.com".
func parseAccount(text []byte) (entry, *mistake) {
	if bytes.IndexByte(text, '*') >= 0 {
		return entry{}, &mistake{quote(text) + ": accounts take no *", "write the login name, or @example.com for all of a domain"}
	}
	at := bytes.LastIndexByte(text, '@')
	if at < 0 {
		return entry{name: lowered(text), kind: self(Account)}, nil
	}
	host, ok := domain(text[at+1:])
	switch {
	case !ok && at == 0:
		return entry{}, &mistake{quote(text) + ": what stands behind the @ is not a domain", "write the login name, or @example.com for all of a domain"}
	case !ok: // a realm can be anything
		return entry{name: lowered(text), kind: self(Account)}, nil
	}
	return entry{name: join(text, at, host), kind: self(Account)}, nil
}

func parseCountry(text []byte) (entry, *mistake) {
	text = lowered(text)
	switch {
	case len(text) != 2 || text[0] < 'a' || 'z' < text[0] || text[1] < 'a' || 'z' < text[1]:
		return entry{}, &mistake{quote(text) + " is not a country", "write the two letters of ISO 3166, such as DE"}
	case string(text) == "uk":
		return entry{}, &mistake{quote(text) + " is not a country of ISO 3166", "write GB"}
	}
	return entry{name: text, kind: self(Country)}, nil
}

// parseASN takes the number of a network, 64500 or AS64500 (RFC 5396 section 2,
// asplain).
func parseASN(text []byte) (entry, *mistake) {
	digits := lowered(text)
	if len(digits) > 2 && string(digits[:2]) == "as" {
		digits = digits[2:]
	}
	n, err := strconv.ParseUint(string(digits), 10, 32)
	if err != nil || n == 0 || digits[0] == '0' || digits[0] == '+' {
		return entry{}, &mistake{quote(text) + " is not the number of a network", "write it as in asn:64500"}
	}
	return entry{name: digits, kind: self(ASN)}, nil
}

// literal reports whether a text is an address in brackets.
func literal(text []byte) bool {
	return len(text) > 2 && text[0] == '[' && text[len(text)-1] == ']'
}

// join puts the local part of text, up to the @, before the normal form of its
// domain. Local parts are compared without regard to case: hardly anybody tells
// them apart by it (RFC 5321 section 2.4).
func join(text []byte, at int, host []byte) []byte {
	lowered(text[:at])
	if &host[0] == &text[at+1] {
		return text[:at+1+len(host)]
	}
	return slices.Concat(text[:at+1], host)
}

// lowered brings ASCII letters to lower case, in place.
func lowered(text []byte) []byte {
	for i, c := range text {
		text[i] = lower(c)
	}
	return text
}

func equalFold(text []byte, word string) bool {
	if len(text) != len(word) {
		return false
	}
	for i, c := range text {
		if lower(c) != word[i] {
			return false
		}
	}
	return true
}

// quote makes a stranger's text fit for a message: one short printable line.
func quote[T ~string | ~[]byte](text T) string {
	const most = 60
	s := string(text)
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return strconv.Quote(s[:cut]) + "..."
	}
	return strconv.Quote(s)
}
