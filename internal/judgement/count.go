package main

import (
	"fmt"
	"math"
)

// A tally counts answers of one part. Of ham, networks: one is touched when any
// of its rows is deferred or refused. Of the rest, rows, where those of one
// network with equal findings are one.
type tally struct{ all, deferred, refused int }

func (t tally) touched() int { return t.deferred + t.refused }

// count counts visits by part.
func count(visits []visit, keep func(*visit) bool) map[string]tally {
	return countBy(visits, keep, func(v *visit) int {
		switch v.action {
		case "tempfail":
			return 1
		case "reject":
			return 2
		}
		return 0
	})
}

// countBy counts by any measure of harshness: 0 passed, 1 deferred, 2 refused.
func countBy(visits []visit, keep func(*visit) bool, harsh func(*visit) int) map[string]tally {
	type key struct{ part, network, findings string }
	worst := map[key]int{}
	for i := range visits {
		v := &visits[i]
		if v.part == "" || keep != nil && !keep(v) {
			continue
		}
		k := key{v.part, v.network, v.findings}
		if v.ham {
			k.findings = ""
		}
		worst[k] = max(worst[k], harsh(v))
	}
	tallies := map[string]tally{}
	for k, h := range worst {
		t := tallies[k.part]
		t.all++
		switch h {
		case 1:
			t.deferred++
		case 2:
			t.refused++
		}
		tallies[k.part] = t
	}
	return tallies
}

// share is k of n in percent, with the 95 % interval of Wilson: it stays honest
// where k is 0.
func share(k, n int) string {
	if n == 0 {
		return "-"
	}
	low, high := wilson(k, n)
	return fmt.Sprintf("%.2f %% (%.2f-%.2f)", 100*float64(k)/float64(n), 100*low, 100*high)
}

func wilson(k, n int) (low, high float64) {
	const z = 1.96
	p, m := float64(k)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m)) / (1 + z*z/m)
	return max(0, mid-half), min(1, mid+half)
}
