package config

import (
	"fmt"
	"io"
	"strings"

	"mailprofiled/ratelimit"
)

// printLimits writes the limits and exceptions. With changedOnly it leaves those
// built in out that no file names.
func (c *Config) printLimits(w io.Writer, changedOnly bool) {
	for i := range c.limits {
		r := &c.limits[i]
		switch {
		case r.id != "":
			fmt.Fprintf(w, "\n[[limit]]  # %s:%d\n", oneLine(r.at.File), r.at.Line)
		case changedOnly:
			continue
		default:
			fmt.Fprint(w, "\n[[limit]]  # built in\n")
		}
		r.print(w)
	}
	for i := range c.Accounts.rows {
		r := &c.Accounts.rows[i]
		fmt.Fprintf(w, "\n[[accounts.exception]]  # %s:%d\n", oneLine(r.at.File), r.at.Line)
		r.print(w)
	}
}

// print writes the settings of a limit as TOML.
func (r *limitRow) print(w io.Writer) {
	fmt.Fprintf(w, "name = %s\n", tomlString(r.limit.Name))
	for _, line := range r.settings() {
		fmt.Fprintf(w, "%s = %s\n", line.key, line.value)
	}
}

// settings are those of a limit but its name. What it does not use is left out.
func (r *limitRow) settings() []printed {
	l := &r.limit
	var all []printed
	add := func(key, value string) { all = append(all, printed{key: key, value: value}) }
	if r.off {
		add("action", tomlString(actionOff))
		return all
	}
	add("per", perKind().format(l.Per))
	add("count", countKind().format(l.Count))
	if len(l.Steps) == 0 {
		add("max", maxKind("").format(l.Max))
	} else {
		add("steps", formatSteps(l.Steps))
	}
	add("window", windowKind().format(l.Window))
	if when := formatWhen(&l.When); when != "" {
		add("when", when)
	}
	add("action", tomlString(l.Action.String()))
	if l.Per&ratelimit.PerNetwork != 0 {
		four, six := networkWidths(l)
		add("ipv4_prefix", fmt.Sprint(four))
		add("ipv6_prefix", fmt.Sprint(six))
	}
	return all
}

// networkWidths are those of a limit per network, in bits.
func networkWidths(l *ratelimit.Limit) (four, six int) {
	four, six = l.Net4, l.Net6
	if four == 0 {
		four = 24
	}
	if six == 0 {
		six = 64
	}
	return four, six
}

func formatSteps(steps []ratelimit.Step) string {
	texts := make([]string, len(steps))
	for i, s := range steps {
		texts[i] = fmt.Sprintf("{ until = %s, max = %d }", quote(show(s.Until)), s.Max)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// formatWhen writes conditions as an inline table, "" for none.
func formatWhen(w *ratelimit.When) string {
	var parts []string
	add := func(key, value string) { parts = append(parts, key+" = "+value) }
	if w.Authenticated != ratelimit.Either {
		add("authenticated", boolKind().format(w.Authenticated == ratelimit.Yes))
	}
	if w.Listener != "" {
		add("listener", tomlString(w.Listener))
	}
	if len(w.Domains) > 0 {
		add("domain", textsKind().canonical(w.Domains))
	}
	if len(w.History) > 0 {
		add("history", historiesKind().canonical(w.History))
	}
	if len(w.Plans) > 0 {
		add("plan", textsKind().canonical(w.Plans))
	}
	if w.YoungerThan > 0 {
		add("account_younger_than", quote(show(w.YoungerThan)))
	}
	if w.OlderThan > 0 {
		add("account_older_than", quote(show(w.OlderThan)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// print writes the settings of an exception as TOML.
func (r *exceptionRow) print(w io.Writer) {
	text := func(key, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s = %s\n", key, tomlString(value))
		}
	}
	text("account", r.Account)
	text("plan", r.Plan)
	text("domain", r.Domain)
	text("limit", r.Limit)
	if r.Window > 0 {
		fmt.Fprintf(w, "window = %s\n", quote(show(r.Window)))
	}
	fmt.Fprintf(w, "max = %d\n", r.Max)
	if !r.last.IsZero() {
		fmt.Fprintf(w, "expires = %s\n", formatDate(r.last))
	}
	text("owner", r.Owner)
	text("reason", r.Reason)
}

// limitLines are what the policy hash covers of limits and exceptions. Their order
// means nothing, nor who is to be asked.
func (c *Config) limitLines() []string {
	var lines []string
	for i := range c.limits {
		r := &c.limits[i]
		if r.off {
			continue
		}
		var parts []string
		for _, s := range r.settings() {
			parts = append(parts, s.key+" = "+s.value)
		}
		lines = append(lines, "limit "+tomlString(r.limit.Name)+" = "+strings.Join(parts, ", "))
	}
	for i := range c.Accounts.rows {
		r := &c.Accounts.rows[i]
		lines = append(lines, fmt.Sprintf("exception = %s %s %s %s %s %d %s", tomlString(r.Account), tomlString(r.Plan), tomlString(r.Domain),
			tomlString(r.Limit), show(r.Window), r.Max, formatDate(r.last)))
	}
	return lines
}
