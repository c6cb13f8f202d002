package spf

import (
	"strings"
)

const (
	maxName  = 253 // octets of a name without its last dot
	maxLabel = 63
	maxText  = 200 // octets of a stranger's text in a message of ours
)

// asked brings the target of a term, macros expanded, into the form in which a
// Resolver is asked. It is false for what cannot be a name in the DNS, and for
// what no domain can mean: control characters, and octets outside ASCII, which
// only a local part can bring in (RFC 8616 section 4: such a term matches nothing).
func asked(target string) (string, bool) {
	target = strings.TrimSuffix(target, ".")
	for len(target) > maxName { // RFC 7208 section 7.3: the left labels go
		_, rest, more := strings.Cut(target, ".")
		if !more {
			return "", false
		}
		target = rest
	}
	if !labelsFit(target) || !ascii(target) {
		return "", false
	}
	for i := range len(target) {
		if control(target[i]) {
			return "", false
		}
	}
	return strings.ReplaceAll(strings.ToLower(target), `\`, `\\`), true
}

// labelsFit reports whether name has labels of legal length only.
func labelsFit(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	label := 0
	for i := range len(name) {
		if name[i] != '.' {
			label++
			continue
		}
		if label == 0 || label > maxLabel {
			return false
		}
		label = 0
	}
	return label > 0 && label <= maxLabel
}

// hostName reports whether name is made of letters, digits, hyphens and underscores.
func hostName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return labelsFit(name)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func control(c byte) bool { return c < ' ' || c == 0x7f }

func digit(c byte) bool { return '0' <= c && c <= '9' }

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func alphanumeric(c byte) bool { return digit(c) || letter(c) }

func numeric(s string) bool {
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}

// clip makes a stranger's text fit for a message: printable ASCII, and short.
func clip(s string) string {
	cut := s
	if len(s) > maxText {
		cut = s[:maxText]
	}
	for i := range len(cut) {
		if control(cut[i]) || cut[i] >= 0x80 {
			cut = strings.Map(printable, cut)
			break
		}
	}
	if len(s) > maxText {
		cut += "..."
	}
	return cut
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}
