package profile

// A LimitHit is a limit that a recipient's mail does not fit in.
type LimitHit struct {
	Name   string // of the limit; the finding is "limit:NAME"
	Report bool   // it is only told of: by the operator's wish, or for want of a fact
	Reject bool   // 550 in place of 450
	Text   string // for the reply: what the limit is and when it ends
	Detail string // for the operator
}

// limitPrefix stands before the name of a limit in the id of its finding.
const limitPrefix = "limit:"

// judgeLimits makes the findings of limits, and gives the first that refuses; nil for
// none. They are for everyone, trusted or not (law 4), weigh nothing, and [points]
// may switch one off.
func (j *Judgement) judgeLimits(hits []LimitHit, v *Verdict) (refuses *LimitHit) {
	for i := range hits {
		h := &hits[i]
		id := limitPrefix + h.Name
		rule := j.policy.Points[id].Rule
		if rule == Off {
			continue
		}
		v.Findings = append(v.Findings, Finding{ID: id, Detail: h.Detail, Monitor: rule == Monitor || h.Report})
		if refuses == nil && rule != Monitor && !h.Report {
			refuses = h
		}
	}
	return refuses
}

// speakLimit gives a verdict the reply of a limit.
func (j *Judgement) speakLimit(v *Verdict, h *LimitHit) {
	r := table[limit]
	v.Action, v.Code, v.Status = TempFail, r.code, r.status
	if h.Reject {
		v.Action, v.Code, v.Status = Reject, 550, "5.7.1"
	}
	v.Speaker, v.Text = limitPrefix+h.Name, clip(clean(h.Text))
}
