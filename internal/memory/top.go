package memory

import (
	"cmp"
	"slices"
	"time"
)

// A By is what servers are ranked by.
type By func(*Counts) float64

// The ways to rank, by the words of the command.
var rankings = map[string]By{
	"visits":  func(c *Counts) float64 { return c.Visits },
	"taken":   func(c *Counts) float64 { return c.Taken },
	"refused": func(c *Counts) float64 { return c.Refused },
	"unknown": func(c *Counts) float64 { return c.Unknown },
	"traps":   func(c *Counts) float64 { return c.Trapped },
	"listed":  func(c *Counts) float64 { return c.DaysListed },
	"spam":    func(c *Counts) float64 { return c.Spam - c.Ham },
	"helos":   func(c *Counts) float64 { return float64(c.Helos) },
	"waiting": func(c *Counts) float64 { return c.Deferred - c.Returned },
}

// Ranking gives the way to rank of a word.
func Ranking(word string) (By, bool) {
	by, ok := rankings[word]
	return by, ok
}

// Rankings gives the words, in order.
func Rankings() []string {
	var words []string
	for word := range rankings {
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}

// Top gives the first n of a kind by what they are ranked by, none of whom it is
// nothing. It walks over all that is remembered, one shard after the other.
func (s *Servers) Top(kind Kind, by By, n int, now time.Time) []Counts {
	type ranked struct {
		of     float64
		counts Counts
	}
	var best []ranked
	cut := func() {
		slices.SortFunc(best, func(a, b ranked) int {
			return cmp.Or(cmp.Compare(b.of, a.of), b.counts.Last.Compare(a.counts.Last))
		})
		best = best[:min(n, len(best))]
	}
	at, h := seconds(now), s.halving()
	var counts Counts // one for all: by may keep it, as far as the compiler knows
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for k := range sh.cells {
			c := &sh.cells[k]
			if c.kind != kind && (kind != Address || !c.isServer()) {
				continue
			}
			counts = c.counts(at, h)
			of := by(&counts)
			if of < 0.5 {
				continue
			}
			counts.Name = sh.names[c.id]
			if best = append(best, ranked{of, counts}); len(best)/2 >= n+32 {
				cut()
			}
		}
		sh.mu.Unlock()
	}
	cut()
	top := make([]Counts, len(best))
	for i := range best {
		top[i] = best[i].counts
	}
	return top
}

// isServer reports whether a cell is of one server: an IPv4 address, or a /64.
func (c *cell) isServer() bool {
	k := c.key()
	return c.kind == Address || c.kind == Net && !k.Prefix().Addr().Is4()
}
