package replay

import (
	"mailprofiled/internal/compare"
	"mailprofiled/internal/engine"
)

// Changes are where two policies answer differently.
type Changes struct{ compare.Changes }

// A Move is from the answer of the policy to that of the other one.
type Move = compare.Move

// An Example is one visit.
type Example = compare.Example

func newChanges() *Changes { return &Changes{*compare.NewChanges(maxSenders, false)} }

func (c *Changes) add(v *Visit, got, other *engine.Replayed) {
	if got.Verdict.Action == other.Verdict.Action {
		return
	}
	seen := Example{Client: v.Client, PTR: v.PTR, Helo: v.Helo}
	c.Add(v.Label, senderOf(v), seen, answerOf(got), answerOf(other))
}

func answerOf(r *engine.Replayed) compare.Answer {
	return compare.Answer{Action: r.Verdict.Action, Findings: r.Findings(), Speaker: r.Verdict.Speaker}
}
