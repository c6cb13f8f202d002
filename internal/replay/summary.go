package replay

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"mailprofiled/internal/compare"
	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// Bounds of what is counted apart: a log may name more than anybody reads.
const (
	maxFindings = 500
	maxSenders  = 200_000
)

// A Summary is what a policy would have done.
type Summary struct {
	Visits      int
	Late        int       // of those, older than one before: judged without limits and memory
	First, Last time.Time // the zero Time where no visit has one
	Labels      map[string]*Tally
	Findings    map[string]map[string]int // by id, then label
	Senders     map[string]*Sender
	Unlisted    int // visits of senders beyond those that are counted apart
}

// A Tally counts visits by their answer.
type Tally [compare.Actions]int

// All are the visits of a tally.
func (t *Tally) All() int {
	n := 0
	for _, c := range t {
		n += c
	}
	return n
}

// A Sender is an operator by the registered domain of its confirmed name, or else a
// network.
type Sender struct {
	Name     string
	Answers  Tally
	Findings map[string]int // of visits that were deferred or refused
	Example  Example        // the first of those
}

func newSummary() *Summary {
	return &Summary{Labels: map[string]*Tally{}, Findings: map[string]map[string]int{}, Senders: map[string]*Sender{}}
}

func (s *Summary) add(v *Visit, r *engine.Replayed) {
	s.Visits++
	s.spread(v)
	label := s.label(v.Label)
	s.Labels[label][r.Verdict.Action]++
	findings := r.Findings()
	for i := range findings {
		s.found(findings[i].ID, label)
	}
	s.sender(v, r, findings)
}

// spread widens the time that the visits span.
func (s *Summary) spread(v *Visit) {
	if v.Precision == NoTime {
		return
	}
	if s.First.IsZero() || v.Time.Before(s.First) {
		s.First = v.Time
	}
	if v.Time.After(s.Last) {
		s.Last = v.Time
	}
}

// label gives the label by which a visit is counted.
func (s *Summary) label(name string) string {
	if s.Labels[name] == nil {
		if len(s.Labels) >= compare.MaxLabels {
			name = compare.OtherLabel
		}
		if s.Labels[name] == nil {
			s.Labels[name] = new(Tally)
		}
	}
	return name
}

func (s *Summary) found(id, label string) {
	by := s.Findings[id]
	if by == nil {
		if len(s.Findings) >= maxFindings {
			return
		}
		by = map[string]int{}
		s.Findings[id] = by
	}
	by[label]++
}

func (s *Summary) sender(v *Visit, r *engine.Replayed, findings []profile.Finding) {
	name := senderOf(v)
	sender := s.Senders[name]
	if sender == nil {
		if len(s.Senders) >= maxSenders {
			s.Unlisted++
			return
		}
		sender = &Sender{Name: name}
		s.Senders[name] = sender
	}
	sender.Answers[r.Verdict.Action]++
	if r.Verdict.Action == profile.Continue {
		return
	}
	if sender.Findings == nil {
		sender.Findings = map[string]int{}
		sender.Example = Example{Client: v.Client, PTR: v.PTR, Helo: v.Helo}
	}
	for i := range findings {
		if findings[i].Points > 0 || r.Verdict.Speaker == findings[i].ID {
			sender.Findings[findings[i].ID]++
		}
	}
}

// senderOf names who a visit is counted with.
func senderOf(v *Visit) string {
	confirmed := ""
	if v.PTRState == PTRNamed && v.Confirmed == Yes {
		confirmed = v.PTR
	}
	return compare.SenderName(v.Client, confirmed)
}

// Concerned are the senders that were deferred or refused most often, at most n.
func (s *Summary) Concerned(n int) []*Sender {
	touched := func(x *Sender) int { return x.Answers[profile.TempFail] + x.Answers[profile.Reject] }
	all := slices.DeleteFunc(slices.Collect(maps.Values(s.Senders)), func(x *Sender) bool { return touched(x) == 0 })
	slices.SortFunc(all, func(a, b *Sender) int {
		return cmp.Or(cmp.Compare(touched(b), touched(a)), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(n, len(all))]
}
