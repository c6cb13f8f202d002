package wiring

import (
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/local"
	"mailprofiled/profile"
)

// LoadCandidate loads the configuration that cfg names as its candidate, and its own
// rules with their files; what live has read of these is taken over. The Config is nil
// where none is named, and where it cannot be used: then the problems say why.
func LoadCandidate(cfg *config.Config, live *local.Set) (next *config.Config, set *local.Set, problems []config.Problem) {
	next, problems = cfg.LoadCandidate()
	if next == nil {
		return nil, nil, problems
	}
	set, with, said, bad := LoadLocal(next, live)
	problems = append(problems, said...)
	if bad {
		return nil, nil, problems
	}
	return with, set, problems
}

// CheckCandidate looks at the configuration that cfg names as its candidate, with the
// databases and files that it would go by if it spoke.
func CheckCandidate(cfg *config.Config) []config.Problem {
	next, _, problems := LoadCandidate(cfg, nil)
	if next == nil {
		return problems
	}
	_, databases, _ := LoadGeo(next.GeoFiles(), nil)
	_, people, _ := LoadAccounts(next.AccountsFile(), nil, time.Now())
	return append(append(problems, databases...), people...)
}

// NewCandidate returns an engine that judges once more what that of cfg, made with p,
// has answered: for Rejudge alone. set are the rules of next.
func NewCandidate(cfg, next *config.Config, set *local.Set, p Parts) *engine.Engine {
	asked := map[string]bool{}
	for i := range cfg.Lists.All {
		asked[cfg.Lists.All[i].ID] = true
	}
	var lists []dnsbl.List
	for _, l := range next.Lists.All {
		if asked[l.ID] {
			lists = append(lists, l)
		}
	}
	return engine.New(engine.Options{
		Policy: next.Policy, PolicyID: next.PolicyID(),
		Us: profile.Us{Names: next.Us.Names, Domains: next.Us.Domains, Addrs: next.Us.Addresses},
		Exempt: engine.Exempt{
			Networks: next.Exempt.Networks, Authenticated: next.Exempt.Authenticated, Recipients: next.Exempt.Recipients,
		},
		Local: set, Places: p.Geo, Reread: dnsbl.NewOther(lists), Retries: p.Retries, Logger: p.Logger, Now: p.Now,
	})
}
