package config

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A LocalRule is one [[local]]: the operator's own word on some clients. What
// its matchers mean, and what their files hold, is for the room of local rules.
type LocalRule struct {
	Match   []string // "client:192.0.2.0/24", "file:/etc/mailprofiled/deny.txt"; at least one
	Action  string   // allow, deny or points
	Points  float64  // for points, and not 0 then; negative speaks for the client
	Owner   string   // who is to be asked
	Reason  string
	Expires time.Time // midnight UTC of the last day on which it holds; zero: for ever
	At      Origin    // of its [[local]]
}

// The actions of a LocalRule.
const (
	LocalAllow  = "allow"
	LocalDeny   = "deny"
	LocalPoints = "points"
)

// localKeys are those of one [[local]].
func localKeys() []Key {
	return []Key{
		{
			Name: "local[].match", Kind: matchersKind(), Hot: true, Policy: true,
			Doc: `Whom the rule is for; one that matches is enough: "client:192.0.2.0/24", "ptr:", "helo:", "from:", "rcpt:", "account:", "country:DE", "asn:64500", or "file:/path" with one of them a line.`,
		},
		{
			Name: "local[].action", Kind: plainChoice(LocalAllow, LocalDeny, LocalPoints), Hot: true, Policy: true,
			Doc: `What it does: "allow", "deny" or "points". Deny goes before allow, and allow before points.`,
		},
		{
			Name: "local[].points", Kind: pointNumberKind(), Hot: true, Policy: true,
			Doc: `What it weighs, with action "points"; a negative number speaks for the client.`,
		},
		{
			Name: "local[].owner", Kind: noteKind("jo"), Hot: true,
			Doc: "Who is to be asked about the rule.",
		},
		{
			Name: "local[].reason", Kind: noteKind("ticket 4711"), Hot: true,
			Doc: "Why it is there. The log and explain show it, clients never.",
		},
		{
			Name: "local[].expires", Kind: dateKind(), Hot: true, Policy: true,
			Doc: "The last day on which it holds, in UTC.",
		},
	}
}

// matcherTypes stand before the colon of a matcher.
var matcherTypes = []string{"client", "ptr", "helo", "from", "rcpt", "account", "country", "asn", "file"}

const matcherExample = "client:192.0.2.0/24"

func matchersKind() Kind {
	inner := listKind[string]("matchers", true, false, textKind("matcher", matcherExample, matcher, formatText))
	parse := inner.parse
	inner.parse = func(raw any, s spot) (any, bool) {
		if items, ok := raw.([]any); ok && len(items) == 0 {
			return s.bad("[]", "the rule would match nothing", `name whom it is for: ["`+matcherExample+`"]`)
		}
		return parse(raw, s)
	}
	return inner
}

// matcher looks at the type alone; the value is read where the rule is made.
func matcher(text string, s spot) (any, bool) {
	kind, rest, typed := strings.Cut(text, ":")
	known := typed && slices.Contains(matcherTypes, kind)
	switch {
	case strings.ContainsFunc(text, unicode.IsControl):
		return s.bad(quote(text), "a control character", "write the matcher on one line")
	case strings.TrimSpace(text) == "":
		return s.bad(quote(text), "nothing in it", "write "+quote(matcherExample)+", or remove it")
	case known && rest == "":
		return s.bad(quote(text), "nothing behind the colon", "write "+quote(matcherExample)+", or remove it")
	case known:
		return text, true
	}
	remedy := "write one of " + strings.Join(matcherTypes, ": ") + ": before it"
	if near := nearest(strings.ToLower(strings.TrimSpace(kind)), matcherTypes); typed && near != "" {
		remedy = "did you mean " + quote(near+":"+rest) + "?"
	}
	return s.bad(quote(text), "no known type", remedy)
}

// noteKind takes text for people, on one line.
func noteKind(example string) Kind {
	return textKind("text", example, func(text string, s spot) (any, bool) {
		if strings.ContainsFunc(text, unicode.IsControl) {
			return s.bad(quote(text), "a control character", "write it on one line")
		}
		return text, true
	}, formatText)
}

// localRules makes the rules of all files, in their order, and says what is
// wrong with each as a whole.
func (l *loader) localRules() []LocalRule {
	var rules []LocalRule
	for i := range l.elements["local"] {
		id := localID(i)
		before := len(l.report.Errors)
		r := l.localRule(id, l.tables[id])
		rules = append(rules, r)
		if len(l.report.Errors) == before && l.sound(id+".match", id+".action", id+".points", id+".expires") && len(r.Match) > 0 && r.Action != "" {
			l.report.Local = append(l.report.Local, r)
		}
	}
	return rules
}

