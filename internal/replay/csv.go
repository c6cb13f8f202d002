package replay

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"mailprofiled/profile"
)

// columns are those that mean something, and how a field of each is read. A field
// is never empty there. It returns what is wrong with one that cannot be read, and
// is taken as not known.
var columns = map[string]func(v *Visit, field string) string{
	"client_ip": func(v *Visit, s string) string {
		addr, err := netip.ParseAddr(cutAddr(s))
		v.Client = addr.Unmap().WithZone("")
		return wrongIf(err != nil, "client_ip is no IP address")
	},
	"ptr": func(v *Visit, s string) string {
		v.PTR = hostName(s)
		return ""
	},
	"ptr_state": func(v *Visit, s string) string {
		state, ok := ptrStates[strings.ToLower(s)]
		v.PTRState = state
		return wrongIf(!ok, "ptr_state is none of named, none, none_or_unconfirmed, unrecorded")
	},
	"fcrdns": func(v *Visit, s string) (wrong string) {
		v.Confirmed, wrong = triOf(s, "yes", "no", "fcrdns is none of yes, no, unknown")
		return wrong
	},
	"helo": func(v *Visit, s string) string { v.Helo = s; return "" },
	"helo_fwd": func(v *Visit, s string) (wrong string) {
		v.HeloFwd, wrong = triOf(s, "match", "mismatch", "helo_fwd is neither match nor mismatch")
		return wrong
	},
	"mail_from_domain": func(v *Visit, s string) string { v.From = s; return "" },
	"spf": func(v *Visit, s string) string {
		outcome, ok := spfWords[strings.ToLower(s)]
		v.SPF = outcome
		return wrongIf(!ok, "spf is no result of RFC 7208")
	},
	"date": func(v *Visit, s string) string {
		v.Time, v.Precision = parseTime(s)
		return wrongIf(v.Precision == NoTime, "date is none that can be read")
	},
	"label":   func(v *Visit, s string) string { v.Label = s; return "" },
	"account": func(v *Visit, s string) string { v.Account = s; return "" },
	"rcpt": func(v *Visit, s string) string {
		v.Rcpts = strings.Fields(s)
		return ""
	},
}

var spfWords = map[string]profile.SPFOutcome{
	"none": profile.SPFNone, "neutral": profile.SPFNeutral, "pass": profile.SPFPass, "fail": profile.SPFFail,
	"softfail": profile.SPFSoftFail, "temperror": profile.SPFTempError, "permerror": profile.SPFPermError,
}

func wrongIf(wrong bool, what string) string {
	if wrong {
		return what
	}
	return ""
}

func triOf(s, yes, no, else_ string) (Tri, string) {
	switch strings.ToLower(s) {
	case yes:
		return Yes, ""
	case no:
		return No, ""
	case "unknown":
		return Unknown, ""
	}
	return Unknown, else_
}

// hostName is a name as DNS has it; "" for an address, which is none.
func hostName(s string) string {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if _, err := netip.ParseAddr(cutAddr(s)); err == nil {
		return ""
	}
	return s
}

// cutAddr takes off what surrounds an address in mail logs.
func cutAddr(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if len(s) > 5 && strings.EqualFold(s[:5], "ipv6:") {
		s = s[5:]
	}
	return s
}

// timeForms are the dates of CSV; those without a zone are UTC.
var timeForms = []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04"}

func parseTime(s string) (time.Time, Precision) {
	if len(s) == len(time.DateOnly) {
		if t, ok := parseDay(s); ok {
			return t, Day
		}
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), Moment
		}
	}
	return time.Time{}, NoTime
}

// parseDay reads 2006-01-02.
func parseDay(s string) (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return t, err == nil
}

// A csvReader makes visits of the lines of one CSV file (RFC 4180).
type csvReader struct {
	lines  *lines
	header string                        // as it stands in the file
	reads  []func(*Visit, string) string // by place; nil where a column means nothing to us
	fields []string
}

// byteOrderMark begins files of some programs.
const byteOrderMark = "\ufeff"

// columnName is a name of the header in the form of columns.
func columnName(name string) string {
	return strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, byteOrderMark)))
}

// newCSV reads the header.
func newCSV(in *lines) (*csvReader, error) {
	c := &csvReader{lines: in}
	first, ok := in.next()
	if !ok {
		return nil, errNothing
	}
	c.header = strings.TrimPrefix(string(first), byteOrderMark)
	names, ok := splitCSV(c.header, nil)
	client := -1
	for i, name := range names {
		if name = columnName(name); name == "client_ip" {
			client = i
		}
		c.reads = append(c.reads, columns[name])
	}
	if !ok || client < 0 {
		return nil, fmt.Errorf("line 1 names no column client_ip; it must have the names of the columns, as in client_ip,ptr,ptr_state,helo")
	}
	return c, nil
}

