package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

const limitsHelp = `
Tells which limits are in force, and how often each has spoken since the daemon's
start: in how many answers mail was refused for it, and in how many it was only
reported, by its action, for want of an age or plan, or in monitor mode.

How much of them an account has used: mailprofiled accounts show NAME`

func runLimits(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("limits", limitsHelp)
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		l, err := daemon.Limits(ctx)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(l, stdout, stderr), nil
		}
		printLimits(l, stdout)
		return exitFine, nil
	})
}

func printLimits(l *admin.Limits, w io.Writer) {
	if len(l.Limits) == 0 {
		fmt.Fprintln(w, "no limit is in force: [[limit]] describes some")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "LIMIT\tPER\tMAX\tWINDOW\tFOR\tACTION\tREFUSED\tREPORTED")
	for _, x := range l.Limits {
		fmt.Fprintf(tw, "%s\t%s\t%s %s\t%s\t%s\t%s\t%d\t%d\n", x.Name, x.Per, maxText(&x), x.Count, x.Window, orDash(x.When), x.Action, x.Refused, x.Reported)
	}
	tw.Flush()
	if l.Mode == "monitor" {
		fmt.Fprintln(w, "in monitor mode nothing is refused: all of them only report")
	}
	printShared(l.Shared, l.Now, w)
	for _, text := range roomAttention(&l.Room) {
		fmt.Fprintln(w, text)
	}
	if l.ByAge && l.Now.Before(l.Learnt) {
		fmt.Fprintf(w, "accounts first seen before %s are of unknown age: limits by age only report on them (accounts.learn)\n", minuteText(l.Learnt))
	}
}

// maxText is the maximum of a limit, or those of its steps.
func maxText(l *admin.Limit) string {
	if len(l.Steps) == 0 {
		return fmt.Sprint(l.Max)
	}
	var parts []string
	for _, s := range l.Steps {
		parts = append(parts, fmt.Sprintf("%d to %s", s.Max, s.Until))
	}
	return strings.Join(parts, ", ")
}

func minuteText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// spanText writes a time of whole seconds as a configuration does: 24h, 30d, 1h30m.
func spanText(d time.Duration) string {
	const day = 24 * time.Hour
	if d > day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// limits tells which limits are in force.
func (d *daemon) limits() *admin.Limits {
	g := d.enter()
	defer g.leave()
	now := time.Now()
	l := &admin.Limits{Now: now, Mode: mode(g.cfg), Limits: []admin.Limit{}, ByAge: asksAge(g.cfg.Limits), Shared: d.shareStatus(), Room: d.limitRoom()}
	l.Began, l.Learnt = d.counted.Accounts.Began(now)
	for i := range g.cfg.Limits {
		x := limitOf(&g.cfg.Limits[i])
		switch g.cfg.Policy.Points["limit:"+x.Name].Rule {
		case profile.Off:
			x.Action = "off"
		case profile.Monitor:
			x.Action = "monitor"
		}
		x.Refused, x.Reported = d.metrics.Limit(x.Name)
		l.Limits = append(l.Limits, x)
	}
	return l
}

func limitOf(l *ratelimit.Limit) admin.Limit {
	x := admin.Limit{
		Name: l.Name, Per: l.Per.String(), Count: l.Count.String(), Max: l.Max, Window: spanText(l.Window),
		Steps: []admin.LimitStep{}, When: whenText(&l.When), Action: l.Action.String(),
	}
	for _, s := range l.Steps {
		x.Steps = append(x.Steps, admin.LimitStep{Until: spanText(s.Until), Max: s.Max})
	}
	return x
}

// whenText words a condition.
func whenText(w *ratelimit.When) string {
	var parts []string
	add := func(is bool, format string, args ...any) {
		if is {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(w.Authenticated == ratelimit.Yes, "logged in")
	add(w.Authenticated == ratelimit.No, "not logged in")
	add(w.Listener != "", "at %s", w.Listener)
	add(len(w.Domains) > 0, "domain %s", strings.Join(w.Domains, " "))
	add(len(w.Plans) > 0, "plan %s", strings.Join(w.Plans, " "))
	add(w.OlderThan > 0, "from %s on", spanText(w.OlderThan))
	add(w.YoungerThan > 0, "younger than %s", spanText(w.YoungerThan))
	return strings.Join(parts, ", ")
}

// asksAge reports whether one of the limits asks for the age of accounts.
func asksAge(limits []ratelimit.Limit) bool {
	for i := range limits {
		if l := &limits[i]; len(l.Steps) > 0 || l.When.YoungerThan > 0 || l.When.OlderThan > 0 {
			return true
		}
	}
	return false
}

// limitStatus tells how limits are.
func (d *daemon) limitStatus(cfg *config.Config) admin.LimitStatus {
	now := time.Now()
	_, learnt := d.counted.Accounts.Began(now)
	return admin.LimitStatus{InForce: len(cfg.Limits), ByAge: asksAge(cfg.Limits), Learnt: learnt, Learning: now.Before(learnt), Room: d.limitRoom()}
}

// limitRoom tells whether there is room for all that is counted.
func (d *daemon) limitRoom() admin.LimitRoom {
	counters, accounts := d.counted.Table.Stats(), d.counted.Accounts.Stats()
	return admin.LimitRoom{Counters: counters.Room, Evicted: counters.Evicted, EvictedMax: counters.EvictedMax, Accounts: accounts.Room, Unnoted: accounts.Full}
}

// roomAttention tells what was forgotten for want of room.
func roomAttention(r *admin.LimitRoom) []string {
	var all []string
	if r.Evicted > 0 {
		all = append(all, fmt.Sprintf("%d counters of limits were forgotten for want of room for more than %d, %d of them at their limit: fewer limits per recipient or client, or shorter windows, need less",
			r.Evicted, r.Counters, r.EvictedMax))
	}
	if r.Unnoted > 0 {
		all = append(all, fmt.Sprintf("%d times an account was of unknown age for want of room for more than %d: tell ages by accounts.file or the directory", r.Unnoted, r.Accounts))
	}
	return all
}

// limitsText says how many limits are in force, and what they wait for.
func limitsText(s *admin.LimitStatus) string {
	text := fmt.Sprintf("%d in force", s.InForce)
	if s.Learning && s.ByAge {
		text += "; those by age only report on accounts first seen before " + minuteText(s.Learnt)
	}
	return text
}

// tellLimits has the limits in force stand among the metrics, and says in the log
// what they wait for.
func (d *daemon) tellLimits(cfg *config.Config) {
	var names []string
	for _, l := range cfg.Limits {
		names = append(names, l.Name)
	}
	d.metrics.KnowLimits(names)
	if s := d.limitStatus(cfg); s.Learning && s.ByAge {
		d.logger.Warn("limits by age only report: accounts first seen before then are of unknown age", "until", s.Learnt.UTC().Format(time.RFC3339),
			"remedy", `tell since when accounts are there by accounts.file; at a new site set accounts.learn = "0"`)
	}
}
