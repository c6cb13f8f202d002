package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/local"
)

// lookAgain is how often the files of [[local]] are looked at: a stat for each.
const lookAgain = 2 * time.Second

var localActions = map[string]local.Action{
	config.LocalDeny: local.Deny, config.LocalAllow: local.Allow, config.LocalPoints: local.Points,
}

// loadLocal loads the operator's own rules with their files, and gives the
// configuration with what those hold. What old, which may be nil, has read and
// counted is taken over. Without rules the Set is nil. With fatal they cannot be
// used, and there is no Set; other problems are lines that do not count, and
// warnings.
func loadLocal(cfg *config.Config, old *local.Set) (set *local.Set, with *config.Config, problems []config.Problem, fatal bool) {
	if len(cfg.Local) == 0 {
		return nil, cfg, nil, false
	}
	set, said := local.Load(rulesOf(cfg.Local), time.Now(), old)
	problems = asConfig(said)
	if set == nil {
		return nil, cfg, problems, true
	}
	return set, cfg.WithLists(set.Digest()), append(problems, deafTo(set, cfg)...), false
}

// rulesBeside looks at the rules and files of a configuration that has mistakes
// elsewhere, so that all is told at once.
func rulesBeside(report *config.Report, old *local.Set) []config.Problem {
	_, said := local.Load(rulesOf(report.Local), time.Now(), old)
	return asConfig(said)
}

func rulesOf(all []config.LocalRule) []local.Rule {
	rules := make([]local.Rule, len(all))
	for i, r := range all {
		rules[i] = local.Rule{
			Match: r.Match, Action: localActions[r.Action], Points: r.Points, Owner: r.Owner, Reason: r.Reason,
			Expires: r.Expires, Where: fmt.Sprintf("%s:%d", r.At.File, r.At.Line),
		}
	}
	return rules
}

// deafTo warns of entries that no fact of this version is held against.
func deafTo(set *local.Set, cfg *config.Config) []config.Problem {
	if !set.Asks(local.Deny, local.Country) && !set.Asks(local.Allow, local.Country) && !set.Asks(local.Points, local.Country) {
		return nil
	}
	at := cfg.Local[0].At
	return []config.Problem{{
		File: at.File, Line: at.Line, Warning: true,
		What: "a file of [[local]] has entries of country:, and countries are not in this version yet", Remedy: "take them out: they match nobody",
	}}
}

// asConfig words problems as those of the configuration: always with a line and
// a remedy.
func asConfig(said []local.Problem) []config.Problem {
	problems := make([]config.Problem, len(said))
	for i, p := range said {
		problems[i] = config.Problem{
			File: p.File, Line: max(1, p.Line), What: p.What, Remedy: cmp.Or(p.Remedy, "see that it is the right file"), Warning: p.Warning,
		}
	}
	return problems
}

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

// followLists takes in changed files of [[local]] until ctx ends.
func (d *daemon) followLists(ctx context.Context) {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			d.refresh(ctx, time.Now())
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
	if g.local == nil {
		return
	}
	changes, problems := g.local.Refresh(now)
	d.logLists(asConfig(problems))
	if len(changes) == 0 {
		return
	}
	next := d.successor(g)
	d.current.Swap(next)
	g.leave()
	for _, c := range changes {
		d.logger.Info("list taken in", "file", c.File, "format", cmp.Or(string(c.Format), "plain"),
			"entries", c.Entries, "before", c.Before, "policy", next.cfg.PolicyID())
	}
}

// logLists logs what is wrong with files of [[local]].
func (d *daemon) logLists(problems []config.Problem) {
	for _, p := range problems {
		if p.Warning {
			d.logger.Warn("odd in the local rules", "problem", p.String())
		} else {
			d.logger.Error("mistake in the local rules", "problem", p.String())
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
