package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/local"
	"mailprofiled/internal/wiring"
)

// lookAgain is how often files of [[local]] and databases are looked at: a stat for
// each.
const lookAgain = 2 * time.Second

// mistakes counts what is no warning.
func mistakes(problems []config.Problem) int {
	n := 0
	for _, p := range problems {
		if !p.Warning {
			n++
		}
	}
	return n
}

// followLists takes in changed files of [[local]], changed databases, and other DNS
// servers of the machine, until ctx ends.
func (d *daemon) followLists(ctx context.Context) {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			d.refresh(ctx, time.Now())
			d.refreshFiles(ctx, time.Now())
			d.refreshServers(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// refresh looks at the files of [[local]]. Those that changed count for sessions
// under way, too; as they make another policy, the next sessions are of a
// generation of their own.
func (d *daemon) refresh(ctx context.Context, now time.Time) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return
	}
	g := d.current.Load() // nobody replaces it while we have the turn
	again := g.tried.refresh(d, now)
	var changes []local.Change
	if g.local != nil {
		var problems []local.Problem
		changes, problems = g.local.Refresh(now)
		d.logProblems(wiring.AsConfig(problems))
	}
	if len(changes) == 0 && !again {
		return
	}
	d.logProblems(wiring.DeafTo(g.local, g.cfg))
	next := d.successor(g)
	d.begin(next)
	g.leave()
	for _, c := range changes {
		d.logger.Info("list taken in", "file", c.File, "format", cmp.Or(string(c.Format), "plain"),
			"entries", c.Entries, "before", c.Before, "policy", next.cfg.PolicyID())
	}
}

// logProblems logs what is wrong with what the rules are made of.
func (d *daemon) logProblems(problems []config.Problem) {
	for _, p := range problems {
		in := "the local rules"
		if strings.HasPrefix(p.Key, "geo.") {
			in = "the databases"
		}
		if strings.HasPrefix(p.Key, "directory.") {
			in = "the directory"
		}
		if p.Warning {
			d.logger.Warn("odd in "+in, "problem", p.String())
		} else {
			d.logger.Error("mistake in "+in, "problem", p.String())
		}
	}
}

// localStatus tells how the operator's own rules are doing.
func localStatus(set *local.Set, now time.Time) []admin.LocalRule {
	rules := []admin.LocalRule{}
	if set == nil {
		return rules
	}
	for _, u := range set.Usage(now) {
		r := admin.LocalRule{
			Where: u.Rule.Where, Action: u.Rule.Action.String(), Owner: u.Rule.Owner, Hits: u.Hits, Last: u.Last,
			Expires: u.Rule.Expires, State: "active", Files: []admin.LocalFile{},
		}
		switch {
		case u.Expired:
			r.State = "expired"
		case u.Hits == 0:
			r.State = "unused"
		}
		for _, f := range u.Files {
			r.Files = append(r.Files, admin.LocalFile{
				File: f.File, Entries: f.Entries, Bad: f.Bad, Expired: f.Expired, Hits: f.Hits, Last: f.Last,
				Loaded: f.Loaded, Trouble: f.Trouble, Tracked: f.Tracked, Unused: f.Unused, UnusedLines: append([]int{}, f.UnusedLines...),
			})
		}
		rules = append(rules, r)
	}
	return rules
}
