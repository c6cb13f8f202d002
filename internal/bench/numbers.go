package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// quantile gives the value below which q of the values lie. It sorts them.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

// A span is a value measured in several rounds.
type span struct{ low, median, high float64 }

func spanOf(values []float64) span {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return span{}
	}
	return span{v[0], (v[(len(v)-1)/2] + v[len(v)/2]) / 2, v[len(v)-1]}
}

// ratios divides round by round: what disturbs a round disturbs both sides.
func ratios(over, under []float64) span {
	r := make([]float64, 0, len(over))
	for i := range over {
		if under[i] > 0 {
			r = append(r, over[i]/under[i])
		}
	}
	return spanOf(r)
}

// String shows a ratio: the median, and the range in brackets where there is one.
func (s span) String() string {
	if s.low == s.high {
		return fmt.Sprintf("%.2f", s.median)
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", s.median, s.low, s.high)
}

// figure shows a value to three digits or more.
func figure(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// A row is one quantity of the warm table, by side and round.
type row struct {
	name   string
	values [sides][]float64
}

// warmTable shows rows: ratios first.
func warmTable(title string, rows []row) string {
	var t strings.Builder
	fmt.Fprintf(&t, "%-24s %-19s %-19s %10s %10s %10s\n", title, "C/A median (range)", "C/B", "A empty", "B ours", "C daemon")
	for _, r := range rows {
		fmt.Fprintf(&t, "%-24s %-19s %-19s", r.name, ratios(r.values[sideC], r.values[sideA]), ratios(r.values[sideC], r.values[sideB]))
		for _, values := range r.values {
			fmt.Fprintf(&t, " %10s", figure(spanOf(values).median))
		}
		t.WriteByte('\n')
	}
	return t.String()
}
