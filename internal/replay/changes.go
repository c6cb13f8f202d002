package replay

import (
	"cmp"
	"maps"
	"slices"

	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// A Move is from the answer of the policy to that of the other one.
type Move struct{ From, To profile.Action }

// Changes are where two policies answer differently.
type Changes struct {
	Visits   int // that are answered differently
	Labels   map[string]map[Move]int
	Senders  map[string]*ChangedSender
	Unlisted int // changed visits of senders beyond those that are counted apart
}

// A ChangedSender is one that would be answered differently.
type ChangedSender struct {
	Name    string
	Visits  int
	Moves   map[Move]int
	Why     map[string]int // "+id" where only the other policy finds it or weighs it more, "-id" where less
	Example Example        // the first such visit
}

func newChanges() *Changes {
	return &Changes{Labels: map[string]map[Move]int{}, Senders: map[string]*ChangedSender{}}
}

func (c *Changes) add(v *Visit, got, other *engine.Replayed) {
	move := Move{got.Verdict.Action, other.Verdict.Action}
	if move.From == move.To {
		return
	}
	c.Visits++
	label := v.Label
	if c.Labels[label] == nil {
		if len(c.Labels) >= maxLabels {
			label = otherLabel
		}
		if c.Labels[label] == nil {
			c.Labels[label] = map[Move]int{}
		}
	}
	c.Labels[label][move]++
	name := senderOf(v)
	s := c.Senders[name]
	if s == nil {
		if len(c.Senders) >= maxSenders {
			c.Unlisted++
			return
		}
		s = &ChangedSender{Name: name, Moves: map[Move]int{}, Why: map[string]int{}, Example: Example{v.Client, v.PTR, v.Helo}}
		c.Senders[name] = s
	}
	s.Visits++
	s.Moves[move]++
	s.why(got.Findings(), other.Findings())
}

// why notes what the two policies weigh differently.
func (s *ChangedSender) why(got, other []profile.Finding) {
	points := func(findings []profile.Finding, id string) (float64, bool) {
		for i := range findings {
			if findings[i].ID == id {
				return findings[i].Points, true
			}
		}
		return 0, false
	}
	note := func(id string, from, to float64) {
		switch {
		case to > from:
			s.Why["+"+id]++
		case to < from:
			s.Why["-"+id]++
		}
	}
	for i := range got {
		to, _ := points(other, got[i].ID)
		note(got[i].ID, got[i].Points, to)
	}
	for i := range other {
		if _, both := points(got, other[i].ID); !both {
			note(other[i].ID, 0, other[i].Points)
		}
	}
}

// Largest are the senders with the most visits that are answered differently, at
// most n.
func (c *Changes) Largest(n int) []*ChangedSender {
	all := slices.SortedFunc(maps.Values(c.Senders), func(a, b *ChangedSender) int {
		return cmp.Or(cmp.Compare(b.Visits, a.Visits), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(n, len(all))]
}
