package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// tune prints for each finding, and each pair of findings, how much more often
// spam has it than modern ham has: the natural logarithm of the likelihood ratio,
// with its 95 % interval, against each part of the spam and in each period.
//
// A finding is counted where the facts it rests on were recorded. It holds where in no part or period the interval lies on the other side of 0,
// and in at least two of them on one. Proposed points are what is certain of it, by
// the interval's nearer end, so that what rests on few networks gets few: the
// median of the parts, on a scale where a hundredfold ratio is 6 points.
func tune(r replayer, least int, w io.Writer) error {
	visits, err := r.judge(reading{baseline: "standard", assume: true})
	if err != nil {
		return err
	}
	against := []sample{
		{trec, func(v *visit) bool { return v.part == trec }, nil},
		{"list spam", func(v *visit) bool { return v.part == listSpam }, nil},
		{"foff spam", func(v *visit) bool { return v.part == foffSpam }, nil},
		{"phish", func(v *visit) bool { return v.part == phish }, nil},
		{"spam " + middle, func(v *visit) bool { return v.part == listSpam && v.period == middle }, func(v *visit) bool { return v.period == middle }},
		{"spam " + late, func(v *visit) bool { return (v.part == listSpam || v.part == foffSpam) && v.period == late }, func(v *visit) bool { return v.period == late }},
		{"spam", func(v *visit) bool { return v.part == otherSpam }, nil},
	}
	ham := func(v *visit) bool { return v.part == modernHam || v.part == otherHam }
	var columns []column
	for _, s := range against {
		during := s.during
		spam := evidence(visits, s.spam)
		good := evidence(visits, func(v *visit) bool { return ham(v) && (during == nil || during(v)) })
		if spam.all[0] > 0 && good.all[0] > 0 {
			columns = append(columns, column{s.name, spam, good})
		}
	}
	if len(columns) == 0 {
		return fmt.Errorf("no part has both ham and spam")
	}
	fmt.Fprint(w, "| finding | ham networks |")
	for _, c := range columns {
		fmt.Fprintf(w, " %s (%d) |", c.name, c.spam.all[0])
	}
	fmt.Fprint(w, " holds | proposed |\n| --- | --- |"+strings.Repeat(" --- |", len(columns)+2)+"\n")
	for _, id := range worthShowing(columns, least) {
		printEvidence(w, id, columns)
	}
	return nil
}

// fewest is what a part must have recorded of to say anything.
const fewest = 30

// A sample is one part of the spam, and the time of the ham that it is held against.
type sample struct {
	name   string
	spam   func(*visit) bool
	during func(*visit) bool
}

// A column is a sample, counted.
type column struct {
	name       string
	spam, good counts
}

// counts say how many have a finding or a pair, and of how many it could be seen.
type counts struct {
	all map[facts]int // by what was recorded of them, at least
	has map[string]int
}

// evidence counts findings and their pairs: of ham by networks, of the rest by
// rows that are not equal to another of their network.
func evidence(visits []visit, keep func(*visit) bool) counts {
	type unit struct{ network, findings string }
	type entry struct {
		unit
		id string
	}
	known, seen := map[unit]facts{}, map[entry]bool{}
	c := counts{all: map[facts]int{}, has: map[string]int{}}
	for i := range visits {
		v := &visits[i]
		if !keep(v) {
			continue
		}
		u := unit{v.network, v.findings}
		if v.ham {
			u.findings = ""
		}
		known[u] |= v.recorded
		for _, id := range withPairs(v.findings) {
			if e := (entry{u, id}); !seen[e] {
				seen[e] = true
				c.has[id]++
			}
		}
	}
	for _, k := range known {
		for need := range facts(allFacts + 1) {
			if k&need == need {
				c.all[need]++
			}
		}
	}
	return c
}

// needs are the facts that a finding or a pair rests on.
func needs(id string) (f facts) {
	for part := range strings.SplitSeq(id, " + ") {
		switch {
		case strings.HasPrefix(part, "rdns-"), strings.HasPrefix(part, "unnamed-"), strings.HasPrefix(part, "generic-"),
			strings.HasPrefix(part, "unrelated-"), part == "helo-unrelated":
			f |= ptrFact
		case strings.HasPrefix(part, "spf-"):
			f |= spfFact
		case part == "helo-not-client":
			f |= forwardFact
		}
	}
	return f
}

func withPairs(findings string) []string {
	ids := strings.Fields(findings)
	all := slices.Clone(ids)
	for i, a := range ids {
		for _, b := range ids[i+1:] {
			all = append(all, a+" + "+b)
		}
	}
	return all
}

func hasAny(findings string, ids ...string) bool {
	for id := range strings.FieldsSeq(findings) {
		if slices.Contains(ids, id) {
			return true
		}
	}
	return false
}

// worthShowing are the findings and pairs that enough rows have, findings first.
func worthShowing(columns []column, least int) []string {
	total := map[string]int{}
	for _, c := range columns {
		for id, n := range c.spam.has {
			total[id] += n
		}
		for id, n := range c.good.has {
			total[id] = max(total[id], n)
		}
	}
	var ids []string
	for id, n := range total {
		if n >= least {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		pairA, pairB := strings.Contains(a, "+"), strings.Contains(b, "+")
		if pairA != pairB {
			if pairA {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	return ids
}

func printEvidence(w io.Writer, id string, columns []column) {
	need, hams := needs(id), 0
	for _, c := range columns {
		hams = max(hams, c.good.has[id])
	}
	fmt.Fprintf(w, "| %s | %d |", id, hams)
	var certain []float64
	up, down := 0, 0
	for _, c := range columns {
		spam, good := c.spam.all[need], c.good.all[need]
		if spam < fewest || good < fewest {
			fmt.Fprint(w, " - |")
			continue
		}
		llr, half := ratio(c.spam.has[id], spam, c.good.has[id], good)
		fmt.Fprintf(w, " %d: %+.1f ±%.1f |", c.spam.has[id], llr, half)
		switch {
		case llr-half > 0:
			up++
			certain = append(certain, llr-half)
		case llr+half < 0:
			down++
			certain = append(certain, llr+half)
		}
	}
	if up < 2 && down < 2 || up > 0 && down > 0 {
		fmt.Fprintln(w, " no | - |")
		return
	}
	slices.Sort(certain)
	points := certain[len(certain)/2] * 6 / math.Log(100)
	fmt.Fprintf(w, " yes | %+.1f |\n", math.Round(points*2)/2)
}

// ratio is the logarithm of how much more often a of n has it than b of m, and
// half of its 95 % interval. A half is added to each count: nothing seen is not
// never.
func ratio(a, n, b, m int) (llr, half float64) {
	x, y, p, q := float64(a)+0.5, float64(b)+0.5, float64(n)+1, float64(m)+1
	return math.Log(x / p / (y / q)), 1.96 * math.Sqrt(1/x-1/p+1/y-1/q)
}
