package main

import (
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

var baselines = []string{"cautious", "standard", "strict"}

// tables prints what docs/judgement.md shows, as Markdown.
func tables(r replayer, w io.Writer) error {
	assumed := map[string][]visit{}
	for _, assume := range []bool{true, false} {
		how := "Without a confirmed name by the server's own words (`--assume-unconfirmed`)"
		if !assume {
			how = "Only what is certain: `none_or_unconfirmed` is unknown"
		}
		fmt.Fprintf(w, "### %s\n\n", how)
		for _, baseline := range baselines {
			visits, err := r.judge(reading{baseline: baseline, assume: assume})
			if err != nil {
				return err
			}
			if assume {
				assumed[baseline] = visits
			}
			printBaseline(w, baseline, count(visits, nil))
		}
	}
	printCurve(w, assumed["standard"])
	printFolds(w, assumed)
	printCross(w, assumed)
	return printSPF(r, w)
}

func printBaseline(w io.Writer, baseline string, tallies map[string]tally) {
	fmt.Fprintf(w, "`%s`:\n\n| part | counted | passed | deferred | refused | touched |\n| --- | --- | --- | --- | --- | --- |\n", baseline)
	for _, part := range slices.Concat(hamParts, spamParts) {
		t := tallies[part]
		if t.all == 0 {
			continue
		}
		what := "rows"
		if slices.Contains(hamParts, part) {
			what = "networks"
		}
		fmt.Fprintf(w, "| %s | %d %s | %d | %s | %s | %s |\n", part, t.all, what, t.all-t.touched(),
			share(t.deferred, t.all), share(t.refused, t.all), share(t.touched(), t.all))
	}
	fmt.Fprintln(w)
}

// printCurve shows what another threshold would do: touched ham against caught spam.
func printCurve(w io.Writer, visits []visit) {
	fmt.Fprint(w, "### Touched ham against caught spam: `standard`, by another `verdict.tempfail_score`\n\n| tempfail_score |")
	parts := presentParts(visits)
	for _, part := range parts {
		fmt.Fprintf(w, " %s |", part)
	}
	fmt.Fprint(w, "\n| --- |")
	for range parts {
		fmt.Fprint(w, " --- |")
	}
	fmt.Fprintln(w)
	for _, at := range []float64{2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8, 10} {
		tallies := countBy(visits, nil, func(v *visit) int {
			if v.score >= at {
				return 1
			}
			return 0
		})
		fmt.Fprintf(w, "| %g |", at)
		for _, part := range parts {
			t := tallies[part]
			fmt.Fprintf(w, " %.2f %% |", 100*float64(t.touched())/float64(max(1, t.all)))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

func presentParts(visits []visit) []string {
	tallies := count(visits, nil)
	return slices.DeleteFunc(slices.Concat(hamParts, spamParts), func(part string) bool { return tallies[part].all == 0 })
}

// folds is into how many parts of networks the visits are cut: what differs
// between them is chance.
const folds = 5

// printFolds shows how far touched ham and caught spam differ between parts of
// the networks, and between periods.
func printFolds(w io.Writer, judged map[string][]visit) {
	fmt.Fprintf(w, "### The same by fifths of the networks, and by periods: touched, in percent\n\n| baseline | part | fifths, least to most | %s | %s | %s |\n| --- | --- | --- | --- | --- | --- |\n", early, middle, late)
	for _, baseline := range baselines {
		visits := judged[baseline]
		for _, part := range presentParts(visits) {
			var fifths []float64
			for fold := range folds {
				t := count(visits, func(v *visit) bool { return v.part == part && foldOf(v.network) == fold })[part]
				fifths = append(fifths, 100*float64(t.touched())/float64(max(1, t.all)))
			}
			fmt.Fprintf(w, "| %s | %s | %.2f-%.2f |", baseline, part, slices.Min(fifths), slices.Max(fifths))
			for _, period := range []string{early, middle, late} {
				t := count(visits, func(v *visit) bool { return v.part == part && v.period == period })[part]
				if t.all == 0 {
					fmt.Fprint(w, " - |")
					continue
				}
				fmt.Fprintf(w, " %.2f of %d |", 100*float64(t.touched())/float64(t.all), t.all)
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintln(w)
}

func foldOf(network string) int {
	h := fnv.New32a()
	io.WriteString(h, network)
	return int(h.Sum32() % folds)
}

// printSPF shows what SPF alone is worth, where nothing is known of PTR.
func printSPF(r replayer, w io.Writer) error {
	visits, err := r.judge(reading{baseline: "standard", blank: true})
	if err != nil {
		return err
	}
	fmt.Fprint(w, "### SPF, with all that is known of PTR left out: share of rows\n\n| part | rows with a result | fail | fail or softfail | deferred or refused by `standard` |\n| --- | --- | --- | --- | --- |\n")
	for _, part := range presentParts(visits) {
		var all, fail, soft, touched int
		for i := range visits {
			v := &visits[i]
			if v.part != part || !hasAny(v.findings, "spf-pass", "spf-none", "spf-fail", "spf-never", "spf-softfail", "spf-permerror") {
				continue
			}
			all++
			if v.action != "continue" {
				touched++
			}
			switch {
			case hasAny(v.findings, "spf-fail", "spf-never"):
				fail++
			case hasAny(v.findings, "spf-softfail"):
				soft++
			}
		}
		if all == 0 {
			continue
		}
		fmt.Fprintf(w, "| %s | %d | %s | %s | %s |\n", part, all, share(fail, all), share(fail+soft, all), share(touched, all))
	}
	fmt.Fprintln(w)
	return nil
}
