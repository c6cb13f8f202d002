package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailprofiled/ratelimit"
)

// What a limit counts that anybody can choose, and what only a login has.
const (
	perSender  = ratelimit.PerSender | ratelimit.PerSenderDomain
	perServer  = ratelimit.PerClient | ratelimit.PerNetwork
	perMailbox = ratelimit.PerRecipient | ratelimit.PerRecipientDomain
)

// checkLimits tells of limits and exceptions that work, but perhaps not as meant.
func (l *loader) checkLimits(c *Config) {
	for i := range c.limits {
		r := &c.limits[i]
		if r.id == "" || !r.whole {
			continue
		}
		l.checkLimitName(r)
		if r.off {
			continue
		}
		l.checkUnused(r)
		l.checkReach(c, r)
		l.checkShadow(c, r)
	}
	for i := range c.Accounts.rows {
		l.checkException(c, &c.Accounts.rows[i])
	}
}

// spotOf is where the first of the keys stands that a row sets, else the row.
func (l *loader) spotOf(id string, keys ...string) spot {
	for _, key := range keys {
		if set, ok := l.settings[id+"."+key]; ok {
			return set.spot
		}
	}
	return l.tables[id]
}

// checkLimitName warns of names that most likely mean the built-in limit.
func (l *loader) checkLimitName(r *limitRow) {
	name := r.limit.Name
	for _, known := range BuiltInLimits() {
		if name != known.Name && nearest(strings.ToLower(name), []string{known.Name}) != "" {
			l.spotOf(r.id, "name").warn("limit.name is "+quote(name)+": another than that of the built-in limit "+quote(known.Name)+", which stays in force beside it",
				"write "+quote(known.Name)+" to change that one, or choose a name less like it")
		}
	}
}

// checkUnused warns of keys that change nothing.
func (l *loader) checkUnused(r *limitRow) {
	limit := &r.limit
	if len(limit.Steps) > 0 && l.isSet(r.id+".max") {
		l.at(r.id+".max").warn("limit.max is not used: limit.steps stands in its place", "remove one of the two")
	}
	if limit.Per&ratelimit.PerNetwork == 0 {
		for _, key := range []string{"ipv4_prefix", "ipv6_prefix"} {
			if l.isSet(r.id + "." + key) {
				l.at(r.id+"."+key).warn("limit."+key+" is not used: the limit is per "+limit.Per.String(), `remove it, or write per = "network"`)
			}
		}
	}
	last := time.Duration(0)
	for i, step := range limit.Steps {
		at := r.id + ".steps[" + strconv.Itoa(i) + "].until"
		switch {
		case limit.When.YoungerThan > 0 && last >= limit.When.YoungerThan:
			l.at(at).warn("limit.steps has a step for accounts of "+show(last)+" and older, and the limit is for those younger than "+show(limit.When.YoungerThan), "remove the step, or account_younger_than")
		case step.Until <= limit.When.OlderThan:
			l.at(at).warn("limit.steps has a step for accounts younger than "+show(step.Until)+", and the limit is for those of "+show(limit.When.OlderThan)+" and older", "remove the step, or account_older_than")
		}
		last = step.Until
	}
}

// checkReach tells whom a limit may hit, or miss, without its being meant.
func (l *loader) checkReach(c *Config, r *limitRow) {
	limit, name := &r.limit, quote(r.limit.Name)
	if text := limit.Warn(); text != "" {
		what, remedy := splitRemedy(text, "see that it is meant")
		l.spotOf(r.id, "per").warn("limit "+name+" is "+what, remedy)
	}
	if limit.Per&perSender != 0 && !loggedIn(limit) {
		l.spotOf(r.id, "per").warn("limit "+name+" is per "+limit.Per.String()+": it counts a sender only where the client logged in or SPF passes, and others not at all",
			"limit those per client or network, or write when = { authenticated = true }")
	}
	if limit.Per&perServer != 0 && limit.Per&perMailbox == 0 && limit.Action != ratelimit.Report && !loggedIn(limit) &&
		(len(c.Exempt.Networks) > 0 || c.listenersExempt()) {
		l.spotOf(r.id, "per").warn("limit "+name+" is per "+limit.Per.String()+": limits are for everybody, and exempt networks such as your own relays fall under it, too",
			`see that max is enough for them, or begin with action = "report"`)
	}
	if role := limit.When.Listener; role != "" && !slices.ContainsFunc(c.Doors(), func(d Listener) bool { return d.Role == role }) {
		l.at(r.id+".when.listener").warn("limit.when.listener is "+quote(role)+": no listener here has this role, so the limit never holds",
			"give a [[listener]] that role, or remove the limit (where other machines share this file, that is well)")
	}
	for _, domain := range limit.When.Domains {
		if c.strips(domain) {
			l.at(r.id+".when.domain").warn("limit.when.domain has "+quote(domain)+", which accounts.strip_domains takes off every login: it never holds for one there",
				"remove it from one of the two, or write accounts.default_domain = "+quote(domain))
		}
	}
	if len(limit.When.Plans) > 0 && !l.tellsPlans(c) {
		l.at(r.id+".when.plan").warn("limit.when.plan is set, and no plan is known without accounts.file or a directory that has them: the limit only reports", "set accounts.file, or remove the plan")
	}
	if len(limit.When.History) > 0 && loggedIn(limit) && c.Exempt.Authenticated {
		l.at(r.id+".when.history").warn("limit.when.history is set, and of clients that have logged in no history is known: the limit only reports", "remove it, or write when = { authenticated = false }")
	}
}

