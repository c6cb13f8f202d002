package config

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Problem is one mistake in a configuration, with the way out of it.
type Problem struct {
	File    string // as the operator named it
	Line    int    // from 1; also 1 when the file could not be read at all
	Key     string // dotted, such as "dns.budget"; "" when no single key is at fault
	What    string // what is wrong, one line; never holds a secret
	Remedy  string // what to do about it
	Warning bool   // the configuration works, but perhaps not as meant

	order int // of its file: the main one first, then conf.d by name
}

// String gives the problem as "file:line: what; remedy", with "warning: "
// before the text of a warning.
func (p Problem) String() string {
	kind := ""
	if p.Warning {
		kind = "warning: "
	}
	return fmt.Sprintf("%s:%d: %s%s; %s", oneLine(p.File), p.Line, kind, p.What, p.Remedy)
}

// A Report is all that is to say about a configuration. The zero Report says
// that it is fine.
type Report struct {
	Errors   []Problem // each of them stops the start
	Warnings []Problem

	// Local are the rules of [[local]] that are sound as far as this room looks at
	// them, whatever is wrong elsewhere: their values and files can be looked at too.
	Local    []LocalRule
	Geo      []GeoFile    // the same of the databases
	Accounts AccountsFile // and of the file of accounts

	Directory Directory // and of the files of recipients
}

// Problems gives errors and warnings together, by file and line.
func (r *Report) Problems() []Problem {
	all := append(append([]Problem(nil), r.Errors...), r.Warnings...)
	sortProblems(all)
	return all
}

// String gives every problem, one a line, without a newline at the end; "" when
// there is none.
func (r *Report) String() string { return lines(r.Problems()) }

func lines(problems []Problem) string {
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.String()
	}
	return strings.Join(texts, "\n")
}

// Err gives the errors as one error, a line each, or nil when there is none.
func (r *Report) Err() error {
	if len(r.Errors) == 0 {
		return nil
	}
	return &Error{Problems: r.Errors}
}

// An Error is a configuration that cannot be used.
type Error struct{ Problems []Problem }

// Error gives every problem, one a line.
func (e *Error) Error() string { return lines(e.Problems) }

func (r *Report) add(p Problem) {
	if p.Line < 1 {
		p.Line = 1
	}
	if p.Warning {
		r.Warnings = append(r.Warnings, p)
	} else {
		r.Errors = append(r.Errors, p)
	}
}

func (r *Report) sort() {
	sortProblems(r.Errors)
	sortProblems(r.Warnings)
}

func sortProblems(ps []Problem) {
	sort.SliceStable(ps, func(i, j int) bool {
		if ps[i].order != ps[j].order {
			return ps[i].order < ps[j].order
		}
		return ps[i].Line < ps[j].Line
	})
}

// quote shows a value of the file inside a message: escaped, and cut where
// nobody would read on.
func quote(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		return strconv.Quote(string([]rune(s)[:most])) + "..."
	}
	return strconv.Quote(s)
}

// oneLine keeps a message on its line, whatever a file name or a system error holds.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
