package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/accounts"
	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/geo"
	"mailprofiled/internal/local"
	"mailprofiled/internal/wiring"
)

// rules are the operator's own, and the databases that some go by.
type rules struct {
	local    *local.Set     // nil for none
	geo      *geo.Set       // nil for none
	accounts *accounts.File // nil for none

	directory *directory.Stack // who exists here; nil: nobody says. A generation of its own, to be closed
	traps     *directory.File  // nil for none

	tried *tried // the candidate; nil for none
}

// A flaw is why rules cannot be used: the zero one is none.
type flaw struct{ local, geo, accounts, directory, traps bool }

func (f flaw) fatal() bool { return f.local || f.geo || f.accounts || f.directory || f.traps }

// String names what is at fault, as the subject of "have" and "cannot".
func (f flaw) String() string {
	var all []string
	for _, part := range []struct {
		bad  bool
		name string
	}{{f.local, "local rules"}, {f.geo, "databases"}, {f.accounts, "lines of accounts"}, {f.directory, "directories"}, {f.traps, "traps"}} {
		if part.bad {
			all = append(all, part.name)
		}
	}
	return strings.Join(all, " and ")
}

// loadRules loads the rules with their files and databases, and gives the
// configuration with what the files hold. What old has read is taken over.
func loadRules(cfg *config.Config, old rules) (r rules, with *config.Config, problems []config.Problem, bad flaw) {
	r.local, with, problems, bad.local = wiring.LoadLocal(cfg, old.local)
	places, said, fatal := wiring.LoadGeo(cfg.GeoFiles(), old.geo)
	r.geo, bad.geo = places, fatal
	problems = append(problems, said...)
	r.accounts, said, bad.accounts = wiring.LoadAccounts(cfg.AccountsFile(), old.accounts, time.Now())
	problems = append(problems, said...)
	r.directory, said, bad.directory = wiring.LoadDirectory(cfg, old.directory, time.Now())
	problems = append(problems, said...)
	r.traps, said, bad.traps = wiring.LoadTraps(cfg, time.Now())
	if bad.fatal() {
		r.close()
	}
	return r, with, append(problems, said...), bad
}

// close lets go of what is open for these rules alone.
func (r *rules) close() { _ = r.directory.Close() }

// again gives the same rules to one more generation.
func (r rules) again() rules {
	r.directory = r.directory.Share()
	return r
}

// rulesBeside looks at the rules, files and databases of a configuration that has
// mistakes elsewhere.
func rulesBeside(report *config.Report, old rules) []config.Problem {
	_, places, _ := wiring.LoadGeo(report.Geo, old.geo)
	_, people, _ := wiring.LoadAccounts(report.Accounts, old.accounts, time.Now())
	return slices.Concat(wiring.RulesBeside(report, old.local), places, people, wiring.DirectoryBeside(report, time.Now()))
}

// refreshFiles looks at the databases and the file of accounts, and takes in those
// that changed, for sessions under way too. The policy stays the same: it is the word of the operator.
func (d *daemon) refreshFiles(ctx context.Context, now time.Time) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return
	}
	g := d.current.Load()
	changes, problems := g.geo.Refresh(now)
	d.logProblems(wiring.GeoProblems(g.cfg.GeoFiles(), problems))
	for _, c := range changes {
		d.logger.Info("database taken in", "file", c.Path, "type", c.Type, "entries", c.Entries, "built", c.Built, "before", c.Before)
	}
	d.refreshDirectory(g, now)
	d.logSources(g, now)
	if g.accounts == nil {
		return
	}
	change, said := g.accounts.Refresh(now)
	d.logProblems(wiring.AccountProblems(g.cfg.AccountsFile(), said))
	if change != nil {
		d.counted.Apply(g.cfg, g.key, now)
		d.logger.Info("file of accounts taken in", "file", g.accounts.Path(), "accounts", change.Accounts, "before", change.Before)
	}
}
