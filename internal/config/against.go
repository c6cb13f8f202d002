package config

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"mailprofiled/profile"
)

// PrintAgainst tells what would change here by another baseline: points, thresholds,
// sentences and HELO names of bots. What the files set by themselves stays as it is,
// and is told by name.
func (c *Config) PrintAgainst(w io.Writer, name string) error {
	other, err := profile.Baseline(name)
	if err != nil {
		return err
	}
	there := *c
	there.Policy = other
	d := &difference{here: c, there: &there}
	d.settings()
	d.print(w)
	return nil
}

// A difference is that between two policies of one site.
type difference struct {
	here, there *Config
	rows        [][3]string // key, here, there
	kept        []string    // keys that the files set
	total       int
}

// settings compares points and thresholds.
func (d *difference) settings() {
	for _, k := range keysNow() {
		switch {
		case !k.Baseline:
		case k.field != nil:
			d.compare(k.Name, k.Name, k.Kind.format(k.get(d.here)), k.Kind.format(k.get(d.there)))
		default:
			for _, id := range findingIDs() {
				d.compare(id, join("points", id), d.points(&k, d.here, id), d.points(&k, d.there, id))
			}
		}
	}
}

func (d *difference) compare(shown, key, here, there string) {
	d.total++
	if _, own := d.here.origins[key]; own {
		if here != there {
			d.kept = append(d.kept, fmt.Sprintf("%s %s (%s)", shown, here, there))
		}
		return
	}
	if here != there {
		d.rows = append(d.rows, [3]string{shown, here, there})
	}
}

// points are those of a finding, and what they do by themselves.
func (d *difference) points(k *Key, c *Config, id string) string {
	text := shownPoints(k, c, id)
	p := c.Policy.Points[id]
	switch {
	case p.Rule != profile.Counted || finding(id).Fixed:
	case p.Value >= d.threshold("verdict.reject_score", c) && finding(id).Alone != profile.AloneNever:
		text += " refuses"
	case p.Value >= d.threshold("verdict.tempfail_score", c):
		text += " defers"
	}
	return text
}

// threshold is one that would be in force: that of the files, else of the baseline.
func (d *difference) threshold(key string, c *Config) float64 {
	if _, own := d.here.origins[key]; own {
		c = d.here
	}
	if key == "verdict.reject_score" {
		return c.Policy.RejectScore
	}
	return c.Policy.TempfailScore
}

func (d *difference) print(w io.Writer) {
	here, there := d.here.Policy, d.there.Policy
	if here.Baseline == there.Baseline {
		fmt.Fprintf(w, "%s is in force here already\n", here.Baseline)
	}
	sentences := changedTexts(here.Texts, there.Texts)
	gone, come := missingFrom(there.Bots, here.Bots), missingFrom(here.Bots, there.Bots)
	if len(d.rows) == 0 && len(sentences) == 0 && len(gone)+len(come) == 0 {
		fmt.Fprintf(w, "nothing would change here by %s: %d points and thresholds compared\n", there.Baseline, d.total)
	} else {
		fmt.Fprintf(w, "by %s in place of %s would change here, of %d points and thresholds %d:\n\n", there.Baseline, here.Baseline, d.total, len(d.rows))
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(d.rows) > 0 {
		fmt.Fprintf(tw, "  FINDING\tHERE\t%s\n", strings.ToUpper(there.Baseline))
	}
	for _, r := range d.rows {
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", r[0], r[1], r[2])
	}
	tw.Flush()
	for _, id := range sentences {
		fmt.Fprintf(w, "\nthe other side is told of %s:\n  here: %s\n  %s: %s\n", id, orNothing(here.Texts[id]), there.Baseline, orNothing(there.Texts[id]))
	}
	for _, name := range gone {
		fmt.Fprintf(w, "\nhelo-bot is not said any more of %s\n", name)
	}
	for _, name := range come {
		fmt.Fprintf(w, "\nhelo-bot is said of %s\n", name)
	}
	if len(d.kept) > 0 {
		fmt.Fprintf(w, "\nset by your files, and stays (there): %s\n", strings.Join(d.kept, ", "))
	}
}

func orNothing(text string) string {
	if text == "" {
		return "(nothing)"
	}
	return text
}

// changedTexts are the findings whose sentence differs, sorted.
func changedTexts(a, b map[string]string) []string {
	all := map[string]bool{}
	for id := range a {
		all[id] = true
	}
	for id := range b {
		all[id] = true
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(id string) bool { return a[id] == b[id] })
}

// missingFrom are those of want that are not in have.
func missingFrom(have, want []string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(have, s) })
}
