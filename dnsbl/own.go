package dnsbl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Spec is a list of the operator's own, or what he changes of one that the
// catalogue has. What is empty stays as the catalogue says.
type Spec struct {
	ID       string
	Zone     string // may hold "{key}"
	Group    string // none: the catalogue's, by id or zone, or the list is a group of its own
	Asks     Asks
	Stages   Stages
	Codes    []Code
	Listed   []string // test entries, addresses or names (RFC 5782 section 5)
	Unlisted []string
	Text     bool // its TXT record may stand in a reply
}

// A SpecError is one mistake in a Spec.
type SpecError struct {
	Key  string // as the configuration names it: "zone", "ask", "at", "codes", "test.listed", ...
	What string // and the remedy
}

// Error names the key and what is wrong with it.
func (e *SpecError) Error() string { return e.Key + ": " + e.What }

// List makes the list that s describes. The error joins a SpecError for each
// mistake; the list is then not to be used.
func (s Spec) List() (List, error) {
	l, known := Find(s.ID)
	if !known {
		l = List{ID: s.ID, Group: s.ID, Family: "block", Access: "open", Status: Live, Default: Off}
	}
	l.Own, l.Text = true, s.Text
	if s.Zone != "" {
		l.Zone, l.KeyForm = strings.ToLower(strings.TrimSuffix(s.Zone, ".")), ""
	}
	if s.Asks != 0 {
		l.Asks = s.Asks
	}
	if s.Stages != 0 {
		l.Stages = s.Stages
	}
	if s.Codes != nil {
		l.Codes, l.Family = slices.Clone(s.Codes), familyOf(s.Codes)
		if catalogued, ok := Find(s.ID); ok {
			l.keepRefusals(&catalogued)
		}
	}
	if asked, _, ok := OfZone(l.Zone); ok && asked.ID != s.ID {
		l.keepRefusals(&asked)
		if !known {
			l.Group, l.Delist = asked.Group, asked.Delist // of one source only the heaviest list counts
		}
	}
	if s.Group != "" {
		l.Group = s.Group
	}
	if s.Listed != nil || s.Unlisted != nil {
		l.Listed, l.Unlisted = s.Listed, s.Unlisted
	}
	l.compile()
	return l, l.mistakes()
}

// keepRefusals adds the codes by which a list of the catalogue refuses, or says that
// it may be lying: whatever an operator makes of its other codes, these are none.
func (l *List) keepRefusals(of *List) {
	for _, c := range of.Codes {
		same := func(d Code) bool { return d.compare(&c) == 0 && d.meets(&c) }
		if (c.Kind == Error || c.Suspect) && !slices.ContainsFunc(l.Codes, same) {
			l.Codes = append(slices.Clip(l.Codes), c)
		}
	}
}

// familyOf says which way codes speak.
func familyOf(codes []Code) string {
	speaks := func(kind Kind) bool {
		return slices.ContainsFunc(codes, func(c Code) bool { return c.Kind == kind })
	}
	switch {
	case !speaks(Allow):
		return "block"
	case !speaks(Listed):
		return "allow"
	}
	return "mixed"
}

// mistakes are those of a list that an operator has written.
func (l *List) mistakes() error {
	var all []error
	say := func(wrong bool, key, format string, args ...any) {
		if wrong {
			all = append(all, &SpecError{key, fmt.Sprintf(format, args...)})
		}
	}
	say(!validID(l.ID), "id", "%q is no id; use letters, digits, dots and hyphens", l.ID)
	plain := strings.Replace(l.Zone, "{key}", "k", 1)
	say(l.Zone == "", "zone", "is missing; say under which zone to ask")
	say(l.Zone != "" && !validName(plain), "zone", "%q is no zone of two labels or more", l.Zone)
	say(l.Asks == 0, "ask", "is missing; use %s", quoted(askNames[:]))
	say(l.Stages == 0, "at", "is missing; use %s", quoted(stageNames[:]))
	for stage := range stages {
		say(l.Asks != 0 && l.Stages.Has(stage) && !l.asksAt(stage), "at",
			"%q asks about %s, which ask does not name", stage, [...]string{"an address", "a domain"}[b2i(stage.ofName())])
	}
	say(len(l.Codes) == 0, "codes", "are missing: an answer without a declared meaning weighs nothing")
	for i := range l.Codes {
		c := &l.Codes[i]
		say(c.reach.form == never, "codes", "%q is no answer of a list", c.Answer)
		for k := range l.Codes[:i] {
			d := &l.Codes[k]
			say(c.reach.form != mask && c.compare(d) == 0 && c.meets(d), "codes", "%s and %s mean the same answers", d.Answer, c.Answer)
		}
	}
	for _, test := range l.Listed {
		say(!l.testable(test), "test.listed", "%q is nothing that this list can be asked about", test)
	}
	for _, test := range l.Unlisted {
		say(!l.testable(test), "test.unlisted", "%q is nothing that this list can be asked about", test)
	}
	return errors.Join(all...)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// asksAt reports whether the list takes the kind of subject that a stage has.
func (l *List) asksAt(stage Stage) bool {
	if stage.ofName() {
		return l.Asks.Has(Domain)
	}
	return l.Asks.Has(IP4 | IP6)
}

func (l *List) testable(test string) bool {
	if addr, ok := parseTest(test); ok {
		return addr.Is4() && l.Asks.Has(IP4) || addr.Is6() && l.Asks.Has(IP6)
	}
	return l.Asks.Has(Domain) && validLabels(test)
}

func validID(id string) bool {
	return validLabels(id) && len(id) <= maxLabel
}

// Misuse says why a list of the catalogue, by its id or its zone, must not be asked at
// some of these stages, and "" if it may. A list of access lines hits customers who log
// in; one of password guessers says nothing of a mail server.
func (l *List) Misuse(at Stages) string {
	plain, ok := l.Catalogued()
	if !ok || plain.Stages == 0 {
		return ""
	}
	auth, mail, bounce := StagesOf(Auth), StagesOf(Connect, PTR, Helo, Mail), StagesOf(Bounce)
	switch {
	case plain.Stages == auth && at&^auth != 0:
		return "holds addresses that guess passwords: it is for clients that log in only"
	case plain.Stages == bounce && at&^bounce != 0:
		return "holds servers that send misdirected bounces, large ones too: it is for null senders only"
	case plain.Stages&mail != 0 && at&auth != 0:
		return "holds addresses that should not deliver mail, among them those that customers log in from"
	}
	return ""
}
