package doctor

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Severity says how much a finding matters. The zero value is OK.
type Severity uint8

// The severities.
const (
	OK      Severity = iota // looked at, and fine
	Note                    // to be known, or could not be seen
	Warning                 // it works, and not as well as it should or as somebody may think
	Error                   // mail is not judged, held up, or refused for nothing; or will be when something falls over
)

// String gives its word: "ok", "note", "warning", "error".
func (s Severity) String() string { return [...]string{"ok", "note", "warning", "error"}[s] }

// MarshalText writes the word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Finding is one thing that was looked at.
type Finding struct {
	ID       string   `json:"id"` // stable: "postfix-socket"
	Severity Severity `json:"severity"`
	About    string   `json:"about"`  // which of several: a service, a DNS server, a list; "" where there is one
	What     string   `json:"what"`   // one sentence for the operator
	Remedy   []string `json:"remedy"` // lines to type, or to write into a file where they say which; empty where nothing is wrong
}

// A Report is all of them, what matters most first.
type Report struct {
	Version  string    `json:"version"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Findings []Finding `json:"findings"`
}

// report puts the findings in order.
func report(version string, all []Finding) *Report {
	r := &Report{Version: version, Findings: slices.Clone(all)}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Remedy == nil {
			f.Remedy = []string{}
		}
		switch f.Severity {
		case Error:
			r.Errors++
		case Warning:
			r.Warnings++
		}
	}
	return r
}

// Print writes it for people.
func (r *Report) Print(w io.Writer) {
	for i := range r.Findings {
		f := &r.Findings[i]
		id := f.ID
		if f.About != "" {
			id += " (" + f.About + ")"
		}
		fmt.Fprintf(w, "%-8s %s: %s\n", f.Severity, id, f.What)
		for _, line := range f.Remedy {
			fmt.Fprintf(w, "             %s\n", line)
		}
	}
	fmt.Fprintf(w, "\n%s, %s, %d looked at\n", count(r.Errors, "error"), count(r.Warnings, "warning"), len(r.Findings))
}

// count writes a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// quote makes a word of a shell command line.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
