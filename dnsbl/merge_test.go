package dnsbl

import (
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	s := NewSet(find(t, "spamhaus-dbl", "surbl", "uribl"), none{}, nil, Options{})
	defer s.Close()
	dbl, surbl, uribl := &s.lists[0], &s.lists[1], &s.lists[2]
	is := func(l *List, answers string) Answer {
		if reason, ok := strings.CutPrefix(answers, "!"); ok {
			return Answer{List: l, Reason: reason}
		}
		a := Answer{List: l}
		a.State, a.Reason, a.Matches = l.read(nil, addrsOf(t, answers))
		return a
	}
	stale := func(a Answer) Answer { a.Stale = true; return a }
	for _, c := range []struct {
		name   string
		all    [][]Answer
		want   string
		points float64 // of the first
	}{
		{"nothing", nil, "", 0},
		{"one subject", [][]Answer{{is(dbl, "127.0.1.2"), is(surbl, "")}}, "spamhaus-dbl hit 127.0.1.2; surbl clear", 8},
		{"two subjects with the same code count once", [][]Answer{{is(dbl, "127.0.1.2")}, {is(dbl, "127.0.1.2")}}, "spamhaus-dbl hit 127.0.1.2", 8},
		{"with different codes, up to 2 over the heaviest", [][]Answer{{is(dbl, "127.0.1.2")}, {is(dbl, "127.0.1.4")}}, "spamhaus-dbl hit 127.0.1.2 127.0.1.4", 12},
		{"a hit is one whatever else is clear", [][]Answer{{is(dbl, "")}, {is(dbl, "127.0.1.2")}, {is(dbl, "")}}, "spamhaus-dbl hit 127.0.1.2", 8},
		{"a hit, and no answer on another", [][]Answer{{is(dbl, "127.0.1.2")}, {is(dbl, "!timeout")}}, "spamhaus-dbl hit 127.0.1.2 timeout", 8},
		{"the other way round", [][]Answer{{is(dbl, "!timeout")}, {is(dbl, "127.0.1.2")}}, "spamhaus-dbl hit 127.0.1.2 timeout", 8},
		{"clear, and no answer on another, is unknown", [][]Answer{{is(dbl, "")}, {is(dbl, "!timeout")}}, "spamhaus-dbl unknown timeout", 0},
		{"a refusal beside a hit leaves its code out", [][]Answer{{is(dbl, "127.255.255.254")}, {is(dbl, "127.0.1.2")}}, "spamhaus-dbl hit 127.0.1.2 refusal", 8},
		{"an old hit makes the sum old", [][]Answer{{is(dbl, "127.0.1.2")}, {stale(is(dbl, "127.0.1.4"))}}, "spamhaus-dbl hit 127.0.1.2 127.0.1.4 stale", 12},
		{"an old clear does not make a hit old", [][]Answer{{stale(is(dbl, ""))}, {is(dbl, "127.0.1.4")}}, "spamhaus-dbl hit 127.0.1.4", 10},
		{"nor after it", [][]Answer{{is(dbl, "127.0.1.4")}, {stale(is(dbl, ""))}}, "spamhaus-dbl hit 127.0.1.4", 10},
		{"the order is the Set's", [][]Answer{{is(uribl, "")}, {is(surbl, ""), is(dbl, "")}}, "spamhaus-dbl clear; surbl clear; uribl clear", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before []string
			for _, answers := range c.all {
				before = append(before, saidAll(answers))
			}
			got := Merge(c.all...)
			check(t, "merged", saidAll(got), c.want)
			if len(got) > 0 && got[0].Points() != c.points {
				t.Errorf("%g points, want %g", got[0].Points(), c.points)
			}
			for i, answers := range c.all {
				check(t, "what was merged", saidAll(answers), before[i])
			}
		})
	}
}
