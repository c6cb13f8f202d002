package maillog

import (
	"strings"
	"time"
)

// An Entry is one log line taken apart.
type Entry struct {
	Time    time.Time // the zero Time if the line has none
	Host    string
	Program string // "postfix/smtpd", "sm-mta"
	PID     string
	Text    string
}

// A Framer takes lines apart. Lines without a year are given one: by the dates
// before them, and none is later than Newest.
type Framer struct {
	Zone   *time.Location // of dates without one; nil is UTC
	Newest time.Time      // when the log was written last; the zero Time: no bound

	last time.Time // of the line before, for its year
}

// Line takes a line apart. It reports false for what is no line of a log.
func (f *Framer) Line(line string) (Entry, bool) {
	if strings.HasPrefix(line, "{") {
		return f.json(line)
	}
	line, version := cutPriority(line)
	if version {
		return f.rfc5424(line)
	}
	var e Entry
	rest, ok := f.date(line, &e.Time)
	if !ok {
		return e, false
	}
	if strings.HasPrefix(rest, "<") { // <mail.notice>, by some syslogds
		_, rest, _ = strings.Cut(rest, "> ")
	}
	e.Host, rest, ok = strings.Cut(rest, " ")
	if !ok {
		return e, false
	}
	tag, text, ok := strings.Cut(rest, ": ")
	if !ok {
		if tag, ok = strings.CutSuffix(rest, ":"); !ok {
			return e, false
		}
	}
	if !e.tag(strings.TrimLeft(tag, " ")) {
		return e, false
	}
	e.Text = text
	return e, true
}

// tag reads program[pid].
func (e *Entry) tag(tag string) bool {
	e.Program = tag
	if i := strings.IndexByte(tag, '['); i > 0 && strings.HasSuffix(tag, "]") {
		e.Program, e.PID = tag[:i], tag[i+1:len(tag)-1]
	}
	return e.Program != "" && !strings.ContainsAny(e.Program, " \t<>@=")
}

// cutPriority takes <22> off, and says whether the version of RFC 5424 stood
// behind it.
func cutPriority(line string) (rest string, version bool) {
	if !strings.HasPrefix(line, "<") {
		return line, false
	}
	digits, rest, ok := strings.Cut(line[1:], ">")
	if !ok || len(digits) > 3 || strings.Trim(digits, "0123456789") != "" {
		return line, false
	}
	if after, ok := strings.CutPrefix(rest, "1 "); ok {
		return after, true
	}
	return rest, false
}

// rfc5424 reads what follows the version: time, host, program, pid, message id,
// structured data, text (RFC 5424 section 6).
func (f *Framer) rfc5424(line string) (Entry, bool) {
	var e Entry
	parts := strings.SplitN(line, " ", 6)
	if len(parts) < 6 {
		return e, false
	}
	var ok bool
	if e.Time, ok = isoTime(parts[0], f.Zone); !ok && parts[0] != "-" {
		return e, false
	}
	e.Host, e.Program, e.PID = parts[1], parts[2], parts[3]
	e.Text = cutStructured(parts[5])
	return e, e.Program != "-"
}

// cutStructured takes structured data off: "-", or elements in brackets.
func cutStructured(s string) string {
	for strings.HasPrefix(s, "[") {
		quoted := false
		end := -1
		for i := 1; i < len(s) && end < 0; i++ {
			switch {
			case s[i] == '\\':
				i++
			case s[i] == '"':
				quoted = !quoted
			case s[i] == ']' && !quoted:
				end = i
			}
		}
		if end < 0 {
			return ""
		}
		s = s[end+1:]
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), " ")
	return strings.TrimPrefix(s, "\ufeff")
}
