package spf

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// letters is a set of macro letters (RFC 7208 section 7.2), a bit for each.
type letters uint32

func (l letters) has(c byte) bool { return l&(1<<(c|0x20-'a')) != 0 }

// local says that the sender's local part is among what is expanded.
func (l letters) local() bool { return l.has('l') || l.has('s') }

func (l *letters) add(c byte) { *l |= 1 << (c | 0x20 - 'a') }

// odd marks a macro that is legal and that the evaluation cannot expand: p with a
// transformer, and a slash among the delimiters.
const odd letters = 1 << 31

const (
	inDomains = "slodiphv" // the letters of domain-specs
	inTexts   = "crt"      // and those which explanations have as well
)

// maxExpand is the longest macro that is read: "%{" and a letter, digits, "r",
// each of the seven delimiters, "}". The grammar has no end there, but there is
// nothing more to say, and reading a long one takes the library long.
const maxExpand = 24

var (
	errMacro    = errors.New("a % that starts no macro")
	errLetter   = errors.New("a macro of no known letter")
	errOctet    = errors.New("an octet that is not printable ASCII")
	errEmpty    = errors.New("no domain where one must be")
	errTopLabel = errors.New("no domain name: its last label is none of a domain")
	errNoDot    = errors.New("no domain name: a single label")
	errTooLong  = errors.New("longer than any domain needs")
)

// macros reads s as a macro-string (RFC 7208 section 7.1). It returns what is
// literal at its end, behind the last macro, and adds the letters that occur.
func macros(s string, also string, seen *letters) (tail string, err error) {
	tail = s
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ' || c > '~':
			return "", errOctet
		case c != '%':
			continue
		}
		n, err := expand(s[i:], also, seen)
		if err != nil {
			return "", err
		}
		i += n - 1
		tail = s[i+1:]
	}
	return tail, nil
}

// expand returns the length of the macro-expand that s starts with.
func expand(s string, also string, seen *letters) (int, error) {
	if len(s) < 2 {
		return 0, errMacro
	}
	switch s[1] {
	case '%', '_', '-':
		return 2, nil
	case '{':
	default:
		return 0, errMacro
	}
	end := strings.IndexByte(s, '}')
	if end < 3 || end > maxExpand {
		return 0, errMacro
	}
	c, rest := s[2], s[3:end]
	if !letter(c) || strings.IndexByte(inDomains, c|0x20) < 0 && strings.IndexByte(also, c|0x20) < 0 {
		return 0, errLetter
	}
	seen.add(c)
	if c|0x20 == 'p' && rest != "" || strings.Contains(rest, "/") {
		*seen |= odd
	}
	digits := rest
	rest = strings.TrimLeft(rest, "0123456789")
	digits = digits[:len(digits)-len(rest)]
	if digits != "" && strings.Trim(digits, "0") == "" { // RFC 7208 section 7.1: nonzero
		return 0, errMacro
	}
	if rest != "" && rest[0]|0x20 == 'r' {
		rest = rest[1:]
	}
	if strings.Trim(rest, ".-+,/_=") != "" {
		return 0, errMacro
	}
	return end + 1, nil
}

// domainSpec checks s to be a domain-spec (RFC 7208 section 7.1).
func domainSpec(s string, seen *letters) error {
	switch {
	case s == "":
		return errEmpty
	case len(s) > 4*maxName:
		return errTooLong
	}
	tail, err := macros(s, "", seen)
	if err != nil || tail == "" {
		return err
	}
	name := strings.TrimSuffix(tail, ".")
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return errNoDot
	}
	if !topLabel(name[dot+1:]) {
		return errTopLabel
	}
	return nil
}

// topLabel: letters, digits and hyphens inside, and not digits alone.
func topLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' || numeric(s) {
		return false
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// foresee expands the macros of a domain-spec if they are the plain ones, for
// asking ahead. The library does the expansion that counts.
func (s *subject) foresee(spec, domain string) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(spec, "%{")
		if strings.Contains(before, "%") {
			return "", false
		}
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		macro, rest, _ := strings.Cut(rest, "}")
		switch macro {
		case "d":
			b.WriteString(domain)
		case "o":
			b.WriteString(s.domain)
		case "h":
			b.WriteString(s.helo)
		case "l":
			b.WriteString(s.local)
		case "i", "ir":
			b.WriteString(s.spelled(macro == "ir"))
		default:
			return "", false
		}
		spec = rest
	}
}

// spelled is the client's address as the macro i has it: octets, or for IPv6
// hex digits.
func (s *subject) spelled(reversed bool) string {
	const hex = "0123456789abcdef"
	var parts []string
	for _, octet := range s.client.AsSlice() {
		if s.client.Is4() {
			parts = append(parts, strconv.Itoa(int(octet)))
		} else {
			parts = append(parts, hex[octet>>4:][:1], hex[octet&15:][:1])
		}
	}
	if reversed {
		slices.Reverse(parts)
	}
	return strings.Join(parts, ".")
}