// loggedIn says that a limit holds only for mail of clients that logged in.
func loggedIn(limit *ratelimit.Limit) bool {
	w := &limit.When
	return w.Authenticated == ratelimit.Yes || limit.Per&ratelimit.PerAccount != 0 || len(limit.Steps) > 0 ||
		w.YoungerThan > 0 || w.OlderThan > 0 || len(w.Domains) > 0 || len(w.Plans) > 0
}

// tellsPlans reports whether something here may know the plan of an account.
func (l *loader) tellsPlans(c *Config) bool {
	return l.named("accounts.file") || slices.ContainsFunc(c.Directory.Sources(), func(s DirectorySource) bool {
		return s.Source != SourceNone && s.Source != SourceMTA && s.Source != "callahead" // which know names only
	})
}

// strips reports whether no account is at a domain, as its logins are counted without it.
func (c *Config) strips(domain string) bool {
	return c.Accounts.Domain != domain && slices.Contains(c.Accounts.Strip, domain)
}

// checkException tells of exceptions that change nothing.
func (l *loader) checkException(c *Config, e *exceptionRow) {
	if e.Domain != "" && c.strips(e.Domain) {
		l.spotOf(e.id, "domain").warn("accounts.exception.domain is "+quote(e.Domain)+", which accounts.strip_domains takes off every login: it is for nobody",
			"remove it from one of the two, or write accounts.default_domain = "+quote(e.Domain))
	}
	if e.Plan != "" && !l.tellsPlans(c) {
		l.spotOf(e.id, "plan").warn("accounts.exception.plan is "+quote(e.Plan)+", and no plan is known without accounts.file or a directory that has them: it is for nobody", "set accounts.file, or name accounts")
	}
	if e.Limit != "" && !l.checkExceptionLimit(c, e) {
		return
	}
	var of []*ratelimit.Limit
	for i := range c.limits {
		r := &c.limits[i]
		if !r.whole {
			return // what is said of the others could be wrong
		}
		if !r.off && concerns(&e.Exception, &r.limit) {
			of = append(of, &r.limit)
		}
	}
	switch {
	case len(of) == 0 && e.Window > 0:
		l.spotOf(e.id, "window").warn("accounts.exception.window is "+quote(show(e.Window))+": no limit that it is of has this window", "write the window of the limit, or leave it out")
	case len(of) == 0:
		l.tables[e.id].warn("accounts.exception is of no limit: none is per account", "name a limit, or remove it")
	case e.Max > 0 && !slices.ContainsFunc(of, func(limit *ratelimit.Limit) bool { return e.Max > lowest(limit) }):
		l.spotOf(e.id, "max").warn(fmt.Sprintf("accounts.exception.max is %d: it raises nothing, %s has %d", e.Max, quote(of[0].Name), lowest(of[0])), "write a higher one, or 0 to exempt")
	}
}

// concerns says that an exception is of a limit, as ratelimit has it.
func concerns(e *ratelimit.Exception, limit *ratelimit.Limit) bool {
	return (e.Limit == limit.Name || e.Limit == "" && limit.Per&ratelimit.PerAccount != 0) && (e.Window == 0 || e.Window == limit.Window)
}

// checkExceptionLimit looks at the limit that an exception names; false when there
// is no more to be said of it.
func (l *loader) checkExceptionLimit(c *Config, e *exceptionRow) bool {
	i := slices.IndexFunc(c.limits, func(r limitRow) bool { return r.limit.Name == e.Limit })
	s := l.spotOf(e.id, "limit")
	switch {
	case i < 0:
		var names []string
		for _, r := range c.limits {
			names = append(names, r.limit.Name)
		}
		remedy := "name one of " + oneOf(names) + ", or leave it out for all that are per account"
		if len(names) > 6 {
			remedy = "name a [[limit]], or leave it out for all that are per account"
		}
		if near := nearest(e.Limit, names); near != "" {
			remedy = "did you mean " + quote(near) + "?"
		}
		s.fail("accounts.exception.limit is "+quote(e.Limit)+": there is no such limit", remedy)
	case !c.limits[i].whole:
	case c.limits[i].off:
		s.warn("accounts.exception.limit is "+quote(e.Limit)+": that limit is off", "remove the exception")
	case c.limits[i].limit.When.Authenticated == ratelimit.No:
		s.warn("accounts.exception.limit is "+quote(e.Limit)+": that limit is for mail without a login, and exceptions are for accounts", "remove the exception")
	default:
		return true
	}
	return false
}

// lowest is the lowest maximum of a limit.
func lowest(limit *ratelimit.Limit) int {
	if len(limit.Steps) == 0 {
		return limit.Max
	}
	return slices.MinFunc(limit.Steps, func(a, b ratelimit.Step) int { return a.Max - b.Max }).Max
}

// highest is the highest one.
func highest(limit *ratelimit.Limit) int {
	if len(limit.Steps) == 0 {
		return limit.Max
	}
	return slices.MaxFunc(limit.Steps, func(a, b ratelimit.Step) int { return a.Max - b.Max }).Max
}

// ExpiredExceptions tells of the exceptions that hold no more: warnings by their
// line.
func (c *Config) ExpiredExceptions(now time.Time) []Problem {
	var problems []Problem
	for i := range c.Accounts.rows {
		if e := &c.Accounts.rows[i]; !e.Expires.IsZero() && !now.Before(e.Expires) {
			problems = append(problems, Problem{
				File: e.at.File, Line: e.at.Line, Key: "accounts.exception.expires", Warning: true,
				What: "the exception has expired on " + formatDate(e.last), Remedy: "remove it, or give it a new date",
			})
		}
	}
	return problems
}
