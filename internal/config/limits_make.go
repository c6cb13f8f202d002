package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mailprofiled/ratelimit"
)

// limits makes the limits of all files, in their order, after those built in that
// no file names, and says what is wrong with each.
func (l *loader) limits(c *Config) {
	var rows []limitRow
	for i := range l.elements["limit"] {
		id := "limit[" + strconv.Itoa(i) + "]"
		if i == maxLimits {
			l.tables[id].fail(fmt.Sprintf("%d [[limit]], and each mail is held against %d at most", l.elements["limit"], maxLimits), "write fewer: one may hold for several domains or plans")
			break
		}
		row := l.limitRow(id, l.tables[id])
		if row.limit.Name != "" && slices.ContainsFunc(rows, func(o limitRow) bool { return o.limit.Name == row.limit.Name }) {
			l.at(id+".name").fail("limit.name is "+quote(row.limit.Name)+": another [[limit]] has it", "give it a name of its own, or put their keys together")
			row.whole = false
		}
		rows = append(rows, row)
	}
	for i, limit := range BuiltInLimits() {
		if !slices.ContainsFunc(rows, func(o limitRow) bool { return o.limit.Name == limit.Name }) {
			rows = slices.Insert(rows, i, limitRow{limit: limit, whole: true})
		}
	}
	c.limits = rows
	c.Limits = nil
	for i := range rows {
		if r := &rows[i]; r.whole && !r.off {
			c.Limits = append(c.Limits, r.limit)
		}
	}
}

// limitRow makes one [[limit]].
func (l *loader) limitRow(id string, s spot) limitRow {
	before := len(l.report.Errors)
	row := limitRow{at: s.origin(), id: id, limit: ratelimit.Limit{Action: ratelimit.TempFail}}
	take(l, id+".name", &row.limit.Name)
	base, known := builtIn(row.limit.Name)
	if known {
		row.limit = base
	}
	limit := &row.limit
	action := limitAction{action: limit.Action}
	take(l, id+".action", &action)
	limit.Action, row.off = action.action, action.off
	take(l, id+".per", &limit.Per)
	take(l, id+".count", &limit.Count)
	take(l, id+".max", &limit.Max)
	take(l, id+".window", &limit.Window)
	take(l, id+".ipv4_prefix", &limit.Net4)
	take(l, id+".ipv6_prefix", &limit.Net6)
	l.takeWhen(id+".when", &limit.When)
	l.takeSteps(id, limit)

	missing := func(key, remedy string) {
		if l.lacks(id + "." + key) {
			s.fail("limit has no "+key, remedy)
		}
	}
	missing("name", `write name = "outgoing", or another that tells it from the others`)
	if !known && !row.off {
		missing("per", `write per = "account", or whose mail else is counted together`)
		if len(limit.Steps) == 0 && l.elements[id+".steps"] == 0 && !l.guessed[id+".steps"] {
			missing("max", "write max = 100, or how many may go through")
		}
		missing("window", `write window = "24h", or how long each counts`)
	}
	row.whole = len(l.report.Errors) == before && l.soundBelow(id)
	if row.whole && !row.off {
		l.checkLimit(&row, s)
		row.whole = len(l.report.Errors) == before
	}
	return row
}

// takeWhen lays the conditions of a file over those that are there.
func (l *loader) takeWhen(id string, w *ratelimit.When) {
	var authenticated bool
	if take(l, id+".authenticated", &authenticated); l.isSet(id + ".authenticated") {
		w.Authenticated = ratelimit.No
		if authenticated {
			w.Authenticated = ratelimit.Yes
		}
	}
	take(l, id+".listener", &w.Listener)
	take(l, id+".domain", &w.Domains)
	take(l, id+".plan", &w.Plans)
	take(l, id+".history", &w.History)
	take(l, id+".account_younger_than", &w.YoungerThan)
	take(l, id+".account_older_than", &w.OlderThan)
}

// takeSteps makes the ramp of a limit. It stands in place of max, and of the age
// up to which a built-in limit holds.
func (l *loader) takeSteps(id string, limit *ratelimit.Limit) {
	for i := range l.elements[id+".steps"] {
		if i == maxSteps {
			l.tables[id+".steps["+strconv.Itoa(i)+"]"].fail(fmt.Sprintf("limit.steps has %d steps, more than %d", l.elements[id+".steps"], maxSteps), "write fewer")
			break
		}
		at := id + ".steps[" + strconv.Itoa(i) + "]"
		var step ratelimit.Step
		take(l, at+".until", &step.Until)
		take(l, at+".max", &step.Max)
		for _, key := range []string{"until", "max"} {
			if l.lacks(at + "." + key) {
				l.tables[at].fail("limit.steps has no "+key, `write { until = "3d", max = 25 }`)
			}
		}
		limit.Steps = append(limit.Steps, step)
	}
	if len(limit.Steps) == 0 {
		return
	}
	if !l.isSet(id + ".when.account_younger_than") {
		limit.When.YoungerThan = 0
	}
	if !l.isSet(id + ".max") {
		limit.Max = limit.Steps[len(limit.Steps)-1].Max
	}
}

// checkLimit says what keeps a limit from being used.
func (l *loader) checkLimit(row *limitRow, s spot) {
	limit, id := &row.limit, row.id
	for i := 1; i < len(limit.Steps); i++ {
		if step, last := limit.Steps[i], limit.Steps[i-1]; step.Until <= last.Until {
			l.at(id+".steps["+strconv.Itoa(i)+"].until").fail("limit.steps.until is "+quote(show(step.Until))+", and not after "+quote(show(last.Until))+" of the step before it", "put the steps in the order of age")
			return
		}
	}
	err := limit.Check()
	if err == nil {
		if n := len(limit.Steps); n > 0 && limit.When.OlderThan >= limit.Steps[n-1].Until {
			l.spotOf(id, "when.account_older_than").fail("limit "+quote(limit.Name)+" can never hold: its steps are for accounts younger than "+show(limit.Steps[n-1].Until)+" only", "remove account_older_than")
		}
		return
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		what, remedy := splitRemedy(e.Error(), "correct it")
		at := s
		for word, key := range map[string]string{"AUTH": ".when.authenticated", "younger": ".when.account_older_than"} {
			if strings.Contains(what, word) && l.isSet(id+key) {
				at = l.at(id + key)
			}
		}
		at.fail("limit "+quote(limit.Name)+" "+what, remedy)
	}
}
