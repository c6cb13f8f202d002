package config

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mailprofiled/profile"
)

// baselineKind takes the name of a set of points, which it loads.
func baselineKind() Kind {
	use := "use " + oneOf(baselineNames()) + `, or one with its version: "standard@1"`
	kind := textKind("baseline", "standard", func(text string, s spot) (any, bool) {
		policy, err := profile.Baseline(text)
		if err == nil {
			return policy, true
		}
		name, version, pinned := strings.Cut(text, "@")
		near := nearest(strings.ToLower(strings.TrimSpace(name)), baselineNames())
		switch {
		case near == name && pinned:
			return s.bad(quote(text), "a version that this program does not have: "+quote(version), "use "+oneOf(versionsOf(name))+", or "+quote(name)+" for the newest")
		case near != "":
			return s.bad(quote(text), "not known", "did you mean "+quote(near)+"?")
		}
		return s.bad(quote(text), "not known", use)
	}, formatText)
	kind.Range = oneOf(baselineNames()) + `; "standard@1" pins the version`
	return kind
}

// baselineNames are those without versions, the mildest first.
func baselineNames() []string {
	var names []string
	for _, full := range profile.Baselines() {
		if name, _, _ := strings.Cut(full, "@"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func versionsOf(name string) []string {
	return slices.DeleteFunc(profile.Baselines(), func(full string) bool { return !strings.HasPrefix(full, name+"@") })
}

// printDrift tells in which points and thresholds this site differs from its
// baseline, and what they are there.
func (c *Config) printDrift(w io.Writer) {
	type drift struct{ key, from, to string }
	var all []drift
	total := 0
	compare := func(key string, from, to string) {
		total++
		if from != to {
			all = append(all, drift{key, from, to})
		}
	}
	plain := c.plain()
	for _, k := range keysNow() {
		switch {
		case !k.Baseline:
		case k.field != nil:
			compare(k.Name, k.Kind.format(k.get(plain)), k.Kind.format(k.get(c)))
		default:
			for _, id := range append(findingIDs(), c.listPoints()...) {
				compare("points."+id, shownPoints(&k, plain, id), shownPoints(&k, c, id))
			}
		}
	}
	if len(all) == 0 {
		fmt.Fprintf(w, "# points and thresholds are those of %s\n", c.Policy.Baseline)
		return
	}
	fmt.Fprintf(w, "# drift from %s, in %d of %d points and thresholds:\n", c.Policy.Baseline, len(all), total)
	for _, d := range all {
		fmt.Fprintf(w, "#   %-28s %s -> %s\n", d.key, d.from, d.to)
	}
}

// shownPoints are the points of a finding as --print has them. One that acts by
// its nature, or weighs what a rule says, is on.
func shownPoints(k *Key, c *Config, id string) string {
	if _, set := c.Policy.Points[id]; !set {
		return "the list's"
	}
	if points := c.Policy.Points[id]; !finding(id).Fixed || points.Rule != profile.Counted {
		return k.Kind.format(points)
	}
	return "on"
}
