package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// candidateKey is the key that names a second policy. What its file holds is for
// LoadCandidate: whatever is wrong with it is no reason not to start.
func candidateKey() Key {
	return Key{
		Name: "candidate", Default: "", Hot: true,
		Kind:  textKind("path", "/etc/mailprofiled/candidate.toml", candidatePath, formatText),
		Doc:   "A second file, whose policy is judged beside this one on live visits, by the same facts, and never spoken: `status`, metrics and the log tell where it would answer otherwise. Empty: none.",
		field: func(c *Config) any { return &c.Candidate },
	}
}

func candidatePath(text string, s spot) (any, bool) {
	if text == "" {
		return text, true
	}
	return wholePath(text, s, "/etc/mailprofiled")
}

// LoadCandidate loads the file that candidate names, as Load does, with what is to be
// said of it beside c, the configuration that speaks. It is nil, with no problem, where
// none is named, and nil with some where it cannot be used.
func (c *Config) LoadCandidate() (*Config, []Problem) {
	if c.Candidate == "" {
		return nil, nil
	}
	for _, own := range c.Files {
		if whole, err := filepath.Abs(own); err == nil && whole == c.Candidate {
			at := c.origins["candidate"]
			return nil, []Problem{{
				File: at.File, Line: at.Line, Key: "candidate", What: "candidate is " + quote(c.Candidate) + ": that is this configuration itself",
				Remedy: "copy it to another file, and change that",
			}}
		}
	}
	next, report := Load(c.Candidate)
	problems := report.Problems()
	if next == nil {
		return nil, problems
	}
	problems = append(problems, c.beside(next)...)
	sortProblems(problems)
	return next, problems
}

// beside warns of what a candidate says and is not tried: it is judged by the facts that
// c has asked for.
func (c *Config) beside(next *Config) []Problem {
	var problems []Problem
	warn := func(at Origin, key, what, remedy string) {
		if at.File == "" {
			at = Origin{File: next.Path, Line: 1}
		}
		problems = append(problems, Problem{File: at.File, Line: at.Line, Key: key, What: what, Remedy: remedy, Warning: true})
	}
	asked := map[string]bool{}
	for i := range c.Lists.All {
		asked[c.Lists.All[i].ID] = true
	}
	for i := range next.Lists.All {
		id := next.Lists.All[i].ID
		if asked[id] {
			continue
		}
		at, ok := next.Lists.OwnAt(id)
		if !ok {
			at = next.origins["lists.use"]
		}
		warn(at, "lists.use", fmt.Sprintf("the list %s is not asked for a candidate: it says nothing here", id),
			`name it in the configuration that speaks too, with "dnsbl:`+id+`" = 0 or "monitor" under [points] there`)
	}
	if !slices.Equal(next.limitLines(), c.limitLines()) {
		warn(next.limitsAt(), "limit", "limits are not tried by a candidate: mail is compared as if there were none", `try a limit with action = "report" in the configuration that speaks`)
	}
	if c.differs(next, "directory.") || !slices.Equal(next.Directory.settingsLines(), c.Directory.settingsLines()) {
		warn(next.sectionAt("directory."), "directory", "[directory] is not tried by a candidate: who exists is known by the configuration that speaks", "see that nothing is expected of it here")
	}
	if c.differs(next, "geo.") {
		warn(next.sectionAt("geo."), "geo", "[geo] is not read for a candidate: its rules go by the databases of the configuration that speaks", "name the same databases in both")
	}
	if c.differs(next, "memory.") {
		warn(next.sectionAt("memory."), "memory", "[memory] is not tried by a candidate: histories are those of the configuration that speaks", "see that nothing is expected of it here")
	}
	return problems
}

// differs reports whether a key of a section has another value in next.
func (c *Config) differs(next *Config, prefix string) bool {
	return slices.ContainsFunc(keysNow(), func(k Key) bool {
		return strings.HasPrefix(k.Name, prefix) && k.field != nil && k.Kind.canonical(k.get(c)) != k.Kind.canonical(k.get(next))
	})
}

// limitsAt is where the first [[limit]] stands; the zero Origin for none.
func (c *Config) limitsAt() Origin {
	for _, row := range c.limits {
		if row.at.File != "" {
			return row.at
		}
	}
	return Origin{}
}

// sectionAt is the first place where a key of a section is set.
func (c *Config) sectionAt(prefix string) (first Origin) {
	for name, at := range c.origins {
		if strings.HasPrefix(name, prefix) && (first.File == "" || at.Line < first.Line) {
			first = at
		}
	}
	return first
}
