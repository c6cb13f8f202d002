package ratelimit

import (
	"strconv"
	"strings"
	"time"
)

// An Over is a limit that the mail does not fit in.
type Over struct {
	Limit  string
	Action Action // of the limit; Report also when it only reports for want of a fact
	Per    Per
	Count  Count
	Max    int // as it is for this mail
	Used   int // of Max, before this mail and with what is under way
	Window time.Duration
	Part   int       // of Max: what this machine is held to while it cannot ask the others; Max: all of it
	Again  time.Time // when there surely is room again if no other mail takes it; zero: unknown
}

// A Decision is what the limits say of a mail or recipient. The zero Decision
// lets it go on.
type Decision struct {
	// The limit that refuses it, the tightest if there are several: a Reject goes
	// before a TempFail, then the one with the latest Again.
	Over

	// Text is a sentence for the reply, when it is refused: one line of US-ASCII
	// without a word of the client's, "100 messages in 24 hours for a new account;
	// again after 14:20 UTC".
	Text string

	Others []Over // that it does not fit in either, or that only report
	Err    error  // of the Store: nothing was counted, and nothing is refused for it
}

// Refused reports whether the mail is refused, or would be if it were not monitored.
func (d *Decision) Refused() bool { return d.Limit != "" }

// decide makes the Decision of charges that were taken.
func (r *Rules) decide(charges []Charge, now time.Time) Decision {
	speaks := -1
	over := false
	for i := range charges {
		c := &charges[i]
		over = over || c.Over
		if c.Over && c.firm && (speaks < 0 || r.tighter(c, &charges[speaks])) {
			speaks = i
		}
	}
	if !over {
		return Decision{}
	}
	var d Decision
	for i := range charges {
		switch {
		case i == speaks:
			d.Over = r.over(&charges[i], now)
			d.Text = r.limits[charges[i].limit].sentence(&d.Over, now)
		case charges[i].Over:
			d.Others = append(d.Others, r.over(&charges[i], now))
		}
	}
	return d
}

func (r *Rules) tighter(a, b *Charge) bool {
	if x, y := r.limits[a.limit].Action, r.limits[b.limit].Action; x != y {
		return x > y
	}
	return b.Wait != 0 && (a.Wait == 0 || a.Wait > b.Wait)
}

func (r *Rules) over(c *Charge, now time.Time) Over {
	l := &r.limits[c.limit]
	o := Over{Limit: l.Name, Per: l.Per, Count: l.Count, Max: int(c.Max), Used: int(c.Used), Window: l.Window}
	if c.firm {
		o.Action = l.Action
	}
	part, partly := c.Part()
	o.Part = int(part)
	if partly && o.Action == Reject && uint64(c.Used)+uint64(c.Amount) <= uint64(c.Max) {
		o.Action = TempFail // the others may have left room: unknown is never evidence
	}
	if c.Wait > 0 {
		o.Again = now.Add(c.Wait)
	}
	return o
}

// sentence words a refusal for the other side.
func (l *rule) sentence(o *Over, now time.Time) string {
	count := l.Count.String()
	if o.Max == 1 {
		count = strings.TrimSuffix(count, "s")
	}
	text := strconv.Itoa(o.Max) + " " + count + " in " + spell(l.Window) + " " + l.whose() + "; again "
	if o.Again.IsZero() {
		return text + "later"
	}
	return text + "after " + moment(o.Again, now)
}

// perPhrases say whose mail it is, in the order of the constants of Per.
var perPhrases = [...]string{"for one account", "from one address", "from one network", "to one recipient", "to one domain",
	"from one sender", "from one sender domain"}

func (l *rule) whose() string {
	var all []string
	for i, phrase := range perPhrases {
		if !l.Per.has(1 << i) {
			continue
		}
		if i == 0 && (len(l.Steps) > 0 || l.When.YoungerThan > 0) {
			phrase = "for a new account"
		}
		all = append(all, phrase)
	}
	return strings.Join(all, " ")
}

// spell words a window of whole seconds by the largest unit that fits; a day is
// 24 hours, and no calendar day.
func spell(d time.Duration) string {
	unit, name := time.Second, "second"
	switch {
	case d > 24*time.Hour && d%(24*time.Hour) == 0:
		unit, name = 24*time.Hour, "day"
	case d%time.Hour == 0:
		unit, name = time.Hour, "hour"
	case d%time.Minute == 0:
		unit, name = time.Minute, "minute"
	}
	if n := int(d / unit); n != 1 {
		return strconv.Itoa(n) + " " + name + "s"
	}
	return "1 " + name
}

// moment words a time, rounded up so that it is not too early: to the minute, or
// to the second when it is near; with its day when that is not today.
func moment(t, now time.Time) string {
	unit, form := time.Minute, "15:04"
	if t.Sub(now) < 10*time.Minute {
		unit, form = time.Second, "15:04:05"
	}
	t, now = t.Round(0).UTC(), now.UTC()
	if up := t.Truncate(unit); up.Before(t) {
		t = up.Add(unit)
	}
	form += " UTC"
	if t.Year() != now.Year() || t.YearDay() != now.YearDay() {
		form += " on 2 January"
	}
	return t.Format(form)
}
