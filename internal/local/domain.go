package local

import (
	"bytes"

	"golang.org/x/net/idna"
)

// domain gives the lower-case A-label form of a domain name, without a last
// dot. Labels may hold letters, digits, hyphens and underscores: names that are
// in use, not those that RFC 952 would have. text is changed in place where
// that is enough.
func domain(text []byte) ([]byte, bool) {
	text = bytes.TrimSuffix(text, []byte("."))
	if bytes.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
		a, err := idna.Lookup.ToASCII(string(text))
		if err != nil {
			return nil, false
		}
		text = []byte(a)
	}
	if len(text) == 0 || len(text) > 253 {
		return nil, false
	}
	if bytes.Count(text, []byte(".")) >= maxLabels {
		return nil, false
	}
	label, digits := 0, true // of the label at hand
	for i, c := range text {
		c = lower(c)
		text[i] = c
		switch {
		case c == '.':
			if label == 0 {
				return nil, false
			}
			label, digits = 0, true
			continue
		case 'a' <= c && c <= 'z', c == '-', c == '_':
			digits = false
		case '0' <= c && c <= '9':
		default:
			return nil, false
		}
		if label++; label > 63 {
			return nil, false
		}
	}
	return text, label > 0 && !digits // a last label of digits only is an address
}
