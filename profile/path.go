package profile

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ParseSender reads the reverse-path of MAIL as the MTA sent it, brackets
// included (RFC 5321 section 4.1.2). Domain is set only when it can be asked of
// DNS: "" for a path without @, an address literal, or what is no name. Nothing
// at all, "", is taken for the null sender. The answers of DNS are left zero.
func ParseSender(raw string) Sender {
	s := Sender{Given: Shown, Raw: raw}
	inner, _ := cutBrackets(raw)
	if inner == "" {
		s.Null = true
		return s
	}
	_, mailbox := cutRoute(inner)
	local, domain, ok := cutLast(mailbox, '@')
	s.Local = local
	if ok {
		s.Domain = asciiDomain(domain)
	}
	return s
}

// cutBrackets takes white space and one pair of angle brackets off a path, and
// says whether there was a pair with nothing around it but white space.
func cutBrackets(raw string) (inner string, whole bool) {
	raw = strings.Trim(raw, " \t\r\n")
	inner = strings.TrimPrefix(raw, "<")
	whole = len(inner) < len(raw)
	raw = inner
	inner = strings.TrimSuffix(raw, ">")
	return inner, whole && len(inner) < len(raw)
}

// cutRoute cuts a source route off a path: "@a,@b:" (RFC 5321 section 4.1.2;
// to be accepted and ignored, appendix C).
func cutRoute(path string) (route, mailbox string) {
	if !strings.HasPrefix(path, "@") {
		return "", path
	}
	depth := 0
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ':':
			if depth <= 0 {
				return path[:i], path[i+1:]
			}
		}
	}
	return "", path
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// asciiDomain gives a domain the form in which DNS is asked: lower case, in
// A-labels (RFC 5890 section 2.3.2.1), no last dot; "" for what is no host name.
func asciiDomain(domain string) string {
	domain = strings.TrimSuffix(domain, ".")
	if !isASCII(domain) {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil || !utf8.ValidString(domain) {
			return ""
		}
		domain = ascii
	}
	if len(domain) > maxNameLen || hostLabels(domain) == 0 {
		return ""
	}
	return strings.ToLower(domain)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// validPath reports whether a non-null reverse-path is one by RFC 5321 section
// 4.1.2, with the addition of RFC 6531 section 3.3: letters beyond ASCII, in
// UTF-8. Lengths of the local part are not looked at: tagged senders exceed
// what section 4.5.3.1.1 asks for, and arrive everywhere.
func validPath(raw string) bool {
	inner, whole := cutBrackets(raw)
	if !whole || !utf8.ValidString(inner) {
		return false
	}
	route, mailbox := cutRoute(inner)
	if route != "" && !validRoute(route) {
		return false
	}
	local, domain, ok := cutLast(mailbox, '@')
	return ok && validLocal(local) && validDomain(domain)
}

func validRoute(route string) bool {
	for hop := range strings.SplitSeq(route, ",") {
		if !strings.HasPrefix(hop, "@") || !validDomain(hop[1:]) {
			return false
		}
	}
	return true
}

// validDomain knows no underscore and no last dot, unlike asciiDomain.
func validDomain(domain string) bool {
	if _, ok := literalOf(domain); ok {
		return true
	}
	if strings.HasSuffix(domain, ".") || asciiDomain(domain) == "" {
		return false
	}
	for rest, more := domain, true; more; {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		if label[0] == '-' || label[len(label)-1] == '-' || strings.Contains(label, "_") {
			return false
		}
	}
	return true
}

func validLocal(local string) bool {
	if len(local) >= 2 && local[0] == '"' && local[len(local)-1] == '"' {
		return validQuoted(local[1 : len(local)-1])
	}
	for rest, more := local, true; more; {
		var atom string
		atom, rest, more = strings.Cut(rest, ".")
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !isAtext(r) }) {
			return false
		}
	}
	return true
}

func isAtext(r rune) bool {
	return r >= utf8.RuneSelf || isAlnum(byte(r)) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// validQuoted looks at what stands between the quotes: printable, quotes and
// backslashes escaped (qtextSMTP and quoted-pairSMTP).
func validQuoted(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i == len(s) || s[i] < ' ' || s[i] > '~' {
				return false
			}
		case c == '"' || c < ' ' || c == 0x7f:
			return false
		}
	}
	return true
}

// AlwaysOpen reports whether a recipient, as the MTA sent it, is a way to help
// that no server check may close (law 3): postmaster without a domain, and
// postmaster or abuse at a domain or name of ours or at a literal of our
// address, in any case (RFC 5321 section 4.5.1, RFC 2142). A source route and
// quotes make no difference. us may be nil.
func AlwaysOpen(rcptRaw string, us *Us) bool {
	inner, _ := cutBrackets(rcptRaw)
	_, mailbox := cutRoute(inner)
	local, domain, hasDomain := cutLast(trimSpace(mailbox), '@')
	local, domain = trimSpace(local), trimSpace(domain)
	if !strings.ContainsAny(local, `"\`) && len(local) != len("postmaster") && len(local) != len("abuse") {
		return false // nearly all of them
	}
	local = unquote(local)
	postmaster := strings.EqualFold(local, "postmaster")
	if !hasDomain {
		return postmaster
	}
	return (postmaster || strings.EqualFold(local, "abuse")) && us.holds(domain)
}

// holds reports whether a recipient's domain is ours.
func (us *Us) holds(domain string) bool {
	if us == nil {
		return false
	}
	if addr, ok := literalOf(domain); ok {
		return hasAddr(us.Addrs, addr)
	}
	domain = asciiDomain(domain)
	return domain != "" && (slices.Contains(us.Domains, domain) || slices.Contains(us.Names, domain))
}

// unquote takes the quotes and backslashes off a local part: "postmaster" and
// postmaster are one mailbox (RFC 5321 section 4.1.2).
func unquote(local string) string {
	if len(local) >= 2 && local[0] == '"' && local[len(local)-1] == '"' {
		local = local[1 : len(local)-1]
	}
	if strings.IndexByte(local, '\\') < 0 {
		return local
	}
	var b strings.Builder
	for i := 0; i < len(local); i++ {
		if local[i] == '\\' && i+1 < len(local) {
			i++
		}
		b.WriteByte(local[i])
	}
	return b.String()
}

// Mailbox gives a path one form for comparing: without brackets and source
// route, quotes taken off where they mean nothing, without space around its parts,
// which MTAs overlook, in lower case, the domain in A-labels. A domain that is no
// name stands as it was sent.
func Mailbox(raw string) string {
	inner, _ := cutBrackets(trimSpace(raw))
	_, mailbox := cutRoute(trimSpace(inner))
	local, domain, ok := cutLast(mailbox, '@')
	local = lower(unquote(trimSpace(local)))
	if !ok {
		return local
	}
	domain = trimSpace(domain)
	if ascii := asciiDomain(domain); ascii != "" {
		return local + "@" + ascii
	}
	return local + "@" + lower(domain)
}

func trimSpace(s string) string { return strings.Trim(s, " \t") }

// SplitMailbox gives a path's local part, without quotes and as it was sent
// otherwise, and its domain in lower-case A-labels, "" where it has none that is a
// name. A source route makes no difference, nor does space around the parts.
func SplitMailbox(raw string) (local, domain string) {
	inner, _ := cutBrackets(raw)
	_, mailbox := cutRoute(trimSpace(inner))
	local, domain, ok := cutLast(mailbox, '@')
	if ok {
		domain = asciiDomain(trimSpace(domain))
	}
	return unquote(trimSpace(local)), domain
}
