package wiring

import (
	"cmp"
	"fmt"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/local"
)

var localActions = map[string]local.Action{
	config.LocalDeny: local.Deny, config.LocalAllow: local.Allow, config.LocalPoints: local.Points,
}

// LoadLocal loads the operator's own rules with their files, and gives the
// configuration with what those hold. What old, which may be nil, has read and
// counted is taken over. Without rules the Set is nil. With fatal they cannot be
// used, and there is no Set; other problems are lines that do not count, and
// warnings.
func LoadLocal(cfg *config.Config, old *local.Set) (set *local.Set, with *config.Config, problems []config.Problem, fatal bool) {
	if len(cfg.Local) == 0 {
		return nil, cfg, nil, false
	}
	set, said := local.Load(rulesOf(cfg.Local), time.Now(), old)
	problems = AsConfig(said)
	if set == nil {
		return nil, cfg, problems, true
	}
	return set, cfg.WithLists(set.Digest()), append(problems, DeafTo(set, cfg)...), false
}

// RulesBeside looks at the rules and files of a configuration that has mistakes
// elsewhere, so that all is told at once.
func RulesBeside(report *config.Report, old *local.Set) []config.Problem {
	_, said := local.Load(rulesOf(report.Local), time.Now(), old)
	return AsConfig(said)
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

// AsConfig words problems as those of the configuration: always with a line and
// a remedy.
func AsConfig(said []local.Problem) []config.Problem {
	problems := make([]config.Problem, len(said))
	for i, p := range said {
		problems[i] = config.Problem{
			File: p.File, Line: max(1, p.Line), What: p.What, Remedy: cmp.Or(p.Remedy, "see that it is the right file"), Warning: p.Warning,
		}
	}
	return problems
}
