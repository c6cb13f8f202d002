package directory

import (
	"bytes"
	"strings"
	"time"
)

// A Format is one way to write a table.
type Format string

// The formats.
const (
	Recipients Format = "recipients" // an address a line: Postfix's relay_recipient_maps and virtual_mailbox_maps, and plain lists
	Virtual    Format = "virtual"    // virtual(5) of Postfix, virtusertable of Sendmail
	Aliases    Format = "aliases"    // aliases(5) of both
	Access     Format = "access"     // access(5) of Postfix, the access table of Sendmail
	Passwd     Format = "passwd"     // passwd(5)
)

// Formats are all of them.
func Formats() []Format { return []Format{Recipients, Virtual, Aliases, Access, Passwd} }

func formatsText() string {
	names := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		names = append(names, string(f)+":")
	}
	return strings.Join(names, ", ")
}

// take enters one logical line.
func (f Format) take(rd *reading, text []byte) *mistake {
	switch f {
	case Virtual:
		return rd.virtual(text)
	case Aliases:
		return rd.aliases(text)
	case Access:
		return rd.access(text)
	case Passwd:
		return rd.passwd(text)
	}
	return rd.recipients(text)
}

// recipients takes "user@domain", "@domain" or "user", and behind it what it likes,
// among it created=2026-01-31 and plan=pro.
func (rd *reading) recipients(text []byte) *mistake {
	key, value := cutKey(text)
	local, domain, ok := cutAddress(key)
	if !ok {
		if bytes.ContainsAny(local, ".:/") {
			return &mistake{what: quote(key) + " has no @: is it a user or a domain?", remedy: "write user@example.net, or @example.net where everybody exists"}
		}
		return rd.facts(rd.user(local, "", grants, false), value)
	}
	ascii := rd.asciiDomain(domain)
	switch {
	case ascii == "":
		return badDomain(domain)
	case len(local) == 0:
		rd.full++
		rd.speak(ascii, grants)
		return nil
	}
	return rd.facts(rd.user(local, ascii, grants, true), value)
}

// facts reads what stands behind an address.
func (rd *reading) facts(at int, value []byte) *mistake {
	if !bytes.Contains(value, []byte("created=")) && !bytes.Contains(value, []byte("plan=")) {
		return nil // as nearly always
	}
	var created time.Time
	var plan string
	for word := range bytes.FieldsSeq(value) {
		if word[0] == '#' {
			break
		}
		if text, ok := bytes.CutPrefix(word, []byte("created=")); ok {
			var err error
			if created, err = dateOf(string(text)); err != nil {
				return &mistake{what: quote(text) + " is not a date", remedy: "write it as created=2026-01-31", beside: true}
			}
		}
		if text, ok := bytes.CutPrefix(word, []byte("plan=")); ok {
			plan = string(text)
		}
	}
	if len(plan) > 64 || !rd.table.describe(at, created, plan) {
		return &mistake{what: quote(plan) + " is too long, or one plan too many", remedy: "name plans, not customers", beside: true}
	}
	return nil
}

func dateOf(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	return t.UTC(), err
}

// virtual takes "user@domain target", "@domain target", "user target" and, for a
// domain that the table is all of, "domain anything". Only that, and "@domain", has it
// speak for a domain: of others it holds aliases, and their users stand elsewhere
// (virtual(5)). A target "error:nouser" says that
// there is nobody (Sendmail); "@other" stands in for another domain.
func (rd *reading) virtual(text []byte) *mistake {
	key, value := cutKey(text)
	local, domain, ok := cutAddress(key)
	if !ok {
		if bytes.IndexByte(local, '.') >= 0 {
			if ascii := rd.asciiDomain(local); ascii != "" {
				rd.speak(ascii, named)
			}
		}
		rd.user(local, "", grants, false) // of the machine's own domains, which others know
		return nil
	}
	ascii := rd.asciiDomain(domain)
	if ascii == "" {
		return badDomain(domain)
	}
	w := targetWord(value)
	if len(local) > 0 {
		rd.user(local, ascii, w, false)
		return nil
	}
	if w == denies {
		w = named
	}
	rd.speak(ascii, w)
	if to, ok := otherDomain(value); ok && w == grants {
		if target := asciiDomain(to); target != "" {
			rd.stands(ascii, target)
		}
	}
	return nil
}

// otherDomain gives the domain of a target of the form "@other" or "%1@other".
func otherDomain(value []byte) (string, bool) {
	text := bytes.TrimPrefix(value, []byte("%1"))
	if len(text) < 2 || text[0] != '@' || bytes.ContainsAny(text[1:], " \t,") {
		return "", false
	}
	return string(text[1:]), true
}

// stands has a domain stand for another.
func (rd *reading) stands(domain, target string) {
	if rd.table.aliases == nil {
		rd.table.aliases = make(map[uint64]string)
	}
	rd.table.aliases[rd.table.hash("", domain)] = target
}

// targetWord says what a target of virtusertable says of its address.
func targetWord(value []byte) word {
	text, ok := bytes.CutPrefix(value, []byte("error:"))
	if !ok {
		return grants
	}
	if bytes.HasPrefix(text, []byte("nouser")) || isUnknownUser(text) {
		return denies
	}
	return open // it says something else, and the MTA says it
}

// isUnknownUser finds one of the codes for a user who is not there in a reply.
func isUnknownUser(text []byte) bool {
	text = bytes.TrimLeft(text, `" `)
	for _, code := range []string{"5.1.1", "D.S.N:5.1.1", "550 5.1.1", "550:5.1.1", "5.1.10"} {
		if rest, ok := bytes.CutPrefix(text, []byte(code)); ok && (len(rest) == 0 || rest[0] < '0' || rest[0] > '9') {
			return true
		}
	}
	return false
}

// aliases takes "name: targets".
func (rd *reading) aliases(text []byte) *mistake {
	key := text
	at := aliasEnd(text)
	if at < 0 {
		var value []byte
		if key, value = cutKey(text); len(value) == 0 { // a dump has them without the colon
			return &mistake{what: quote(text) + " is no alias", remedy: "write name: target"}
		}
	} else {
		key = bytes.TrimRight(text[:at], " \t")
	}
	local, domain, ok := cutAddress(key)
	if len(local) == 0 || bytes.ContainsAny(local, "\t") {
		return &mistake{what: quote(key) + " is no name of an alias", remedy: "write name: target"}
	}
	if !ok {
		rd.user(local, "", grants, false)
		return nil
	}
	ascii := rd.asciiDomain(domain)
	if ascii == "" {
		return badDomain(domain)
	}
	rd.user(local, ascii, grants, false)
	return nil
}

// aliasEnd is where the colon behind an alias stands, -1 where there is none.
func aliasEnd(text []byte) int {
	quoted := false
	for i, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ':' && !quoted:
			return i
		}
	}
	return -1
}

// passwd takes "name:password:uid:gid:gecos:home:shell".
func (rd *reading) passwd(text []byte) *mistake {
	fields := bytes.Split(text, []byte(":"))
	if len(fields) != 7 || len(fields[0]) == 0 {
		if text[0] != '+' && text[0] != '-' {
			return &mistake{what: quote(fields[0]) + " is no line of a password file", remedy: "see that it is one"}
		}
	}
	if text[0] == '+' || text[0] == '-' { // passwd(5) of the GNU C library, in compatibility mode
		if text[0] == '+' && rd.nis == 0 {
			rd.nis = rd.line
		}
		return nil
	}
	rd.user(fields[0], "", grants, false)
	return nil
}
