package dnsbl

import (
	"cmp"
	"slices"
)

// Merge makes one answer for each list of what the lists said of several subjects,
// as of a client's PTR name, HELO name and sender's domain: a list counts once,
// whatever names it has. The same code of two names counts once too. A list that
// has one subject and gave no answer on another is a Hit with a Reason; one that is
// clear of one and gave no answer on another is Unknown. The order is that of the Set.
func Merge(all ...[]Answer) []Answer {
	var merged []Answer
	for _, answers := range all {
		for i := range answers {
			a := &answers[i]
			k := slices.IndexFunc(merged, func(m Answer) bool { return m.List == a.List })
			if k < 0 {
				m := *a
				m.Matches = slices.Clip(m.Matches)
				merged = append(merged, m)
				continue
			}
			merged[k].add(a)
		}
	}
	slices.SortStableFunc(merged, func(a, b Answer) int { return cmp.Compare(a.List.place, b.List.place) })
	return merged
}

// add takes what the list said of one more subject.
func (a *Answer) add(b *Answer) {
	a.Cached = a.Cached && b.Cached
	a.Took = max(a.Took, b.Took)
	if b.Heard.After(a.Heard) {
		a.Heard = b.Heard
	}
	a.Reason = cmp.Or(a.Reason, b.Reason)
	switch {
	case a.State == b.State:
	case a.State == Hit || b.State == Hit:
		// What spoke of a subject that is no hit must not weigh, and never does.
		if b.State == Hit {
			a.Stale, a.Matches = false, nil
		} else {
			return
		}
		a.State = Hit
	default:
		a.State = Unknown
	}
	a.Stale = a.Stale || b.Stale
	for _, m := range b.Matches {
		if !slices.Contains(a.Matches, m) {
			a.Matches = append(a.Matches, m)
		}
	}
}
