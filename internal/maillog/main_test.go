package maillog

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var newest = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)

// show writes a visit in one line: what is not known is left out.
func show(v *Visit) string {
	name := [...]string{NotLookedUp: "not looked up", Confirmed: "confirmed", Unconfirmed: "unconfirmed", Unproven: "unproven", Missing: "missing", Indeterminate: "indeterminate"}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", v.MTA, v.Client)
	for _, part := range []struct{ key, value string }{
		{"ptr", v.PTR}, {"name", name[v.Name]}, {"helo", v.Helo}, {"from", v.From}, {"to", strings.Join(v.Rcpts, " ")},
		{"spf", v.SPF}, {"account", v.Account}, {"queue", v.Queue}, {"was", v.Outcome.String()},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, ", %s %s", part.key, part.value)
		}
	}
	if v.Unknown > 0 {
		fmt.Fprintf(&b, ", %d unknown", v.Unknown)
	}
	if v.Submission {
		b.WriteString(", submission")
	}
	return b.String()
}

// assemble puts the lines of a text together.
func assemble(t testing.TB, text string) []string {
	t.Helper()
	f := Framer{Newest: newest}
	a := NewAssembler()
	var got []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		e, ok := f.Line(line)
		if !ok {
			t.Fatalf("no line of a log: %s", line)
		}
		a.Entry(&e)
		for v, ok := a.Next(); ok; v, ok = a.Next() {
			got = append(got, show(v))
		}
	}
	for v, ok := a.Rest(); ok; v, ok = a.Rest() {
		got = append(got, show(v))
	}
	return got
}