func localID(i int) string    { return "local[" + strconv.Itoa(i) + "]" }
func localMatch(i int) string { return localID(i) + ".match" }

func (l *loader) localRule(id string, s spot) LocalRule {
	r := LocalRule{At: s.origin()}
	take(l, id+".match", &r.Match)
	take(l, id+".action", &r.Action)
	take(l, id+".points", &r.Points)
	take(l, id+".owner", &r.Owner)
	take(l, id+".reason", &r.Reason)
	take(l, id+".expires", &r.Expires)
	if l.lacks(id + ".match") {
		s.fail("local has no match: it is for nobody", `write match = ["`+matcherExample+`"]`)
	}
	if l.lacks(id + ".action") {
		s.fail("local has no action", `write action = "allow", "deny" or "points"`)
	}
	switch points := id + ".points"; {
	case r.Action == LocalPoints && l.lacks(points):
		s.fail(`local has the action "points", and no points`, "write points = 5.0 (less than 0 speaks for the client)")
	case r.Action == LocalPoints && l.sound(points) && r.Points == 0:
		l.at(points, id+".action").fail("local.points is 0: the rule would weigh nothing", "write another number, or remove the rule")
	case (r.Action == LocalAllow || r.Action == LocalDeny) && r.Points != 0:
		l.at(points).fail(fmt.Sprintf("local.points is %g, and the action %q weighs nothing", r.Points, r.Action), `remove it, or write action = "points"`)
	}
	return r
}

// take gives the value of a key, if a file has a good one.
func take[T any](l *loader, id string, to *T) {
	if set, ok := l.settings[id]; ok && set.value != nil {
		*to = set.value.(T)
	}
}

// lacks says that a key is missing, and no other looks like it misspelt.
func (l *loader) lacks(id string) bool { return !l.isSet(id) && !l.guessed[id] }

// line writes a rule as the policy hash has it: what it matches, does and weighs,
// and until when. Files go without their paths, and their contents beside it.
func (r *LocalRule) line() string {
	match := make([]string, len(r.Match))
	for i, text := range r.Match {
		if strings.HasPrefix(text, "file:") {
			text, _, _ = strings.Cut(text, "/")
		}
		match[i] = tomlString(text)
	}
	slices.Sort(match)
	return fmt.Sprintf("[%s] %s %s %s", strings.Join(match, ", "), r.Action, formatNumber(r.Points), formatDate(r.Expires))
}

// print writes the settings of a rule as TOML.
func (r *LocalRule) print(w io.Writer) {
	fmt.Fprintf(w, "match = %s\n", matchersKind().format(r.Match))
	fmt.Fprintf(w, "action = %s\n", tomlString(r.Action))
	if r.Action == LocalPoints {
		fmt.Fprintf(w, "points = %s\n", formatNumber(r.Points))
	}
	if r.Owner != "" {
		fmt.Fprintf(w, "owner = %s\n", tomlString(r.Owner))
	}
	if r.Reason != "" {
		fmt.Fprintf(w, "reason = %s\n", tomlString(r.Reason))
	}
	if !r.Expires.IsZero() {
		fmt.Fprintf(w, "expires = %s\n", formatDate(r.Expires))
	}
}

func formatDate(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format(time.DateOnly)
}

// dateKind takes a date alone, as midnight UTC: with a time beside it, it would
// look as if that counted.
func dateKind() Kind {
	const remedy = "a date without quotes: 2027-01-31"
	return Kind{
		Name: "date",
		parse: func(raw any, s spot) (any, bool) {
			t, ok := raw.(time.Time)
			if !ok {
				return s.wrongType(raw, remedy)
			}
			if t.Location().String() != "date-local" { // the decoder's name for a date alone
				s.fail(s.name+" is not a date alone", "write "+remedy)
				return nil, false
			}
			y, m, d := t.Date()
			return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), true
		},
		format: func(v any) string { return formatDate(v.(time.Time)) },
	}
}

// WithLists gives the same configuration with the contents of the files of
// [[local]], as far as their digest: the policy is another when they are.
func (c *Config) WithLists(digest []byte) *Config {
	with := *c
	with.lists = digest
	return &with
}

// readsLists says that some rule names a file.
func (c *Config) readsLists() bool {
	return slices.ContainsFunc(c.Local, func(r LocalRule) bool {
		return slices.ContainsFunc(r.Match, func(text string) bool { return strings.HasPrefix(text, "file:") })
	})
}
