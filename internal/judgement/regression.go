package main

import "math"

// A unit is what a regression learns from: features by number, and what it was.
type unit struct {
	features []int
	spam     bool
	weight   float64
}

// ridge holds weights of features that few units have near 0.
const ridge = 1.0

// fit is logistic regression with a ridge, by Newton's steps along one feature after
// another: what the log-odds of spam gain by each of n features. Feature 0, the
// constant, every unit has to have; it is not held back.
func fit(units []unit, n int) []float64 {
	holders := make([][]int, n)
	for i := range units {
		for _, f := range units[i].features {
			holders[f] = append(holders[f], i)
		}
	}
	gains, odds := make([]float64, n), make([]float64, len(units))
	for range 200 {
		furthest := 0.0
		for f, having := range holders {
			slope, curve := 0.0, 1e-9
			if f > 0 {
				slope, curve = ridge*gains[f], ridge
			}
			for _, i := range having {
				p := 1 / (1 + math.Exp(-odds[i]))
				miss := p
				if units[i].spam {
					miss = p - 1
				}
				slope += units[i].weight * miss
				curve += units[i].weight * p * (1 - p)
			}
			step := max(-2, min(2, -slope/curve))
			gains[f] += step
			for _, i := range having {
				odds[i] += step
			}
			furthest = max(furthest, math.Abs(step))
		}
		if furthest < 1e-3 {
			break
		}
	}
	return gains
}
