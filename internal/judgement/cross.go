package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// A goal is a share of the networks of modern ham that may be touched, and the
// baseline that is made for it.
type goal struct {
	baseline string
	ham      float64
}

var goals = []goal{{"cautious", 0.005}, {"standard", 0.02}, {"strict", 0.06}}

// A split parts the visits that something is fitted on from those that it is then
// measured on. A visit is in at most one round's test.
type split struct {
	name   string
	rounds int
	test   func(*visit) int // the round in whose test a visit is; -1 for none
	train  func(v *visit, round int) bool
}

var splits = []split{
	{"each fifth of the networks, fitted on the others", folds,
		func(v *visit) int { return foldOf(v.network) },
		func(v *visit, round int) bool { return foldOf(v.network) != round }},
	{"2022-, fitted on all before", 1,
		func(v *visit) int {
			if v.period == late {
				return 0
			}
			return -1
		},
		func(v *visit, _ int) bool { return v.period != late }},
	{"2019-2021, fitted on the rest", 1,
		func(v *visit) int {
			if v.period == middle {
				return 0
			}
			return -1
		},
		func(v *visit, _ int) bool { return v.period == late || v.period == early }},
}

// printCross shows what may be hoped for on networks, and times, that nothing was
// fitted to. A plain regression on the findings and their pairs is fitted on one part
// of the visits and measured on another; beside it stand the points of each baseline,
// with a threshold that is chosen on the first part too, and as they are shipped.
func printCross(w io.Writer, judged map[string][]visit) {
	fmt.Fprint(w, "### Fitted on one part, measured on another: touched, in percent\n\n| measured on | ham allowed | judged by |")
	parts := []string{modernHam, trec, listSpam, foffSpam, phish}
	for _, part := range parts {
		fmt.Fprintf(w, " %s |", part)
	}
	fmt.Fprint(w, "\n| --- | --- | --- |"+strings.Repeat(" --- |", len(parts))+"\n")
	for _, s := range splits {
		models := make([]func(*visit) float64, s.rounds)
		for round := range models {
			models[round] = learn(judged["standard"], func(v *visit) bool { return s.train(v, round) })
		}
		for _, g := range goals {
			row := func(by string, visits []visit, touched func(*visit) bool) {
				tallies := countBy(visits, func(v *visit) bool { return s.test(v) >= 0 }, func(v *visit) int {
					if touched(v) {
						return 1
					}
					return 0
				})
				fmt.Fprintf(w, "| %s | %g %% | %s |", s.name, 100*g.ham, by)
				for _, part := range parts {
					if t := tallies[part]; t.all > 0 {
						fmt.Fprintf(w, " %.2f of %d |", 100*float64(t.touched())/float64(t.all), t.all)
					} else {
						fmt.Fprint(w, " - |")
					}
				}
				fmt.Fprintln(w)
			}
			row("regression", judged["standard"], s.chosen(judged["standard"], g.ham, func(v *visit, round int) float64 { return models[round](v) }))
			points := func(v *visit, _ int) float64 { return v.score }
			row(fmt.Sprintf("`%s`, threshold chosen", g.baseline), judged[g.baseline], s.chosen(judged[g.baseline], g.ham, points))
			row(fmt.Sprintf("`%s`, as shipped", g.baseline), judged[g.baseline], func(v *visit) bool { return v.action != "continue" })
		}
	}
	fmt.Fprintln(w)
}

// chosen says who is touched by the lowest threshold of a score that allowed no more
// of the ham it was chosen on.
func (s split) chosen(visits []visit, allowed float64, score func(v *visit, round int) float64) func(*visit) bool {
	thresholds := make([]float64, s.rounds)
	for round := range thresholds {
		worst := map[string]float64{}
		for i := range visits {
			v := &visits[i]
			if v.part != modernHam || !s.train(v, round) {
				continue
			}
			if at, seen := worst[v.network]; !seen || score(v, round) > at {
				worst[v.network] = score(v, round)
			}
		}
		thresholds[round] = threshold(worst, allowed)
	}
	return func(v *visit) bool {
		round := s.test(v)
		return score(v, round) > thresholds[round]
	}
}

// threshold gives a score that no more than that share of the networks are above.
func threshold(worst map[string]float64, allowed float64) float64 {
	scores := make([]float64, 0, len(worst))
	for _, score := range worst {
		scores = append(scores, score)
	}
	slices.Sort(scores)
	above := int(allowed * float64(len(scores)))
	if above >= len(scores) {
		return math.Inf(-1)
	}
	return scores[len(scores)-1-above]
}

// learn fits a regression to modern ham and to spam, on findings and pairs, and
// returns the score that it gives a visit. Those of our findings that are pairs
// themselves it does not see.
func learn(visits []visit, keep func(*visit) bool) func(*visit) float64 {
	type key struct{ part, network, findings string }
	seen, ofNetwork := map[key]bool{}, map[string]float64{}
	var kept []key
	having := map[string]int{}
	simple := map[string][]string{} // by findings
	for i := range visits {
		v := &visits[i]
		if v.part != modernHam && v.part != trec && v.part != listSpam && v.part != foffSpam || !keep(v) {
			continue
		}
		k := key{v.part, v.network, v.findings}
		if seen[k] {
			continue
		}
		seen[k] = true
		kept = append(kept, k)
		if v.part == modernHam {
			ofNetwork[v.network]++
		}
		if _, ok := simple[v.findings]; !ok {
			simple[v.findings] = withPairs(strings.Join(slices.DeleteFunc(strings.Fields(v.findings), isPair), " "))
		}
		for _, id := range simple[v.findings] {
			having[id]++
		}
	}
	number := map[string]int{}
	for id, n := range having {
		if n >= 8 {
			number[id] = len(number) + 1
		}
	}
	features := func(ids []string) []int {
		all := []int{0}
		for _, id := range ids {
			if n, ok := number[id]; ok {
				all = append(all, n)
			}
		}
		return all
	}
	units := make([]unit, 0, len(kept))
	for _, k := range kept {
		weight := 1.0
		if k.part == modernHam {
			weight = 1 / ofNetwork[k.network]
		}
		units = append(units, unit{features(simple[k.findings]), k.part != modernHam, weight})
	}
	gains := fit(units, len(number)+1)
	scores := map[string]float64{} // by findings
	return func(v *visit) float64 {
		score, known := scores[v.findings]
		if !known {
			for _, f := range features(withPairs(strings.Join(slices.DeleteFunc(strings.Fields(v.findings), isPair), " "))) {
				score += gains[f]
			}
			scores[v.findings] = score
		}
		return score
	}
}

// isPair reports whether a finding is one of those that say two things at once.
func isPair(id string) bool {
	return strings.HasPrefix(id, "unnamed-") || strings.HasPrefix(id, "generic-") || strings.HasPrefix(id, "unrelated-")
}
