package config

import (
	"slices"
	"time"

	"mailprofiled/ratelimit"
)

// checkShadow warns of a limit that another one makes superfluous.
func (l *loader) checkShadow(c *Config, r *limitRow) {
	for i := range c.limits {
		o := &c.limits[i]
		if o == r || o.off || !o.whole || o.limit.Name == r.limit.Name || !shadows(&o.limit, &r.limit) || l.raised(c, &o.limit) {
			continue
		}
		if shadows(&r.limit, &o.limit) && i > slices.IndexFunc(c.limits, func(x limitRow) bool { return x.id == r.id }) {
			continue // of two that are the same it is told once
		}
		l.spotOf(r.id, "max", "steps").warn("limit "+quote(r.limit.Name)+" changes nothing: "+quote(o.limit.Name)+" holds for the same mail, and is tighter or the same",
			"remove one of them, or let the longer window have the higher max")
		return
	}
}

// raised says that an exception names a limit: then others may speak for it.
func (l *loader) raised(c *Config, limit *ratelimit.Limit) bool {
	return slices.ContainsFunc(c.Accounts.Exceptions, func(e ratelimit.Exception) bool {
		return (e.Limit != "" || e.Window != 0) && concerns(&e, limit)
	})
}

// shadows says that a tight limit refuses all that a loose one would refuse, and no
// more kindly: it holds for all that mail, counts no less of it in a window that is
// no shorter, and its maximum is no higher.
func shadows(tight, loose *ratelimit.Limit) bool {
	return tight.Action != ratelimit.Report && tight.Count == loose.Count && tight.Window >= loose.Window &&
		highest(tight) <= lowest(loose) && (highest(tight) < lowest(loose) || tight.Action >= loose.Action) &&
		counts(tight, loose) && holds(tight, loose)
}

// counts says that what is counted together by one limit is so by another, too.
func counts(wide, narrow *ratelimit.Limit) bool {
	has := narrow.Per
	for _, implied := range [][2]ratelimit.Per{
		{ratelimit.PerClient, ratelimit.PerNetwork},
		{ratelimit.PerRecipient, ratelimit.PerRecipientDomain},
		{ratelimit.PerSender, ratelimit.PerSenderDomain},
	} {
		if has&implied[0] != 0 {
			has |= implied[1]
		}
	}
	if wide.Per&^has != 0 {
		return false
	}
	if wide.Per&narrow.Per&ratelimit.PerNetwork == 0 {
		return true
	}
	wide4, wide6 := networkWidths(wide)
	narrow4, narrow6 := networkWidths(narrow)
	return narrow.Per&ratelimit.PerClient != 0 || wide4 <= narrow4 && wide6 <= narrow6
}

// holds says that one limit holds wherever another does.
func holds(always, sometimes *ratelimit.Limit) bool {
	a, s := &always.When, &sometimes.When
	login := loggedIn(sometimes)
	switch {
	case a.Authenticated == ratelimit.Yes && !login, a.Authenticated == ratelimit.No && s.Authenticated != ratelimit.No:
		return false
	case a.Listener != "" && a.Listener != s.Listener:
		return false
	case !within(s.Domains, a.Domains) || !within(s.Plans, a.Plans) || !within(s.History, a.History):
		return false
	}
	young, below := upTo(always), upTo(sometimes)
	return (young == 0 || below > 0 && below <= young) && a.OlderThan <= s.OlderThan
}

// within says that whoever is one of some is one of all; none are everybody.
func within(some, all []string) bool {
	if len(all) == 0 {
		return true
	}
	return len(some) > 0 && !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// upTo is the age up to which a limit holds; 0 is any.
func upTo(limit *ratelimit.Limit) time.Duration {
	age := limit.When.YoungerThan
	if n := len(limit.Steps); n > 0 {
		if last := limit.Steps[n-1].Until; age == 0 || last < age {
			age = last
		}
	}
	return age
}
