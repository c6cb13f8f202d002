package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/geo"
	"mailprofiled/internal/local"
	"mailprofiled/internal/wiring"
)

// rules are the operator's own, and the databases that some go by.
type rules struct {
	local *local.Set // nil for none
	geo   *geo.Set   // nil for none
}

// A flaw is why rules cannot be used: the zero one is none.
type flaw struct{ local, geo bool }

func (f flaw) fatal() bool { return f.local || f.geo }

// String names what is at fault, as the subject of "have" and "cannot".
func (f flaw) String() string {
	switch {
	case f.local && f.geo:
		return "local rules and databases"
	case f.geo:
		return "databases"
	}
	return "local rules"
}

// loadRules loads the rules with their files and databases, and gives the
// configuration with what the files hold. What old has read is taken over.
func loadRules(cfg *config.Config, old rules) (r rules, with *config.Config, problems []config.Problem, bad flaw) {
	r.local, with, problems, bad.local = wiring.LoadLocal(cfg, old.local)
	places, said, fatal := wiring.LoadGeo(cfg.GeoFiles(), old.geo)
	r.geo, bad.geo = places, fatal
	return r, with, append(problems, said...), bad
}

// rulesBeside looks at the rules, files and databases of a configuration that has
// mistakes elsewhere.
func rulesBeside(report *config.Report, old rules) []config.Problem {
	_, said, _ := wiring.LoadGeo(report.Geo, old.geo)
	return append(wiring.RulesBeside(report, old.local), said...)
}

// refreshGeo looks at the databases, and takes in those that changed, for sessions
// under way too. The policy stays the same: it is the word of the operator.
func (d *daemon) refreshGeo(ctx context.Context, now time.Time) {
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
}

// geoStatus tells of the databases in use.
func geoStatus(set *geo.Set) []admin.Database {
	all := []admin.Database{}
	for _, s := range set.Status() {
		all = append(all, admin.Database{
			Kind: s.Kind.String(), File: s.Path, Type: s.Type, Entries: s.Entries, Built: s.Built, Loaded: s.Loaded, Trouble: s.Trouble,
		})
	}
	return all
}

// geoAttention lists what somebody should do something about.
func geoAttention(s *admin.Status) []string {
	var all []string
	for _, db := range s.Geo {
		if db.Trouble != "" {
			all = append(all, fmt.Sprintf("a database has changed and cannot be used; the version read %s ago is in use: %s", age(s.Now.Sub(db.Loaded)), plain(db.Trouble)))
		}
		if old := s.Now.Sub(db.Built); old > geo.OldAfter {
			all = append(all, fmt.Sprintf("geo.%s is %d days old: fetch a new %s", db.Kind, int(old/(24*time.Hour)), plain(db.File)))
		}
	}
	return all
}

// geoRows tell of each database.
func geoRows(s *admin.Status) []string {
	var rows []string
	for _, db := range s.Geo {
		rows = append(rows, fmt.Sprintf("%s: %s, %s, built %s, read %s ago", db.Kind, plain(db.File), plain(strings.TrimSpace(db.Type)),
			db.Built.UTC().Format(time.DateOnly), age(s.Now.Sub(db.Loaded))))
	}
	return rows
}
