package memory

import (
	"fmt"
	"math"
	"time"
)

// A Standing is what the memory of a server says of it. Each of its words rests on
// what was seen; where nothing was, none is said. The zero Standing says nothing.
type Standing struct {
	Good, Bad string // why; "" where it is not so. Never both
	New       bool   // it is not remembered to have had a message taken, nor is its operator
	Helos     int    // how many HELO domains that do not lead to it it used lately, where they are many; else 0
}

// The words of a Standing, as limits may ask for them.
const (
	HistoryGood    = "good"
	HistoryBad     = "bad"
	HistoryNew     = "new"
	HistoryNeutral = "neutral"
)

// Word gives the one word for it.
func (st *Standing) Word() string {
	switch {
	case st.Bad != "":
		return HistoryBad
	case st.Good != "":
		return HistoryGood
	case st.New:
		return HistoryNew
	}
	return HistoryNeutral
}

// Standing gives that of a server.
func (s *Servers) Standing(sub *Subject, now time.Time) Standing {
	home, op := s.Counts(sub.Home, now), s.Counts(sub.Operator, now)
	op.Name = sub.Name
	return s.judge(&home, &op, now)
}

// judge looks at the server, and at the operator if one is known. Networks say
// nothing: nobody is good or bad for the neighbours.
func (s *Servers) judge(home, op *Counts, now time.Time) (st Standing) {
	if !home.Key.Valid() && !op.Key.Valid() {
		st.New = !s.learning(now)
		return st
	}
	o := s.settings.Load()
	if o.ManyHelos > 0 && home.Helos >= o.ManyHelos {
		st.Helos = home.Helos
	}
	st.New = !home.Met && !op.Met && !s.learning(now)
	for _, c := range [...]*Counts{home, op} {
		if st.Bad = c.bad(); st.Bad != "" {
			return st
		}
	}
	for _, c := range [...]*Counts{home, op} {
		if st.Good = c.good(o.GoodAfter, now); st.Good != "" {
			return st
		}
	}
	return st
}

// The measures of a history. Counts have faded, so a number is of some half-lives.
const (
	badTraps   = 0.5  // a trap speaks for one half-life,
	badTrapsOf = 0.01 // if it is more than this part of what was taken
	badUnknown = 10   // recipients who do not exist, and at least as many as are taken
	badSpam    = 3    // reports more than of the other kind,
	badSpamOf  = 0.1  // and more than this part of what was taken
	badListed  = 3    // days on which a DNS list had it, and at least half of all

	goodDays     = 2    // on which something was taken: no flood of one day
	goodTaken    = 5    // recipients
	goodUnknowns = 0.1  // of all, at most
	goodListed   = 0.1  // of all days, at most
	goodTrap     = 0.05 // what is left of one trap after four half-lives
	goodTrapOf   = 1e-3 // of what an operator's servers have had taken
	goodRefused  = 0.5  // of what was taken, at most
	goodSpam     = 0.02 // likewise
	goodHam      = 3    // as many reports count, at most
)

// bad says why the history is bad, "" if it is not.
func (c *Counts) bad() string {
	switch {
	case c.Trapped >= badTraps && c.Trapped >= badTrapsOf*c.Taken:
		return fmt.Sprintf("%s wrote to %s", c.who(), number(c.Trapped, "trap"))
	case c.Unknown >= badUnknown && c.Unknown >= c.Taken:
		return fmt.Sprintf("%s wrote to %s, and %s were taken", c.who(), number(c.Unknown, "unknown recipient"), number(c.Taken, "other"))
	case c.Spam-c.Ham >= badSpam && c.Spam >= badSpamOf*c.Taken:
		return fmt.Sprintf("%s was reported for spam %s", c.who(), number(c.Spam, "time"))
	case c.DaysListed >= badListed && c.DaysListed >= c.DaysSeen/2:
		return fmt.Sprintf("%s was on DNS lists on %s", c.who(), number(c.DaysListed, "day"))
	}
	return ""
}

// good says why the history is good, "" if it is not.
func (c *Counts) good(after time.Duration, now time.Time) string {
	traps, praise := goodTrap, min(c.Ham, goodHam)
	if c.Key.kind == Operator {
		traps += goodTrapOf * c.Taken
	}
	presence := now.Sub(c.First)
	switch {
	case !c.Known() || presence < after:
	case c.DaysTaken+praise < goodDays || c.Taken+praise < goodTaken || c.DaysTaken < 1:
	case c.Unknown > goodUnknowns*(c.Taken+c.Unknown), c.Trapped > traps:
	case c.DaysListed > goodListed*c.DaysSeen, c.Refused > goodRefused*c.Taken:
	case c.Spam-c.Ham >= 1 && c.Spam > goodSpam*c.Taken:
	case c.Deferred >= 2 && c.Returned < c.Deferred/4: // it does not come back honestly
	default:
		return fmt.Sprintf("%s is known for %d days, with mail on %s", c.who(), int(presence.Hours()/24), number(c.DaysTaken, "of the last ones"))
	}
	return ""
}

// who names whose counts they are.
func (c *Counts) who() string {
	if c.Key.kind == Operator {
		return c.Name
	}
	return c.Key.Kind().String()
}

// number writes a faded count.
func number(n float64, what string) string {
	whole := int(math.Round(n))
	if whole == 1 || what == "of the last ones" {
		return fmt.Sprintf("%d %s", whole, what)
	}
	return fmt.Sprintf("%d %ss", whole, what)
}
