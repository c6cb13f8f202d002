package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestRegressionFindsTheOdds(t *testing.T) {
	var units []unit
	add := func(n int, spam bool, features ...int) {
		for range n {
			units = append(units, unit{append([]int{0}, features...), spam, 1})
		}
	}
	add(100, true)
	add(300, false)
	add(270, true, 1) // nine of ten; the ridge takes a little
	add(30, false, 1)
	add(50, true, 2) // says nothing beside the constant
	add(150, false, 2)
	gains := fit(units, 4) // nobody has the last
	for f, want := range []float64{math.Log(1. / 3), math.Log(9) - math.Log(1./3), 0, 0} {
		if math.Abs(gains[f]-want) > 0.2 {
			t.Errorf("feature %d: %.3f, want %.3f", f, gains[f], want)
		}
	}
	add(1, true, 3)
	if got := fit(units, 4)[3]; got <= 0 || got > 1.5 {
		t.Errorf("one unit alone is worth %.2f: the ridge does not hold it", got)
	}
}

func TestThreshold(t *testing.T) {
	worst := map[string]float64{}
	for i := range 200 {
		worst[fmt.Sprint(i)] = float64(i)
	}
	for allowed, want := range map[float64]float64{0: 199, 0.004: 199, 0.005: 198, 0.06: 187, 1: math.Inf(-1)} {
		if got := threshold(worst, allowed); got != want {
			t.Errorf("%g of them: above %g, want %g", allowed, got, want)
		}
	}
}

// TestCross: whoever is measured has not been fitted on, and a finding that only
// spam has is found by all.
func TestCross(t *testing.T) {
	for _, s := range splits {
		for _, period := range []string{early, middle, late} {
			for network := range 50 {
				v := &visit{period: period, network: fmt.Sprint(network)}
				round := s.test(v)
				if round >= s.rounds {
					t.Fatalf("%s: round %d of %d", s.name, round, s.rounds)
				}
				if round >= 0 && s.train(v, round) {
					t.Errorf("%s: %s of %s is fitted on and measured", s.name, v.network, period)
				}
			}
		}
	}
	var visits []visit
	for i := range 400 {
		v := visit{part: modernHam, ham: true, period: middle, network: fmt.Sprint("ham", i), action: "continue", findings: "relation", score: -16}
		if i%2 == 0 {
			v.period = late
		}
		visits = append(visits, v)
		v.part, v.ham, v.network, v.action, v.findings, v.score = listSpam, false, fmt.Sprint("spam", i), "reject", "rdns-missing", 12
		visits = append(visits, v)
	}
	var out bytes.Buffer
	printCross(&out, map[string][]visit{"cautious": visits, "standard": visits, "strict": visits})
	rows := strings.Split(strings.TrimSpace(out.String()), "\n")[2:]
	if want := 2 + len(splits)*len(goals)*3; len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, row := range rows[2:] {
		cells := strings.Split(row, " | ")
		if !strings.HasPrefix(cells[3], "0.00 of ") || !strings.HasPrefix(cells[5], "100.00 of ") {
			t.Errorf("%s", row)
		}
	}
}
