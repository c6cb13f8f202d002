package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestTheManPageIsTheSchema holds mailprofiled.toml(5) to the schema. To write it
// anew:
//
//	go test ./internal/config -run ManPage -update
func TestTheManPageIsTheSchema(t *testing.T) {
	compareGolden(t, "../../packaging/man/mailprofiled.toml.5", manPage())
}

// manPage is mailprofiled.toml(5), in mdoc(7).
func manPage() string {
	var b strings.Builder
	b.WriteString(`.\" Written by the schema itself (internal/config): do not edit here.
.Dd November 25, 2026
.Dt MAILPROFILED.TOML 5
.Os
.Sh NAME
.Nm mailprofiled.toml
.Nd configuration of mailprofiled
.Sh DESCRIPTION
The file is TOML, by default
.Pa /etc/mailprofiled/mailprofiled.toml ,
and each
.Pa *.toml
in
.Pa conf.d
beside it, in the order of their names: a key set again replaces, tables in double
brackets add up.
An unknown key, a key set twice in one file and a value without sense stop the start;
.Dq mailprofiled check
tells all mistakes at once.
Durations take s m h d w
.Pq Dq 90s , Dq 1h30m ,
sizes KiB MiB GiB.
A
.Cm *
stands for any name,
.Cm []
for each of the tables in double brackets.
.Pp
What a change takes is said by
.Em reload
.Pq Dq mailprofiled reload
or
.Em restart .
`)
	section := "-"
	open := false
	for _, k := range keysNow() {
		if s := sectionOf(k.Name); s != section {
			section = s
			if open {
				b.WriteString(".El\n")
			}
			heading := "Top level"
			if s != "" {
				heading = "[" + strings.ReplaceAll(s, "[]", "") + "]"
				if strings.HasSuffix(s, "[]") {
					heading = "[" + heading + "]"
				}
			}
			fmt.Fprintf(&b, ".Ss %s\n.Bl -tag -width Ds\n", mdocText(heading))
			open = true
		}
		fmt.Fprintf(&b, ".It Cm %s\n%s.\n", mdocWord(k.Name), mdocText(capital(strings.ReplaceAll(takes(k), `\|`, "|"))))
		if d := usual(k); d != "-" {
			fmt.Fprintf(&b, "Default: %s.\n", mdocText(strings.Trim(strings.ReplaceAll(d, `\|`, "|"), "`")))
		}
		fmt.Fprintf(&b, "%s\n.Pq %s\n", mdocText(k.Doc), changedBy(k))
	}
	b.WriteString(`.El
.Sh FILES
.Bl -tag -width Ds -compact
.It Pa /etc/mailprofiled/mailprofiled.toml
.It Pa /etc/mailprofiled/conf.d/*.toml
.El
.Sh SEE ALSO
.Xr mailprofiled 8
.Pp
.Pa /usr/share/doc/mailprofiled/docs
`)
	return b.String()
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// mdocText is text on lines of its own: a sentence a line, none of which is taken
// for a request.
func mdocText(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	s = strings.ReplaceAll(s, "`", "")
	s = strings.ReplaceAll(s, ". ", ".\n")
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// mdocWord is one argument of a request.
func mdocWord(s string) string { return strings.ReplaceAll(s, `\`, `\e`) }