// next gives the next visit. What is wrong with a row is said: the visit is nil
// where it is none, and else it lacks a fact that could not be read. At the end ok
// is false.
func (c *csvReader) next() (v *Visit, wrong string, ok bool) {
	for {
		line, ok := c.lines.next()
		if !ok {
			return nil, "", false
		}
		if len(line) == 0 {
			continue
		}
		if c.lines.cut {
			return nil, fmt.Sprintf("longer than %d octets", maxLine), true
		}
		v, wrong := c.visit(line)
		return v, wrong, true
	}
}

func (c *csvReader) visit(line []byte) (v *Visit, wrong string) {
	var closed bool
	if c.fields, closed = splitCSV(string(line), c.fields[:0]); !closed {
		if !c.more(&line) {
			return nil, "a quote is never closed"
		}
	}
	if len(c.fields) != len(c.reads) {
		return nil, fmt.Sprintf("%d fields, and the header has %d", len(c.fields), len(c.reads))
	}
	v = &Visit{Row: append([]byte(nil), line...)}
	for i, field := range c.fields {
		read := c.reads[i]
		if field = strings.TrimSpace(field); field == "" || read == nil {
			continue
		}
		if len(field) > maxField {
			return nil, fmt.Sprintf("a field of %d octets", len(field))
		}
		if said := read(v, field); said != "" {
			wrong = said
		}
	}
	if !v.Client.IsValid() {
		if wrong == "" {
			wrong = "no client_ip"
		}
		return nil, wrong
	}
	v.settle()
	return v, wrong
}

// settle takes a name for what it is where only that was recorded, and nothing for
// what contradicts itself.
func (v *Visit) settle() {
	switch {
	case v.PTR != "" && v.PTRState == PTRUnrecorded:
		v.PTRState = PTRNamed
	case v.PTR != "" && v.PTRState != PTRNamed:
		v.PTR, v.PTRState = "", PTRUnrecorded
	}
}

// maxRowLines is how many lines one row may take: line breaks stand in quotes.
const maxRowLines = 20

// more puts the lines that follow to a row with an open quote. If it is not closed
// in time, they are read anew, each as a row of its own.
func (c *csvReader) more(line *[]byte) bool {
	whole := append([]byte(nil), *line...)
	var taken [][]byte
	for range maxRowLines {
		next, ok := c.lines.next()
		if !ok {
			break
		}
		next = append([]byte(nil), next...)
		taken = append(taken, next)
		if len(whole)+len(next) > maxLine || c.lines.cut {
			break
		}
		whole = append(append(whole, '\n'), next...)
		var closed bool
		if c.fields, closed = splitCSV(string(whole), c.fields[:0]); closed {
			*line = whole
			return true
		}
	}
	c.lines.again(taken)
	return false
}

// splitCSV splits one record into its fields, appended to dst. It reports false
// where a quote is open at the end. A quote within an unquoted field stands for
// itself.
func splitCSV(s string, dst []string) (fields []string, closed bool) {
	for {
		if len(s) > 0 && s[0] == '"' {
			field, rest, ok := cutQuoted(s[1:])
			if !ok {
				return dst, false
			}
			dst, s = append(dst, field), rest
			if s == "" {
				return dst, true
			}
			s = s[1:] // the comma
			continue
		}
		field, rest, more := strings.Cut(s, ",")
		dst = append(dst, field)
		if !more {
			return dst, true
		}
		s = rest
	}
}

// cutQuoted takes a quoted field, whose first quote is off already, from s. rest
// is empty or begins with a comma.
func cutQuoted(s string) (field, rest string, closed bool) {
	at, doubled := 0, false
	for {
		i := strings.IndexByte(s[at:], '"')
		if i < 0 {
			return "", "", false
		}
		at += i
		if strings.HasPrefix(s[at+1:], `"`) {
			at, doubled = at+2, true
			continue
		}
		break
	}
	field, rest = s[:at], s[at+1:]
	if doubled {
		field = strings.ReplaceAll(field, `""`, `"`)
	}
	if rest != "" && rest[0] != ',' { // text behind the quote is taken to the field
		more, _, _ := strings.Cut(rest, ",")
		field, rest = field+more, rest[len(more):]
	}
	return field, rest, true
}
