package directory

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What sources that ask somebody else have in common.

// Limits of what such sources ask and keep.
const (
	maxLocal    = 256  // octets; RFC 5321 section 4.5.3.1.1 has 64, and some are longer
	maxDomain   = 255  // octets, RFC 5321 section 4.5.3.1.2
	maxFacts    = 32   // settings of a recipient
	maxFact     = 1024 // octets of one
	maxComplain = 300  // octets of an error's text
)

// Askable reports whether an address can be put to a backend at all: text without
// control characters, of a length that a mailbox can have. About others a backend
// knows nothing, and its complaint about them would look like a failure.
func (a Address) Askable() bool {
	return len(a.Local) <= maxLocal && len(a.Domain) <= maxDomain &&
		utf8.ValidString(a.Local) && !strings.ContainsFunc(a.Local, unicode.IsControl)
}

// Folded is the address in lower case, as Postfix asks most of its tables.
func (a Address) Folded() Address { return Address{strings.ToLower(a.Local), a.Domain} }

// Note puts a named fact of a backend where it belongs: "created" and "plan", in
// any case, into their fields, all else into Settings. Empty ones, and more than
// anybody needs, are left out; a time that cannot be read leaves Created unknown.
func (e *Entry) Note(name, value string) {
	switch name = strings.ToLower(name); {
	case name == "" || value == "" || len(value) > maxFact || !utf8.ValidString(value):
	case name == "created":
		if t, ok := ParseCreated(value); ok {
			e.Created = t
		}
	case name == "plan":
		e.Plan = value
	case len(e.Settings) < maxFacts:
		if e.Settings == nil {
			e.Settings = map[string]string{}
		}
		e.Settings[name] = value
	}
}

// createdForms are what databases and directories write times in: SQL with and
// without zone, RFC 3339, and generalized time of RFC 4517 section 3.3.13. What
// names no zone is UTC.
var createdForms = []string{
	time.DateOnly, time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07", "2006-01-02 15:04:05.999999999 -0700 MST",
	"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04",
	"20060102150405.999999999Z0700", "200601021504Z0700", "2006010215Z0700",
}

// firstYear and lastYear bound the years of a creation: others are slips, such as a
// zero of MySQL's, or milliseconds.
const (
	firstYear = 1971
	lastYear  = 2199
)

// ParseCreated reads the time since when somebody exists: a date, a date with a
// time, a generalized time of LDAP, or seconds of Unix.
func ParseCreated(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && len(text) < 14 {
		return sensible(time.Unix(int64(seconds), 0))
	}
	for _, form := range createdForms {
		if t, err := time.Parse(form, text); err == nil {
			return sensible(t)
		}
	}
	return time.Time{}, false
}

func sensible(t time.Time) (time.Time, bool) {
	if y := t.Year(); y < firstYear || y > lastYear {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// A complaint is an error with a text that may be logged.
type complaint struct {
	text  string
	cause error
}

func (c *complaint) Error() string { return c.text }

// Is keeps errors.Is working, while the cause itself, and what stands in it, stays
// out of reach.
func (c *complaint) Is(target error) bool { return errors.Is(c.cause, target) }

// Complain words the error of a backend, named by its server, for the log: on one line, not too long, and
// without the secrets and the address asked for, both of which servers like to
// repeat.
func Complain(backend string, err error, a Address, secrets ...string) error {
	text := err.Error()
	var late net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late) && late.Timeout() {
		text = "no answer in time: " + text
	}
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "(secret)")
		}
	}
	text = hide(text, a)
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if len(text) > maxComplain {
		text = strings.ToValidUTF8(text[:maxComplain], "") + "..."
	}
	return &complaint{text: backend + ": " + text, cause: err}
}

// hide takes an address out of a text, in all the ways in which it may stand there.
// A local part alone is looked for only where it is no common word's part.
func hide(text string, a Address) string {
	if a.Local == "" {
		return text
	}
	folded := a.Folded()
	names := []string{a.String(), folded.String()}
	if len(a.Local) > 3 {
		names = append(names, a.Local, folded.Local)
	}
	for _, name := range names {
		text = strings.ReplaceAll(text, name, "(address)")
	}
	return text
}
