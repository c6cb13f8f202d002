// Package compare counts where two policies answer the same visits differently, and
// whom that concerns: for replay, over mail of the past, and for a candidate, over the
// mail of now.
//
// What is answered, and by which facts, is for its callers to know. All of it is
// bounded, and not safe for concurrent use.
package compare

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"mailprofiled/profile"
)

// Actions is how many there are.
const Actions = int(profile.Reject) + 1

// Bounds of what is counted apart: strangers may be more than anybody reads of.
const (
	MaxLabels  = 20
	OtherLabel = "(other)"
)

// A Move is from the answer of one policy to that of the other.
type Move struct{ From, To profile.Action }

// String is "continue -> reject".
func (m Move) String() string { return m.From.String() + " -> " + m.To.String() }

// An Example is one visit.
type Example struct {
	Client    netip.Addr
	PTR, Helo string // as the client and its DNS have them
}

// An Answer is what a policy says of a visit.
type Answer struct {
	Action   profile.Action
	Findings []profile.Finding // all of them
	Speaker  string            // the finding that speaks; "" for none
}

// Changes are where two policies answer differently.
type Changes struct {
	Visits   int                     // that are answered differently
	Labels   map[string]map[Move]int // of those
	Senders  map[string]*Sender
	Unlisted int // changed visits of senders beyond those that are counted apart

	// Room is for how many senders are counted apart. When they are more, Forget
	// says whether those with the fewest visits are forgotten, or new ones not taken.
	Room   int
	Forget bool
}

// A Sender is one that would be answered differently.
type Sender struct {
	Name    string
	Visits  int
	Moves   map[Move]int
	Why     map[string]int // "+id" where only the other policy finds it or weighs it more, "-id" where less
	Example Example        // the first such visit
}

// NewChanges returns Changes without any.
func NewChanges(room int, forget bool) *Changes {
	return &Changes{Labels: map[string]map[Move]int{}, Senders: map[string]*Sender{}, Room: room, Forget: forget}
}

// Add counts a visit, and reports whether it is answered differently.
func (c *Changes) Add(label, sender string, seen Example, got, other Answer) bool {
	move := Move{got.Action, other.Action}
	if move.From == move.To {
		return false
	}
	c.Visits++
	if c.Labels[label] == nil {
		if len(c.Labels) >= MaxLabels {
			label = OtherLabel
		}
		if c.Labels[label] == nil {
			c.Labels[label] = map[Move]int{}
		}
	}
	c.Labels[label][move]++
	s := c.sender(sender, seen)
	if s == nil {
		c.Unlisted++
		return true
	}
	s.Visits++
	s.Moves[move]++
	EachChange(&got, &other, func(id string) { s.Why[id]++ })
	return true
}

func (c *Changes) sender(name string, seen Example) *Sender {
	s := c.Senders[name]
	if s != nil {
		return s
	}
	if len(c.Senders) >= c.Room {
		if !c.Forget {
			return nil
		}
		c.halve()
	}
	s = &Sender{Name: name, Moves: map[Move]int{}, Why: map[string]int{}, Example: seen}
	c.Senders[name] = s
	return s
}

// halve forgets the half of the senders with the fewest visits.
func (c *Changes) halve() {
	for _, s := range c.Largest(len(c.Senders))[len(c.Senders)/2:] {
		c.Unlisted += s.Visits
		delete(c.Senders, s.Name)
	}
}

// EachChange tells what two policies weigh differently: "+id" where only the other one
// finds it or weighs it more, "-id" where less. What weighs nothing is told where it
// speaks for one of the two and is not found by the other.
func EachChange(a, b *Answer, tell func(string)) {
	got, other := a.Findings, b.Findings
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
			tell("+" + id)
		case to < from:
			tell("-" + id)
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
	speaks := func(x *Answer, findings []profile.Finding, sign string) {
		if weight, _ := points(x.Findings, x.Speaker); x.Speaker != "" && weight == 0 {
			if _, both := points(findings, x.Speaker); !both {
				tell(sign + x.Speaker)
			}
		}
	}
	speaks(b, got, "+")
	speaks(a, other, "-")
}

// Moves gives how many visits there are of each Move.
func (c *Changes) Moves() map[Move]int {
	all := map[Move]int{}
	for _, by := range c.Labels {
		for m, n := range by {
			all[m] += n
		}
	}
	return all
}

// Largest are the senders with the most visits that are answered differently, at
// most n.
func (c *Changes) Largest(n int) []*Sender {
	all := slices.SortedFunc(maps.Values(c.Senders), func(a, b *Sender) int {
		return cmp.Or(cmp.Compare(b.Visits, a.Visits), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(n, len(all))]
}

// SenderName names who a visit is counted with: the operator, by the registered domain
// of a confirmed PTR name ("" for none), or else the network.
func SenderName(client netip.Addr, confirmed string) string {
	if confirmed != "" {
		return profile.OrgDomain(confirmed)
	}
	bits := 48
	if client.Is4() {
		bits = 24
	}
	if !client.IsValid() {
		return "(no address)"
	}
	network, _ := client.Prefix(bits)
	return network.String()
}

// Most are the n most frequent, the most frequent first.
func Most(by map[string]int, n int) []Count {
	all := make([]Count, 0, len(by))
	for name, times := range by {
		all = append(all, Count{name, times})
	}
	slices.SortFunc(all, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Name, b.Name)) })
	return all[:min(n, len(all))]
}

// A Count is how often there was something.
type Count struct {
	Name  string `json:"name"`
	Times int    `json:"times"`
}

// Copy is the sender as it is now, with maps of its own.
func (s *Sender) Copy() Sender {
	c := *s
	c.Moves, c.Why = maps.Clone(s.Moves), maps.Clone(s.Why)
	return c
}
