package spf

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A kind is what a term does.
type kind uint8

const (
	kindAll kind = iota + 1
	kindInclude
	kindA
	kindMX
	kindPTR
	kindIP
	kindExists
)

var kinds = map[string]kind{
	"all": kindAll, "include": kindInclude, "a": kindA, "mx": kindMX, "ptr": kindPTR,
	"ip4": kindIP, "ip6": kindIP, "exists": kindExists,
}

// A term is one mechanism of a record.
type term struct {
	qualifier string // "+", "-", "~", "?", or "" as written
	name      string // lower case
	kind      kind
	spec      string       // the domain-spec as written; "" for the domain itself
	cidr      string       // of a and mx, as written: "/24//64"
	network   netip.Prefix // of ip4 and ip6
}

// A record is one SPF record without a syntax error.
type record struct {
	terms    []term
	redirect string // the domain-spec; "" when there is none
	letters  letters
	never    bool // "v=spf1 -all" and nothing else
}

// maxRecord is the longest record that is read; the longest of real senders
// have some 4 kB.
const maxRecord = 16 << 10

// selected gives the texts that are SPF records (RFC 7208 section 4.5).
func selected(texts []string) (records []string) {
	const version = "v=spf1"
	for _, t := range texts {
		if len(t) >= len(version) && strings.EqualFold(t[:len(version)], version) && (len(t) == len(version) || t[len(version)] == ' ') {
			records = append(records, t)
		}
	}
	return records
}

// parse reads a record that selected has found. An error anywhere makes the
// whole record one that cannot be understood (RFC 7208 section 4.6).
func parse(text string) (*record, error) {
	if len(text) > maxRecord {
		return nil, errors.New("a record longer than is read")
	}
	r := &record{}
	exp, modifiers := false, 0
	_, rest, _ := strings.Cut(text, " ")
	for word := range strings.SplitSeq(rest, " ") {
		if word == "" {
			continue
		}
		name, value, modifier := cutModifier(word)
		if !modifier {
			t, err := parseTerm(word, &r.letters)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", clip(word), err)
			}
			r.terms = append(r.terms, t)
			continue
		}
		modifiers++
		twice := name == "exp" && exp || name == "redirect" && r.redirect != "" // RFC 7208 section 6
		if err := r.modify(name, value); err != nil {
			return nil, fmt.Errorf("%q: %w", clip(word), err)
		}
		if twice {
			return nil, fmt.Errorf("%s= twice", name)
		}
		exp = exp || name == "exp"
	}
	r.never = modifiers == 0 && len(r.terms) == 1 && r.terms[0].kind == kindAll && r.terms[0].qualifier == "-"
	return r, nil
}

// cutModifier tells a modifier from a directive: its "=" stands before any ":"
// or "/", and its name is one (RFC 7208 section 4.6.1).
func cutModifier(word string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(word, "=")
	if !ok || name == "" || !letter(name[0]) {
		return "", "", false
	}
	for i := range len(name) {
		if c := name[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return "", "", false
		}
	}
	return strings.ToLower(name), value, true
}

func (r *record) modify(name, value string) error {
	switch name {
	case "redirect":
		r.redirect = value
		return domainSpec(value, &r.letters)
	case "exp":
		return domainSpec(value, new(letters))
	}
	_, err := macros(value, inTexts, new(letters))
	return err
}

func parseTerm(word string, seen *letters) (term, error) {
	var t term
	if strings.IndexByte("+-~?", word[0]) >= 0 {
		t.qualifier, word = word[:1], word[1:]
	}
	end := strings.IndexAny(word, ":/")
	if end < 0 {
		end = len(word)
	}
	t.name = strings.ToLower(word[:end])
	t.kind = kinds[t.name]
	arg := word[end:]
	if t.kind == 0 {
		return t, errors.New("no mechanism of SPF")
	}
	if t.kind == kindA || t.kind == kindMX {
		var err error
		if arg, t.cidr, err = cutCIDR(arg); err != nil {
			return t, err
		}
	}
	return t, t.argue(arg, seen)
}

// argue reads what stands behind the name of a mechanism, its mask cut off.
func (t *term) argue(arg string, seen *letters) (err error) {
	spec, colon := strings.CutPrefix(arg, ":")
	switch {
	case arg == "" && (t.kind == kindAll || t.kind == kindA || t.kind == kindMX || t.kind == kindPTR):
		return nil
	case t.kind == kindAll:
		return errors.New("all takes no argument")
	case arg == "":
		return errors.New("an argument is missing")
	case !colon:
		return errors.New("a mask where none may be")
	case t.kind == kindIP:
		t.network, err = network(spec, t.name == "ip4")
		return err
	}
	t.spec = spec
	return domainSpec(spec, seen)
}

// cutCIDR cuts a dual-cidr-length from the end of what stands behind a or mx
// (RFC 7208 section 5.6).
func cutCIDR(arg string) (rest, cidr string, err error) {
	rest = arg
	if r, n, ok := cutLength(rest, "//"); ok {
		if !maskLength(n, 128) {
			return "", "", errMask
		}
		rest = r
	}
	if r, n, ok := cutLength(rest, "/"); ok {
		if !maskLength(n, 32) {
			return "", "", errMask
		}
		rest = r
	}
	return rest, arg[len(rest):], nil
}

var errMask = errors.New("no length of a mask")

// cutLength cuts slash and the digits behind it from the end of s.
func cutLength(s, slash string) (rest, digits string, ok bool) {
	rest = strings.TrimRight(s, "0123456789")
	digits = s[len(rest):]
	rest, ok = strings.CutSuffix(rest, slash)
	return rest, digits, ok && digits != ""
}

// maskLength: no leading zero, at most most.
func maskLength(s string, most int) bool {
	if s == "" || len(s) > 3 || !numeric(s) || len(s) > 1 && s[0] == '0' {
		return false
	}
	n, err := strconv.Atoi(s)
	return err == nil && n <= most
}

// network reads the argument of ip4 and ip6. An IPv4 address in an IPv6 network
// stays IPv6, and matches no client: RFC 7208 section 5 has those as IPv4.
func network(s string, v4 bool) (netip.Prefix, error) {
	host, bits, masked := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Is4() != v4 || addr.Zone() != "" {
		return netip.Prefix{}, errors.New("no such address")
	}
	n := addr.BitLen()
	if masked {
		if !maskLength(bits, n) {
			return netip.Prefix{}, errMask
		}
		n, _ = strconv.Atoi(bits)
	}
	return netip.PrefixFrom(addr, n), nil
}
