package profile

// Decide answers for one recipient of the visit, or, where r is nil, for all of
// them at MAIL. retryPassed says that the server came back honestly after an
// earlier deferral: a tempfail for the score becomes continue.
//
// A score at or over the reject threshold refuses only if it stays there on
// firm evidence alone (laws 1 and 2, the never column, stale answers); else the
// answer is a tempfail, marked Capped.
func (j *Judgement) Decide(r *Recipient, retryPassed bool) Verdict {
	v := Verdict{Score: j.Score}
	own, evidence := j.judgeRecipient(r, &v)
	if j.trust != Stranger || r != nil && (r.Exempt || AlwaysOpen(r.Raw, j.us)) {
		return v
	}
	p := j.policy
	switch {
	case v.Score >= p.RejectScore && evidence >= p.RejectScore:
		v.Action = Reject
	case v.Score >= p.RejectScore:
		v.Action, v.Capped = TempFail, true
	case v.Score >= p.TempfailScore:
		v.Action = TempFail
		v.ForScore = j.Score >= p.TempfailScore && !j.asksTempfail(v.Findings)
	case j.asksTempfail(v.Findings):
		v.Action = TempFail
	}
	if v.ForScore && retryPassed && j.passRetry(&v) {
		return v
	}
	j.speak(&v, own)
	return v
}

// judgeRecipient makes the recipient's own findings and adds them to the score.
// It returns their kinds and the score that may support a reject.
func (j *Judgement) judgeRecipient(r *Recipient, v *Verdict) (own []kind, evidence float64) {
	if r == nil || r.Number < 2 || !j.null || j.trust != Stranger {
		return nil, j.evidence
	}
	finding, m, ok := j.weigh(bounceManyRcpts, "", false)
	if !ok {
		return nil, j.evidence
	}
	own, v.Findings = append(own, m.kind), append(v.Findings, finding)
	if m.points == 0 {
		return own, j.evidence
	}
	marks := []mark{m}
	v.Score = j.sum(marks, false)
	j.tellSurplus(v, m.points)
	return own, j.sum(marks, true)
}

// tellSurplus shows what a lift of the visit has left over and may not spend on
// the recipient's own findings, so that the score stays the sum of the visit's
// findings and the recipient's.
func (j *Judgement) tellSurplus(v *Verdict, own float64) {
	surplus := round(v.Score - j.Score - own)
	if surplus == 0 {
		return
	}
	for i, k := range j.said {
		if table[k].lifts != 0 && j.Findings[i].Points < 0 {
			v.Findings = append(v.Findings, Finding{
				ID: table[k].id, Points: surplus, Detail: "does not lift " + table[bounceManyRcpts].id,
			})
			return
		}
	}
}

// asksTempfail reports whether a finding has "tempfail" in place of points.
func (j *Judgement) asksTempfail(own []Finding) bool {
	for _, findings := range [2][]Finding{j.Findings, own} {
		for i := range findings {
			if findings[i].Tempfail {
				return true
			}
		}
	}
	return false
}

// passRetry lets a deferred visit pass, if the policy judges honest retries,
// and says so.
func (j *Judgement) passRetry(v *Verdict) bool {
	finding, _, ok := j.weigh(retryPassed, "", false)
	if !ok {
		return false
	}
	finding.Points, finding.Tempfail = 0, false
	v.Findings = append(v.Findings, finding)
	if finding.Monitor {
		return false
	}
	v.Action, v.ForScore = Continue, false
	return true
}
